"""JSON that somebody else may have written: bounded, then held to a schema, once, at the door.

What `Schema.read` gives has the types and sizes that its schema says, so that no line behind it
meets a list where an object belongs. The schemas are JSON Schema files beside what they describe.
"""

from __future__ import annotations

import json
import math
import os
import re
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

from glint_edge.schema_checks import Check, compiled

MOST_DEEP = 32  # lists and objects in one another
MOST_DIGITS = 18  # of a whole number: it fits in 64 bits
SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


class Fault(ValueError):
    """What is wrong with a JSON file, in words that follow its name."""


@dataclass(frozen=True)
class Schema:
    """One kind of JSON file.

    Attributes:
        path: of its schema.
        most_bytes: that such a file may have.
        needs: of the whole value, these names alone, and others may stand there too; None: what
            the schema says.
    """

    path: Path
    most_bytes: int = 16 << 20
    needs: tuple[str, ...] | None = None

    def read(self, file: Path) -> Any:  # noqa: ANN401  # what the schema says
        """A file's value.

        Raises:
            Fault: it is too large, no JSON, or against the schema.
            OSError: it is not there or cannot be read.
        """
        value = self.load(file)
        self.check(value)
        return value

    def load(self, file: Path) -> Any:  # noqa: ANN401  # JSON is any of its types
        """The same before it is held to the schema: what a later version wrote may not conform.

        Raises:
            Fault: it is too large, or no JSON.
            OSError: it is not there or cannot be read.
        """
        if file.exists() and not file.is_file():  # a pipe would keep its reader waiting
            raise Fault("is no file")
        with file.open("rb") as opened:
            if os.fstat(opened.fileno()).st_size > self.most_bytes:
                raise Fault(f"is larger than {self.most_bytes:,} bytes")
            return parse(opened.read())

    def parse(self, data: bytes) -> Any:  # noqa: ANN401  # what the schema says
        """The value of a file's bytes.

        Raises:
            Fault: they are too many, no JSON, or against the schema.
        """
        if len(data) > self.most_bytes:
            raise Fault(f"is larger than {self.most_bytes:,} bytes")
        value = parse(data)
        self.check(value)
        return value

    def check(self, value: Any) -> None:  # noqa: ANN401  # JSON is any of its types
        """Hold a value to the schema.

        Raises:
            Fault: it does not conform.
        """
        if (fault := _check_of(self.path, self.needs)(value)) is not None:
            raise Fault(f"is damaged at ${fault}")


@cache
def _check_of(path: Path, needs: tuple[str, ...] | None) -> Check:
    schema = json.loads(path.read_bytes())
    if needs is not None:
        schema |= {"required": needs, "additionalProperties": True}
    return compiled(schema)


def parse(data: bytes, *, most_digits: int = MOST_DIGITS) -> Any:  # noqa: ANN401  # any of JSON's types
    """JSON of any kind, in bounds: its depth, its numbers, its texts.

    Args:
        data: UTF-8.
        most_digits: of a whole number.

    Raises:
        Fault: it is none, or out of bounds.
    """
    try:
        text = data.decode("utf-8")
        value = json.loads(
            text, parse_int=partial(_whole, most_digits), parse_float=_finite,
            parse_constant=_no_constant,
        )  # fmt: skip
        if SURROGATE.search(text):  # half of a character, which cannot be written
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except Fault:
        raise
    except RecursionError as error:
        raise Fault("is damaged (it is nested too deep)") from error
    except ValueError as error:  # UnicodeError is one
        raise Fault(f"is damaged ({' '.join(str(error).split())[:200]})") from error
    if _is_deep(value):
        raise Fault("is damaged (it is nested too deep)")
    return value


def _whole(most: int, digits: str) -> int:
    if len(digits.lstrip("-")) > most:
        raise Fault(f"is damaged (a number of {len(digits)} digits)")
    return int(digits)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise Fault(f"is damaged (the number {text[:20]} is too large)")
    return number


def _no_constant(name: str) -> float:
    raise Fault(f"is damaged ({name} is no number)")


def _is_deep(value: Any) -> bool:  # noqa: ANN401  # JSON is any of its types
    level: list[Any] = [[value]]
    for _ in range(MOST_DEEP):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return False
    return True
