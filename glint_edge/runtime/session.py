"""One user's session: a state, and the items it was made of."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from glint_edge.bundles.manifest import no_history
from glint_edge.runtime.filters import Filter, seen_left_out
from glint_edge.runtime.session_bytes import pack
from glint_edge.tables import counted

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from glint_edge.keys import Key
    from glint_edge.runtime.recommendation import Recommendations
    from glint_edge.runtime.recommender import Recommender

SHOWN = 20  # items of a history that a list's title names
COUNT = 0  # where in a state the number of its items stands


class Session:
    """Begun by `Recommender.start` or `Recommender.resume`; for one thread at a time.

    Attributes:
        skipped: unknown keys that were left out since it began.
    """

    def __init__(
        self,
        recommender: Recommender,
        ids: list[int],
        state: npt.NDArray[np.float32],
        skipped: int = 0,
    ) -> None:
        self._recommender, self._ids, self._state = recommender, ids, state
        self.skipped = skipped

    @property
    def history(self) -> list[str]:
        """The keys taken in, oldest first: what a session of another bundle is started from."""
        return [self._recommender.bundle.keys[number] for number in self._ids]

    def append(self, item: Key) -> None:
        """Take one more item in. What the user saw before is a session's to remember.

        A state cannot forget its oldest item. Where the window slides, it takes a quarter more
        items than the window has, and is then encoded anew from its last ones: so a tap costs the
        same on average, however long the session is.

        Raises:
            UnknownItemError: the key is not in the catalogue, and those are refused.
            ConfigError: it is neither a text nor a whole number.
        """
        number = self._recommender.id_of(item)
        if number is None:
            self.skipped += 1
            return
        most = self._recommender.bundle.most_held
        if most is not None and self._state[0, COUNT] >= most:
            self._state = self._recommender.encode([*self._ids, number])
        else:
            self._state = self._recommender.step(self._state, number)
        self._ids.append(number)

    def top(
        self,
        k: int | None = 10,
        *,
        exclude_seen: bool | None = None,
        without: Iterable[Key] = (),
        among: Iterable[Key] | None = None,
        where: Mapping[str, str | Sequence[str]] | None = None,
        boost: Mapping[Key, float] | None = None,
        most_per: Mapping[str, int] | None = None,
        neighbours: bool | None = None,
    ) -> Recommendations:
        """The best k items now, best first; fewer only where the filters leave fewer.

        Keys that are not in the catalogue say nothing in a filter: what is in stock may be newer
        than the model.

        Args:
            k: so many, also more than the bundle's top-k, which then is asked several times; None:
                the bundle's top-k.
            exclude_seen: leave out the session's own items, or none of them; None: all of them
                where nobody takes an item again in the log of the training, else the last one.
            without: keys to leave out.
            among: keys to choose from; None: all.
            where: by field, the value, or values of which one must be the item's; an item without
                the field is left out.
            boost: by key, what is added to the item's score, which the list then shows.
            most_per: by field, how many items of one value there may be at most; an item without
                the field counts as of none.
            neighbours: whether the scores of the last items' neighbours gain by it; None: where the
                bundle knows of neighbours.

        Raises:
            ConfigError: k is below 1, or a filter says nothing that can be followed; or neighbours
                are to count, and the bundle knows of none.
        """
        chosen = Filter(without, among, where or {}, boost or {}, most_per or {})
        ask = functools.partial(self._recommender.ranked, self._state)
        seen = seen_left_out(self._ids, exclude_seen, self._recommender.bundle.repeats)
        near = self._ids if self._recommender.uses_neighbours(neighbours) else ()
        return self._recommender.listed(ask, k, chosen, seen, self._title(), neighbours_of=near)

    def _title(self) -> str:
        """What stands over a list."""
        if not self._ids:
            rest = no_history(self._recommender.bundle.config)
            gone = f"none of {counted(self.skipped, 'items')} is in the catalogue"
            return f"{gone if self.skipped else 'no history'}: {rest}"
        titles = self._recommender.bundle.titles
        after = ", ".join(titles.get(key, key) for key in self.history[-SHOWN:])
        before = len(self._ids) - SHOWN
        more = f"{counted(before, 'items')}, then " if before > 0 else ""
        return f"after {more}{after}"

    def save(self) -> bytes:
        """The session as bytes, for `Recommender.resume` with the same bundle.

        Where the window slides, items before it are kept as seen, each once.
        """
        bundle = self._recommender.bundle
        expert = 0 if bundle.neighbours is None else bundle.neighbours.last
        ids = self._ids
        if bundle.window is not None:
            ids = _that_count(ids, max(bundle.window, expert))
        return pack(bundle.digest, self._state[0], ids)


def _that_count(ids: list[int], window: int) -> list[int]:
    """The last items, which a state is made of, and before them each other item once, as seen."""
    last = ids[-window:]
    before = dict.fromkeys(reversed(ids[: len(ids) - len(last)]))
    held = frozenset(last)
    return [*reversed([number for number in before if number not in held]), *last]
