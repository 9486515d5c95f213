"""Vectors of items that nobody has tapped: from their fields, and else from their titles' words.

A value of a field that training learned (`FieldVectors`) has a vector; an item's is the mean of its
values'. Where an item has none that is known, a ridge regression from the words of the known items'
titles to their rows predicts one. Either is made as long as the known items' rows are, times a
strength: as with `near_items.mean_of`, a mean is shorter than what it is of. Rows of items that few
tap are the longest, and would push a new item into lists in which it does not belong.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from glint_edge.checkpoints.changes import NewItem
from glint_edge.checkpoints.checkpoint import Checkpoint
from glint_edge.checkpoints.near_items import lengthened
from glint_edge.data.items import ItemFile
from glint_edge.errors import ConfigError, DataError
from glint_edge.tables import counted

WORD = re.compile(r"\w+")
LEAST, MOST = 2, 2_000  # titles that a word stands in, and words, the most frequent ones
RIDGE = 1.0  # penalty of a word's weight, in titles
# An item counts as often as it is tapped, about: by Zipf's law of its popularity's rank. Rows of
# items that few tap say most of all that few tap them, and so would what is predicted of them.
RANK = 20.0
BLOCK = 4_096  # titles at once


def items_of_table(
    checkpoint: Checkpoint,
    items: ItemFile,
    keys: Sequence[str] = (),
    titles: Sequence[str] = (),
    *,
    strength: float,
) -> tuple[list[NewItem], list[str]]:
    """New items of a table, with vectors by their fields or titles.

    Args:
        checkpoint: whose rows they are made of.
        items: the table, as `as_learned` gives it.
        keys: of the new items; none: all of the table that the catalogue does not have.
        titles: in the order of `keys`, in place of the table's.
        strength: as for `near_items.mean_of`.

    Returns:
        The items in the table's order, or in that of `keys`; and the keys of those of which neither
        a field nor a word is known.

    Raises:
        ConfigError: the strength is impossible, or there are titles and no keys.
        DataError: the table cannot be read, has no such item, or nothing is known of any.
    """
    from glint_edge.data.reading.items import read_items  # with polars

    if titles and len(titles) != len(keys):
        raise ConfigError(
            f"{counted(len(titles), 'titles')} for {counted(len(keys), 'items')}; give each --item "
            "its own"
        )
    vectors, catalogue = checkpoint.vectors, checkpoint.catalogue
    learned = vectors.fields if vectors else ()
    rows = read_items(items, keys or None, tuple(dict.fromkeys((*catalogue.fields, *learned))))
    known = frozenset(catalogue.keys)
    new = [*keys] if keys else [key for key in rows.keys if key not in known]
    if not new:
        raise DataError(f"every item of {rows.name} is in the catalogue already")
    if keys and (missing := next((key for key in keys if key not in rows.keys), None)):
        raise DataError(f"{rows.name} has no row of item {missing!r}; add one, or pass --like")
    titled = {**rows.titles, **dict(zip(keys, titles, strict=False))}
    vector_of = vectors.of_items(new, rows.values) if vectors else {}
    others = {k: titled[k] for k in new if k in titled and k not in vector_of}
    vector_of |= rows_of_titles(checkpoint, others)
    if not vector_of:
        raise DataError(
            f"nothing is known of the items of {rows.name}: no value of {_named(learned)}, and no "
            "word of their titles; pass --like or --vector"
        )
    length = _usual_length(checkpoint)
    ordered = [key for key in new if key in vector_of]
    return (
        [
            NewItem(k, lengthened(vector_of[k], length, strength), titled.get(k, ""))
            for k in ordered
        ],
        [key for key in new if key not in vector_of],
    )


def as_learned(items: ItemFile, checkpoint: Checkpoint) -> ItemFile:
    """A table whose fields are separated as those of training, where it says nothing else."""
    if checkpoint.vectors is None or items.separator is not None:
        return items
    return replace(items, separator=checkpoint.vectors.separator)


def _named(fields: Collection[str]) -> str:
    return f"the fields {', '.join(fields)}" if fields else "a field (the model learned none)"


def rows_of_titles(checkpoint: Checkpoint, titles: Mapping[str, str]) -> dict[str, Tensor]:
    """Rows by the words of titles: [d] by key; none of a title without a known word.

    Args:
        checkpoint: the titles and rows of its items are what is learned from.
        titles: of new items, by key.
    """
    catalogue = checkpoint.catalogue
    known = {
        at: words_of(title)
        for at, key in enumerate(catalogue.keys[: len(catalogue.keys) - catalogue.added])
        if (title := catalogue.titles.get(key))
    }
    counts = Counter(word for words in known.values() for word in words)
    usual = [word for word, count in counts.most_common(MOST) if count >= LEAST]
    if not usual or not titles:
        return {}
    number = {word: at for at, word in enumerate(usual)}
    table = checkpoint.model.embedding.weight.detach()[list(known)]
    share = _taps(torch.tensor(list(known)))[:, None]
    mean = (table * share).sum(dim=0) / share.sum()
    words_of_known = [_numbers(words, number) for words in known.values()]
    weights = _ridge(words_of_known, table - mean, share)
    own = {key: _numbers(words_of(title), number) for key, title in titles.items()}
    return {key: weights[numbers].sum(dim=0) + mean for key, numbers in own.items() if numbers}


def words_of(title: str) -> frozenset[str]:
    """The words of a title, each once; so is a year in brackets."""
    return frozenset(WORD.findall(title.casefold()))


def _numbers(words: frozenset[str], number: Mapping[str, int]) -> list[int]:
    return sorted(number[word] for word in words if word in number)


def _ridge(numbers: Sequence[Sequence[int]], rows: Tensor, counts: Tensor) -> Tensor:
    """Weights that give rows best, at a penalty of their squares.

    Args:
        numbers: of each row's words.
        rows: float32 [n, d].
        counts: float32 [n, 1], how much each counts.

    Returns:
        float32 [W, d].
    """
    width = 1 + max(max(own, default=0) for own in numbers)
    products, sums = torch.zeros(width, width), torch.zeros(width, rows.shape[1])
    for start in range(0, len(rows), BLOCK):
        some = numbers[start : start + BLOCK]
        bags = torch.zeros(len(some), width)
        for at, own in enumerate(some):
            bags[at, own] = 1
        counted = bags.T * counts[start : start + BLOCK].T
        products += counted @ bags
        sums += counted @ rows[start : start + BLOCK]
    products += RIDGE * torch.eye(width)
    weights: Tensor = torch.linalg.solve(products.double(), sums.double())
    return weights.float()


def _usual_length(checkpoint: Checkpoint) -> Tensor:
    """How long the rows are that were trained, each as often as its item is tapped: float32 []."""
    catalogue = checkpoint.catalogue
    rows = checkpoint.model.embedding.weight.detach()[1 : len(catalogue.keys) - catalogue.added]
    taps = _taps(torch.arange(1, len(rows) + 1))
    length: Tensor = (rows.norm(dim=1) * taps).sum() / taps.sum()
    return length


def _taps(ids: Tensor) -> Tensor:
    """How often items are tapped, relative to one another; ids are popularity ranks."""
    return RANK / (RANK + ids)
