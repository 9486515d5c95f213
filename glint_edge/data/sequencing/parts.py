"""Which of each user's items are trained on, validated on and tested on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ids = npt.NDArray[np.int64]

NONE = -1  # the place of an item that there is not


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """Which of each user's items are trained, validated and tested on; places are from 0.

    Attributes:
        learnt: int64 [U], so many of a user's first items are trained on.
        validation: int64 [U], the place of the item that is predicted from those before it, or -1.
        test: int64 [U], the same.
    """

    learnt: Ids
    validation: Ids
    test: Ids

    @classmethod
    def leave_one_out(cls, lengths: Ids) -> Parts:
        """The last item is for the test, the one before for validation; int64 [U] lengths."""
        return cls(lengths - 2, lengths - 2, lengths - 1)

    @classmethod
    def cut(cls, counts: Ids, *, alone: bool = False, validated: bool = True) -> Parts:
        """The first item after a cut is predicted from all before the cut.

        Args:
            counts: int64 [U, 3], a user's items before the first cut, between the cuts, and after.
            alone: where nothing is before the cut, the last item after it is predicted from those
                between; else nothing is.
            validated: there is a first cut; else the last item before the other is validated on.
        """
        before, between, after = counts.T
        known = before + between
        validation = np.where((before > 0) & (between > 0), before, NONE)
        test = np.where((known > 0) & (after > 0), known, NONE)
        if alone:
            validation = np.where((before == 0) & (between > 1), between - 1, validation)
            test = np.where((known == 0) & (after > 1), after - 1, test)
        if not validated:
            validation = np.where(before > 1, before - 1, NONE)
            before = before - (before > 1)
        return cls(before, validation, test)

    def census(self) -> tuple[int, int, int]:
        """How many users are in no part, are validated on, and are tested on."""
        validated, tested = self.validation != NONE, self.test != NONE
        idle = (self.learnt == 0) & ~validated & ~tested
        return int(idle.sum()), int(validated.sum()), int(tested.sum())
