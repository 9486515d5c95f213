"""A JSON Schema as one function that finds a value's first fault.

The few keywords that our schemas use: an application that only runs a bundle has no jsonschema, and
importing that takes longer than all else that reading a bundle does.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

# What is wrong with a value, its place first, as in "[3].file is no text"; None: nothing.
Check: TypeAlias = Callable[[Any], str | None]

TYPES = {
    dict: "object", list: "array", str: "string", bool: "boolean", type(None): "null",
    int: "integer", float: "number",
}  # fmt: skip
# Keywords that say nothing of what is possible.
REMARKS = frozenset({"$schema", "$defs", "title", "description"})


def compiled(schema: Mapping[str, Any]) -> Check:
    """A whole schema as the function that finds a value's first fault."""
    return _compile(schema, schema.get("$defs", {}))


def _compile(schema: Mapping[str, Any], defs: Mapping[str, Any]) -> Check:
    if "$ref" in schema:
        return _compile(defs[schema["$ref"].removeprefix("#/$defs/")], defs)
    makers: Mapping[str, Callable[[], Check]] = {
        "type": lambda: _of_type(schema["type"]),
        "const": lambda: _one_of([schema["const"]]),
        "enum": lambda: _one_of(schema["enum"]),
        "pattern": lambda: _of_pattern(schema["pattern"]),
        "minLength": lambda: _sized(str, schema["minLength"], math.inf, "characters"),
        "maxLength": lambda: _sized(str, 0, schema["maxLength"], "characters"),
        "minItems": lambda: _sized(list, schema["minItems"], math.inf, "values"),
        "maxItems": lambda: _sized(list, 0, schema["maxItems"], "values"),
        "minProperties": lambda: _sized(dict, schema["minProperties"], math.inf, "names"),
        "maxProperties": lambda: _sized(dict, 0, schema["maxProperties"], "names"),
        "minimum": lambda: _bounded(schema["minimum"], math.inf),
        "maximum": lambda: _bounded(-math.inf, schema["maximum"]),
        "required": lambda: _has(schema["required"]),
        "propertyNames": lambda: _named(schema["propertyNames"], defs),
        "items": lambda: _each(_compile(schema["items"], defs)),
        "properties": lambda: _members(schema, defs),
        "additionalProperties": lambda: _members(schema, defs),
    }
    names = [name for name in schema if name not in REMARKS]
    if "properties" in names and "additionalProperties" in names:
        names.remove("additionalProperties")  # one function for both
    return _all([makers[name]() for name in names])


def _all(checks: list[Check]) -> Check:
    def check(value: Any) -> str | None:  # noqa: ANN401  # JSON is any of its types
        for one in checks:
            if (fault := one(value)) is not None:
                return fault
        return None

    return checks[0] if len(checks) == 1 else check


def _of_type(names: str | list[str]) -> Check:
    allowed = {names} if isinstance(names, str) else set(names)
    if "number" in allowed:
        allowed.add("integer")
    kinds = {kind for kind, name in TYPES.items() if name in allowed}
    wanted = " or ".join(sorted(allowed))
    return lambda value: None if type(value) in kinds else f" is not of type {wanted}"


def _one_of(values: Iterable[Any]) -> Check:
    # True is 1 to Python, and not to JSON.
    known = [(type(value), value) for value in values]
    wanted = ", ".join(json.dumps(value) for _, value in known)
    return lambda value: (
        None if (type(value), value) in known else f" is {_short(value)}, not one of {wanted}"
    )


def _of_pattern(pattern: str) -> Check:
    # Python's "$" would let a line end follow.
    whole = re.compile(pattern.removeprefix("^").removesuffix("$"))
    return lambda value: (
        f": {_short(value)} does not match {pattern}"
        if isinstance(value, str) and not whole.fullmatch(value)
        else None
    )


def _sized(kind: Any, least: float, most: float, what: str) -> Check:  # noqa: ANN401  # a type
    return lambda value: (
        f" has {len(value):,} {what}, out of range"
        if isinstance(value, kind) and not least <= len(value) <= most
        else None
    )


def _bounded(least: float, most: float) -> Check:
    return lambda value: (
        f" is {_short(value)}, out of range"
        if type(value) in (int, float) and not least <= value <= most
        else None
    )


def _has(names: Iterable[str]) -> Check:
    def check(value: Any) -> str | None:  # noqa: ANN401  # JSON is any of its types
        if isinstance(value, dict):
            for name in names:
                if name not in value:
                    return f".{name}: it is missing"
        return None

    return check


def _named(schema: Mapping[str, Any], defs: Mapping[str, Any]) -> Check:
    name_check, what = _compile(schema, defs), schema.get("title", "name")

    def check(value: Any) -> str | None:  # noqa: ANN401  # JSON is any of its types
        if isinstance(value, dict):
            for name in value:
                if (fault := name_check(name)) is not None:
                    return f" has a {what} called {_short(name)}{fault}"
        return None

    return check


def _each(item_check: Check) -> Check:
    def check(value: Any) -> str | None:  # noqa: ANN401  # JSON is any of its types
        if isinstance(value, list):
            for number, item in enumerate(value):
                if (fault := item_check(item)) is not None:
                    return f"[{number}]{fault}"
        return None

    return check


def _members(schema: Mapping[str, Any], defs: Mapping[str, Any]) -> Check:
    known = {name: _compile(about, defs) for name, about in schema.get("properties", {}).items()}
    more = schema.get("additionalProperties", True)
    others = _compile(more, defs) if isinstance(more, Mapping) else None

    def check(value: Any) -> str | None:  # noqa: ANN401  # JSON is any of its types
        if not isinstance(value, dict):
            return None
        for name, member in value.items():
            one = known.get(name, others)
            fault = one(member) if one is not None else None
            if fault is None and one is None and more is False:
                fault = " is unknown"
            if fault is not None:
                shown = name[:60] if name.isprintable() else ascii(name[:60])
                return f".{shown}{fault}"
        return None

    return check


def _short(value: Any) -> str:  # noqa: ANN401  # JSON is any of its types
    """A value for a message, on one line."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:59]}…"
