"""The objects of a JSON file: one a line, or a list of them; and what lies in their objects."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl

from glint_edge.data.reading.text import head_of, not_utf8, opened
from glint_edge.errors import DataError

INSIDE = "."  # between the keys of an object in an object
UNNAMED = {'"', "\\"}  # in a step of a path
DEEPEST = 5  # keys of a column
MOST_LISTED = 256 << 20  # bytes of a list, which is taken into memory whole

Keys = tuple[str, ...]

_SPACE = re.compile(r"[ \t\n\r]*")  # that JSON allows between values


class Pairs(list[tuple[str, Any]]):
    """A JSON object, with the keys that are there twice."""

    @property
    def twice(self) -> list[str]:
        """Those."""
        names = [name for name, _ in self]
        return [name for name in dict.fromkeys(names) if names.count(name) > 1]

    def leaves(self, before: Keys = ()) -> Iterator[tuple[Keys, Any]]:
        """What is no object, by its keys from here on."""
        for name, value in self:
            keys = (*before, name)
            if not isinstance(value, Pairs):
                yield keys, value
            elif len(keys) < DEEPEST:
                yield from value.leaves(keys)


@dataclass(frozen=True)
class Objects:
    """A file's objects.

    Attributes:
        path: of the file.
    """

    path: Path

    def __iter__(self) -> Iterator[tuple[int, Pairs]]:
        """Each, with the line it is in, or its number in the list.

        Raises:
            DataError: the file is no JSON, or holds something else.
        """
        if self.listed:
            yield from ((number, pairs) for number, pairs, _ in self._of_list())
        else:
            yield from self._of_lines()

    @cached_property
    def listed(self) -> bool:
        """Whether the file is one list."""
        return head_of(self.path).startswith("[")

    @property
    def source(self) -> Path | bytes:
        """What polars is to read as lines: the file, or other bytes where it is none as it is."""
        if self.listed:
            # JSON has no line breaks in its texts, only between its values.
            return "\n".join(text.replace("\n", " ") for _, _, text in self._of_list()).encode()
        with opened(self.path) as file:
            data = file.read(3)
            if data == b"\xef\xbb\xbf":  # a byte order mark
                return file.read()
            is_pattern = set("*?[") & set(str(self.path))
            return data + file.read() if is_pattern else self.path

    def where(self, row: int) -> str:
        """Where an object stands, counted from 0."""
        try:
            number, _ = next(islice(self, row, None))
        except (StopIteration, DataError):  # polars is more lenient
            return f"row {row + 1}"
        return self._place(number)

    def _place(self, number: int) -> str:
        return f"{'object' if self.listed else 'line'} {number}"

    def _of_lines(self) -> Iterator[tuple[int, Pairs]]:
        with opened(self.path) as file:
            for number, line in enumerate(file, 1):
                text = line.decode("utf-8-sig", errors="replace").strip()
                if not text:
                    continue
                try:
                    value = _one(text)
                except ValueError as error:
                    wrong = f"{text[:30]!r} is no JSON by itself ({error})"
                    raise DataError(
                        f"{self.path}, line {number}: {wrong}; write an object a line, as jq -c . "
                        "does, or a CSV"
                    ) from error
                yield number, self._object(number, value)

    def _of_list(self) -> Iterator[tuple[int, Pairs, str]]:
        """Each, with its number and as it is written."""
        if self.path.stat().st_size > MOST_LISTED:
            raise DataError(
                f"{self.path} is one list of JSON, too long to be taken into memory; write an "
                "object a line, as jq -c '.[]' does"
            )
        try:
            with opened(self.path) as file:
                text = file.read().decode("utf-8-sig")
            for number, (value, start, end) in enumerate(_values(text), 1):
                yield number, self._object(number, value), text[start:end]
        except UnicodeDecodeError as error:
            raise not_utf8(self.path) or error from error
        except ValueError as error:
            raise DataError(f"{self.path} is no JSON ({error}); correct it there") from error

    def _object(self, number: int, value: object) -> Pairs:
        if not isinstance(value, Pairs):
            raise DataError(
                f"{self.path}, {self._place(number)} is no JSON object; write an object a line, or "
                "a CSV"
            )
        return value


_DECODER = json.JSONDecoder(object_pairs_hook=Pairs)


def _decoded(text: str, start: int) -> tuple[Any, int]:
    """The value that begins there, and where it ends."""
    try:
        return _DECODER.raw_decode(text, start)
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error


def _one(text: str) -> Any:  # noqa: ANN401  # any JSON
    value, end = _decoded(text, 0)
    _require_rest(text, end, "")
    return value


def _values(text: str) -> Iterator[tuple[Any, int, int]]:
    """The values of a list, one after the other, and where each begins and ends."""
    start = _after_space(text, text.index("[") + 1)
    more = not text.startswith("]", start)
    while more:
        value, end = _decoded(text, start)
        yield value, start, end
        start = _after_space(text, end)
        if more := text.startswith(",", start):
            start = _after_space(text, start + 1)
    _require_rest(text, start, "]")


def _require_rest(text: str, at: int, rest: str) -> None:
    if text[at:].strip() != rest:
        raise json.JSONDecodeError("Expecting its end", text, at)


def _after_space(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    assert match is not None, "it matches no space, too"
    return match.end()


def named(objects: list[Pairs]) -> dict[str, Keys]:
    """The columns of some objects, and by which keys each is reached: `user.id`.

    What lies below a key that a path of JSON cannot name is none.
    """
    columns: dict[str, Keys] = {}
    for keys in (keys for pairs in objects for keys, _ in pairs.leaves()):
        name = INSIDE.join(keys)
        if not _is_path(keys):
            continue
        if name not in columns or len(keys) < len(columns[name]):  # a key with a point in it
            columns[name] = keys
    return columns


def listed(objects: list[Pairs]) -> dict[str, Place]:
    """The columns in lists of some objects: `items.item_id`, or `items` of plain values."""
    columns: dict[str, Place] = {}
    for keys, values in (leaf for pairs in objects for leaf in pairs.leaves()):
        for value in values if isinstance(values, list) and _is_path(keys) else ():
            inner = [each for each, _ in value.leaves()] if isinstance(value, Pairs) else [()]
            for each in inner:
                columns.setdefault(INSIDE.join((*keys, *each)), Place(keys, each))
    return columns


def _is_path(keys: Keys) -> bool:
    """Whether a path of JSON can name these keys, the first of which is a column's."""
    return all(key.isprintable() and not set(key) & UNNAMED for key in keys[1:])


@dataclass(frozen=True)
class Place:
    """Where in an object the values of a column lie.

    Attributes:
        keys: on the way to a value, or to a list of them.
        each: on the way from a list's object to a value, none where it is a list of plain values;
            None: there is no list.
    """

    keys: Keys
    each: Keys | None = None

    def values(self, pairs: Pairs) -> list[Any]:
        """What an object has there: one value, which may be None, or those of a list."""
        value = _value(pairs, self.keys)
        if self.each is None or not isinstance(value, list):
            return [value]
        return [_value(one, self.each) for one in value]

    def texts(self) -> pl.Expr:
        """The same as text, or lists of texts, of rows whose objects are texts of JSON.

        Where others have a list, one plain value is a list of itself; an object counts as missing.
        """
        first, *others = self.keys
        text = pl.col(first)
        if others:
            steps = "".join(f'["{key}"]' for key in others)
            text = text.str.json_path_match(f"${steps}")
        if self.each is None:
            return text
        each = pl.element()
        dtype: pl.DataType = pl.String()
        for key in self.each:
            each = each.struct.field(key)
        for key in reversed(self.each):
            dtype = pl.Struct({key: dtype})
        is_list = text.str.starts_with("[")
        values = pl.when(is_list).then(text).str.json_decode(pl.List(dtype))
        alone = pl.lit(None) if self.each else text
        return pl.when(is_list).then(values.list.eval(each)).otherwise(pl.concat_list(alone))


def _value(value: Any, keys: Keys) -> Any:  # noqa: ANN401  # of any type
    """What an object, or one in it, has; None where there is none."""
    for key in keys:
        value = dict(value).get(key) if isinstance(value, Pairs) else None
    return value
