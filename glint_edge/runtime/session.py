"""One user's session: a state, and the items it was made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glint_edge.bundles.manifest import no_history
from glint_edge.runtime.session_bytes import pack

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from glint_edge.keys import Key
    from glint_edge.runtime.recommendation import Recommendations
    from glint_edge.runtime.recommender import Recommender

SHOWN = 20  # items of a history that a list's title names


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

        A session longer than a sliding window is encoded again, from its last items.

        Raises:
            UnknownItemError: the key is not in the catalogue, and those are refused.
            ConfigError: it is neither a text nor a whole number.
        """
        number = self._recommender.id_of(item)
        if number is None:
            self.skipped += 1
            return
        window = self._recommender.bundle.window
        if window is not None and len(self._ids) >= window:
            self._state = self._recommender.encode([*self._ids[-window:], number])
        else:
            self._state = self._recommender.step(self._state, number)
        self._ids.append(number)

    def top(self, k: int | None = 10, *, exclude_seen: bool | None = None) -> Recommendations:
        """The best k items now, best first.

        Args:
            k: up to the bundle's top-k; None: so many.
            exclude_seen: leave out the session's own items; None: where nobody takes an item again
                in the log of the training (`AppBundle.excludes_seen`). Fewer than k may be left of
                what the artifact returns: export with a `--top-k` as much larger as histories are
                long.

        Raises:
            ConfigError: the artifact returns fewer than k items.
        """
        if exclude_seen is None:
            exclude_seen = self._recommender.bundle.excludes_seen
        seen = frozenset(self._ids) if exclude_seen else frozenset()
        titles = self._recommender.bundle.titles
        after = ", ".join(titles.get(key, key) for key in self.history[-SHOWN:])
        more = f"{len(self._ids) - SHOWN} items, then " if len(self._ids) > SHOWN else ""
        title = f"after {more}{after}" if after else self._nothing_known()
        return self._recommender.top(self._state, k, seen, title)

    def _nothing_known(self) -> str:
        """What stands over a list after a history of which nothing is left; "" if there is none."""
        if not self.skipped:
            return ""
        rest = no_history(self._recommender.bundle.config)
        return f"none of {self.skipped:,} items is in the catalogue: {rest}"

    def save(self) -> bytes:
        """The session as bytes, for `Recommender.resume` with the same bundle."""
        return pack(self._recommender.bundle.digest, self._state[0], self._ids)
