"""What may stand in a list: filters, as one number a row that is added to its score.

Every filter is one bias (`glint_edge.model.stream_methods.Recommend`), so a list is exact however
much is left out. Where a list is longer than the artifact's own, or must not hold too many of a
kind, the artifact is asked again, without what was taken.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from glint_edge.data.catalogue import Catalogue
from glint_edge.data.neighbours import Pulls
from glint_edge.data.record import nobody_repeats
from glint_edge.errors import ConfigError
from glint_edge.keys import Key, shown, text_of_key, texts_of_keys
from glint_edge.model.state import LEFT_OUT, NOTHING_LEFT
from glint_edge.suggestions import one_of

MOST_BOOST = 1e6  # float32 still tells scores apart that differ by a tenth beside it

Bias: TypeAlias = npt.NDArray[np.float32]
Numbers: TypeAlias = npt.NDArray[np.int64]
History = TypeVar("History", list[int], npt.NDArray[np.int64])
# Items int64 [1, k], best first, and their scores float32 [1, k], with a bias or none.
Ask: TypeAlias = Callable[["Bias | None"], tuple[Numbers, npt.NDArray[np.float32]]]


@dataclass(frozen=True)
class Filter:
    """What a list may hold; without any word, everything.

    Attributes:
        without: keys to leave out. Here and in the next two, keys that are not in the catalogue say
            nothing: what is in stock may be newer than the model.
        among: keys, of which alone the list is made; None: all.
        boost: what is added to the score of a key, at most a million up or down.
        where: by field, the value, or values of which one must be the item's.
        most_per: by field, how many items of one value there may be at most.

    Raises:
        ConfigError: a value is none of these.
    """

    without: Iterable[Key] = ()
    among: Iterable[Key] | None = None
    where: Mapping[str, str | Sequence[str]] = field(default_factory=dict)
    boost: Mapping[Key, float] = field(default_factory=dict)
    most_per: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("where", "boost", "most_per"):
            if not isinstance(words := getattr(self, name), Mapping):
                raise ConfigError(f"{name} is a mapping, such as {{...: ...}}, not {shown(words)}")
        set_to = object.__setattr__
        set_to(self, "without", tuple(texts_of_keys(self.without)))
        if self.among is not None:
            set_to(self, "among", tuple(texts_of_keys(self.among)))
        set_to(self, "where", {name: _values(name, of) for name, of in self.where.items()})
        set_to(self, "boost", {text_of_key(key): _push(key, by) for key, by in self.boost.items()})
        for name, most in self.most_per.items():
            if isinstance(most, bool) or not isinstance(most, int) or most < 1:
                raise ConfigError(f"most_per[{name!r}] is at least 1, not {shown(most)}")


def _values(name: str, values: str | Sequence[str]) -> tuple[str, ...]:
    several = (values,) if isinstance(values, str) else tuple(values)
    if not all(isinstance(value, str) for value in several):
        raise ConfigError(f"where[{name!r}] is a text or several, not {shown(values)}")
    return several


def _push(key: Key, by: float) -> float:
    if not (isinstance(by, int | float) and math.isfinite(by) and abs(by) <= MOST_BOOST):
        raise ConfigError(
            f"boost[{key!r}] is a number from {-MOST_BOOST:,.0f} to {MOST_BOOST:,.0f}, "
            f"not {shown(by)}"
        )
    return float(by)


class Rows:
    """The rows of a bundle's table by their items' keys, and by the values of fields.

    Attributes:
        id_of: the row of a key.
    """

    def __init__(self, catalogue: Catalogue, rows: int) -> None:
        self.id_of = {key: number for number, key in enumerate(catalogue.keys) if number}
        self._fields, self._rows = catalogue.fields, rows
        self._codes: dict[str, tuple[npt.NDArray[np.int32], dict[str, int]]] = {}

    def of(self, keys: Iterable[str]) -> list[int]:
        """The rows of those keys that are in the catalogue."""
        return [self.id_of[key] for key in keys if key in self.id_of]

    def no_bias(self) -> Bias:
        """Zeros float32 [1, rows]."""
        return np.zeros((1, self._rows), dtype=np.float32)

    def codes(self, name: str) -> tuple[npt.NDArray[np.int32], Mapping[str, int]]:
        """A field as a number by row, −1 where the item has none; and the number of each value.

        Raises:
            ConfigError: no item has the field.
        """
        if name not in self._fields:
            known = one_of(name, self._fields, "the fields are")
            rest = known or "this bundle has no fields"
            raise ConfigError(f"no item has the field {name!r}; {rest}")
        if name not in self._codes:
            number_of: dict[str, int] = {}
            codes = np.full(self._rows, -1, dtype=np.int32)
            for key, value in self._fields[name].items():
                if key in self.id_of:
                    codes[self.id_of[key]] = number_of.setdefault(value, len(number_of))
            self._codes[name] = codes, number_of
        return self._codes[name]


class _Quota:
    """At most so many items of each value of a field."""

    def __init__(self, codes: npt.NDArray[np.int32], most: int) -> None:
        self.codes, self._most, self._taken = codes, most, dict[int, int]()

    def is_full(self, item: int) -> bool:
        return self._taken.get(int(self.codes[item]), 0) >= self._most

    def take(self, item: int) -> None:
        if (code := int(self.codes[item])) >= 0:
            self._taken[code] = self._taken.get(code, 0) + 1

    def full_rows(self) -> npt.NDArray[np.bool_]:
        full = [code for code, taken in self._taken.items() if taken >= self._most]
        return np.isin(self.codes, full)


def wants_neighbours(choice: bool | None, there: object, target: str) -> bool:
    """Whether a list is made with neighbours; None: where there are some.

    Args:
        choice: what is asked for.
        there: the neighbours; None: there are none.
        target: whose they would be; "torch" is a checkpoint's.

    Raises:
        ConfigError: it is to be, and there are none.
    """
    if not (choice is None or isinstance(choice, bool)):
        raise ConfigError(f"neighbours is true, false or None, not {shown(choice)}")
    if choice and there is None:
        what, way = ("checkpoint", "train") if target == "torch" else ("bundle", "export")
        raise ConfigError(f"this {what} has no neighbours; {way} it with --neighbours 32")
    return there is not None if choice is None else choice


def seen_left_out(history: History, exclude_seen: bool | None, repeats: float | None) -> History:
    """The part of a history that a list leaves out.

    Args:
        history: ids, oldest first.
        exclude_seen: all of them, or none; None: all where nobody takes an item again in the log,
            else the last one alone, which the user has just tapped.
        repeats: share of that log's targets that repeat an item; None: not known.
    """
    if exclude_seen is None and not nobody_repeats(repeats):
        return history[-1:]
    return history if exclude_seen is None or exclude_seen else history[:0]


def best(
    ask: Ask,
    rows: Rows,
    k: int,
    chosen: Filter,
    left_out: Iterable[int],
    pulls: Pulls | None = None,
) -> list[tuple[int, float]]:
    """The k best items and their scores, best first; fewer where no more are left.

    Args:
        ask: the artifact's own list. It never holds an item whose bias leaves it out.
        rows: of the table.
        k: at least 1; also more than the artifact's own list has.
        chosen: the filter.
        left_out: ids to leave out beside it.
        pulls: what neighbours add to scores.

    Raises:
        ConfigError: no item has a field of the filter.
    """
    quotas = [_Quota(rows.codes(name)[0], most) for name, most in chosen.most_per.items()]
    bias = bias_of(rows, chosen, left_out, pulls)
    if chosen.among is not None and not rows.of(map(str, chosen.among)):
        return []
    taken: list[tuple[int, float]] = []
    while True:
        items, scores = ask(bias)
        on_offer = scores[0] > NOTHING_LEFT
        ranked = zip(items[0][on_offer].tolist(), scores[0][on_offer].tolist(), strict=True)
        for item, score in ranked:
            if any(quota.is_full(item) for quota in quotas):
                continue
            taken.append((item, score))
            for quota in quotas:
                quota.take(item)
            if len(taken) == k:
                return taken
        if not on_offer.all():
            return taken
        bias = rows.no_bias() if bias is None else bias
        bias[0, [item for item, _ in taken]] = LEFT_OUT
        for quota in quotas:
            bias[0, quota.full_rows()] = LEFT_OUT


def bias_of(
    rows: Rows,
    chosen: Filter,
    left_out: Iterable[int],
    pulls: Pulls | None = None,
) -> Bias | None:
    """What is added to the rows' scores: float32 [1, rows]; None: nothing.

    What the filter leaves out stays so, whatever its score gains.

    Raises:
        ConfigError: no item has a field of the filter.
    """
    out = [*left_out, *rows.of(map(str, chosen.without))]
    pulled = pulls is not None and len(pulls.items) > 0
    if not (out or pulled or chosen.among is not None or chosen.where or chosen.boost):
        return None
    bias = rows.no_bias()
    if pulls is not None:
        bias[0, pulls.items] = pulls.gains
    for key, by in chosen.boost.items():
        if (number := rows.id_of.get(str(key))) is not None:
            bias[0, number] += by
    if chosen.among is not None:
        stays = np.zeros(bias.shape[1], dtype=bool)
        stays[rows.of(map(str, chosen.among))] = True
        bias[0, ~stays] = LEFT_OUT
    for name, values in chosen.where.items():
        codes, number_of = rows.codes(name)
        wanted = [number_of[value] for value in values if value in number_of]
        bias[0, ~np.isin(codes, wanted)] = LEFT_OUT
    bias[0, out] = LEFT_OUT
    return bias
