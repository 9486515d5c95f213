"""What a lever is: one declaration, of which flags, `run.toml`, search and docs are made.

    class TrainConfig:
        l2: float = lever(0.0, help="Penalty …", high=10.0, panel="Against overfitting")

The declaration is the field's metadata: `levers_of(TrainConfig)["l2"]`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass, field, fields, replace
from functools import cache
from typing import Any, ClassVar, TypeAlias, TypeVar

from glint_edge.errors import ConfigError
from glint_edge.suggestions import did_you_mean, near, one_of

Setting: TypeAlias = float | int | str

T = TypeVar("T", bound="Levers")

_KINDS: dict[str, type] = {"int": int, "float": float, "bool": bool, "str": str}


@dataclass(frozen=True)
class Between:
    """To search: any number from `low` to `high`.

    Attributes:
        by_log: its logarithm is drawn evenly, in place of its size.
    """

    low: float
    high: float
    by_log: bool = False

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g}{', by its logarithm' if self.by_log else ''}"


@dataclass(frozen=True)
class OneOf:
    """To search: a few values."""

    values: tuple[Setting, ...]

    def __str__(self) -> str:
        return ", ".join(map(str, self.values))


@dataclass(frozen=True, kw_only=True)
class Lever:
    """A setting of a model or of its training.

    Attributes:
        help: what it does, in a sentence or two.
        panel: under which heading `--help`, `run.toml` and the docs list it; "": nobody sets it.
        low: the lowest value.
        high: the highest value; None is none.
        ends: whether `low` and `high` themselves are possible: "[" and "]", or not: "(" and ")".
        choices: the possible texts.
        search: where `tune` looks.
        usual: `tune` searches it unless levers are named.
        also: a second name of its flag.
        name: of the field.
        kind: int, float, bool or str.
        default: None where there is none.
    """

    help: str
    panel: str = ""
    low: float = 0
    high: float | None = None
    ends: str = "[)"
    choices: tuple[str, ...] = ()
    search: Between | OneOf | None = None
    usual: bool = False
    also: str = ""
    name: str = ""
    kind: type = object
    default: Setting | None = None

    @property
    def flag(self) -> str:
        """As the command line has it, without the dashes in front."""
        return self.name.replace("_", "-")

    @property
    def range(self) -> str:
        """The possible values, to read."""
        if self.kind is bool:
            return "true or false"
        if self.choices:
            return ", ".join(self.choices)
        if self.high is None:
            return f"≥ {self.low:g}"
        least = ("≥" if self.ends[0] == "[" else ">") + f" {self.low:g}"
        most = ("≤" if self.ends[1] == "]" else "<") + f" {self.high:g}"
        return f"{least}, {most}"

    def check(self, value: object) -> None:
        """Refuse an impossible value.

        Raises:
            ConfigError: it is of another type, or out of range.
        """
        if self._holds(value):
            return
        if self.kind is int:
            what = f"a whole number ≥ {self.low:g}"
        elif self.kind is float:
            what = f"a number in {self.ends[0]}{float(self.low)}, {self.high}{self.ends[1]}"
        else:
            what = f"one of {self.range}" if self.choices else self.range
        meant = near(value, self.choices) if isinstance(value, str) else ()
        hint = did_you_mean(meant, "")
        raise ConfigError(f"{self.name} must be {what}, not {value!r}{hint and f'; {hint}'}")

    def _holds(self, value: object) -> bool:
        if self.kind is str:
            return value in self.choices
        # bool is an int to Python; `"d": true` in a JSON file is a mistake, not a 1
        if self.kind is bool or isinstance(value, bool):
            return self.kind is bool and isinstance(value, bool)
        # The type is the condition of the comparison: NaN, None and "3" fail one or the other.
        if not isinstance(value, (int, float) if self.kind is float else int):
            return False
        above = value >= self.low if self.ends[0] == "[" else value > self.low
        if self.high is None:
            return above
        return above and (value <= self.high if self.ends[1] == "]" else value < self.high)


def lever(default: Any = MISSING, **about: Any) -> Any:  # noqa: ANN401  # as dataclasses.field
    """A dataclass field that is a lever; `about`: the attributes of `Lever`."""
    return field(default=default, metadata={"lever": Lever(**about)})


@cache
def levers_of(config: type) -> dict[str, Lever]:
    """The levers of a dataclass by name, in its order."""
    return {
        f.name: replace(
            f.metadata["lever"],
            name=f.name,
            kind=_KINDS[str(f.type)],
            default=None if f.default is MISSING else f.default,
        )
        for f in fields(config)
    }


def refuse_unknown(what: str, names: Iterable[str], known: Iterable[str]) -> None:
    """Refuse a name that is not known, and say which are near it.

    Raises:
        ConfigError: one of `names` is not among `known`.
    """
    known = list(known)
    for name in names:
        if name not in known:
            raise ConfigError(f"{what} {name!r} is unknown; {one_of(name, known)}")


class Levers:
    """A dataclass of levers: its values are checked once, and are to and from a plain dict.

    Unknown or missing keys of that are refused by name.

    Attributes:
        BEFORE: settings that were stored once there was a choice, and what was done before.
        GONE: settings that are stored no more.
    """

    BEFORE: ClassVar[Mapping[str, Setting]] = {}
    GONE: ClassVar[frozenset[str]] = frozenset()

    def __post_init__(self) -> None:
        for name, about in levers_of(type(self)).items():  # type: ignore[arg-type]  # mypy takes a class for one of its objects
            about.check(getattr(self, name))

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON-ready values."""
        return {field.name: getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]  # every subclass is a dataclass

    @classmethod
    def from_dict(cls: type[T], values: Mapping[str, Any]) -> T:
        """Build from stored values.

        Raises:
            ConfigError: a key is unknown, missing, or has an impossible value.
        """
        known = {field.name for field in fields(cls)}  # type: ignore[arg-type]  # a dataclass
        values = {n: v for n, v in {**cls.BEFORE, **values}.items() if n not in cls.GONE}
        if unknown := sorted(set(values) - known):
            raise ConfigError(
                f"unknown setting {unknown[0]!r} in a stored {cls.__name__}; "
                "it was written by a newer glint-edge: upgrade this one"
            )
        # Today's default may not be what the file was written with.
        if missing := sorted(known - set(values)):
            raise ConfigError(f"a stored {cls.__name__} is incomplete: it has no {missing[0]!r}")
        return cls(**values)
