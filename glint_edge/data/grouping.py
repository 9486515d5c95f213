"""Which fields group items; the others, such as a price, are shown only. Imports no numpy.

A field whose values are nearly all rare teaches nothing, and is no filter for a person: it is no
feature of training, no figure of `evaluate`, and the pages offer no filter by it. Whoever names it
in a filter may still use it. The pages have the same rule (`filters.ts` and its like).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from glint_edge.data.features import Values

# Items that have a value, on the average over a field's values: many an author has one book alone.
# Numbers, such as prices, are rarely groups; years and the ids of categories are.
LEAST = 1.5
LEAST_OF_NUMBERS = 5


def groups(values: Iterable[str]) -> bool:
    """Whether a field groups items.

    Args:
        values: of the field, of one item after another.
    """
    counts = Counter(values)
    numbers = sum(map(_is_number, counts))
    least = LEAST_OF_NUMBERS if 2 * numbers > len(counts) else LEAST
    return counts.total() >= least * len(counts)


def grouping(values: Values) -> Values:
    """Those of some fields that group items."""
    return {
        name: of
        for name, of in values.items()
        if groups(value for own in of.values() for value in own)
    }


def shown_only(values: Values, fields: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Which fields group no items, a sentence each.

    Args:
        values: of a table of items.
        fields: as they are shown now, of items that the table does not have, too.
    """
    learned = grouping(values)
    return [
        f"{name}: {len(set(of.values())):,} values of {len(of):,} items: shown with the items; not "
        "learned, no filter"
        for name in values
        if name not in learned and not groups((of := fields[name]).values())
    ]


def _is_number(value: str) -> bool:
    """Whether it begins with a digit, and has no more letters: "36,95 EUR", not "A1"."""
    digits = sum(map(str.isdecimal, value))
    first = next(filter(str.isalnum, value), "")
    return first.isdecimal() and digits >= sum(map(str.isalpha, value))
