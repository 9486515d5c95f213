"""A catalogue that changes after training: new items get a row, retired ones are not recommended.

New items come after all others, so an id never changes its meaning and a stored state stays valid.
A retired item keeps its row: it may stand in histories, and is in no list.

Everything here maps a checkpoint to a new one; the given one stays as it is. How a bundle follows
is `converters.catalogue.update`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from glint_edge.checkpoints.checkpoint import Checkpoint
from glint_edge.data.catalogue import Catalogue
from glint_edge.data.search import require_known
from glint_edge.errors import ConfigError
from glint_edge.model.glint_ru import GlintRU


@dataclass(frozen=True, eq=False)
class NewItem:
    """An item to be added.

    Attributes:
        key: the user's own.
        row: its embedding, float32 [d].
        title: may be empty.
    """

    key: str
    row: Tensor
    title: str = ""


def add_items(checkpoint: Checkpoint, items: Sequence[NewItem]) -> Checkpoint:
    """Append items to a checkpoint's catalogue, in this order.

    Raises:
        ConfigError: there are none, a key is empty, stands twice or is in the catalogue already,
            or a row is not of the model's width, not finite or all zeros.
    """
    catalogue, config = checkpoint.catalogue, checkpoint.model.config
    _check_keys([item.key for item in items], catalogue)
    for item in items:
        _check_row(item, config.d)
    model = GlintRU(replace(config, items=config.items + len(items)))
    weights = checkpoint.model.state_dict()
    rows = torch.stack([item.row for item in items])
    weights["embedding.weight"] = torch.cat([weights["embedding.weight"], rows])
    model.load_state_dict(weights)
    changed = replace(
        catalogue,
        keys=(*catalogue.keys, *(item.key for item in items)),
        titles={**catalogue.titles, **{item.key: item.title for item in items if item.title}},
        added=catalogue.added + len(items),
        version=catalogue.version + 1,
    )
    return _changed(checkpoint, model, changed)


def retire_items(checkpoint: Checkpoint, keys: Sequence[str], *, least: int = 1) -> Checkpoint:
    """Mark items as never to be recommended again.

    Args:
        checkpoint: stays as it is.
        keys: the items.
        least: how many must stay on offer.

    Raises:
        UnknownItemError: a key is not in the catalogue.
        ConfigError: there are none, one is retired already, or too few items stay.
    """
    catalogue = checkpoint.catalogue
    if not keys:
        raise ConfigError("no item was named; pass --item KEY")
    ids_of(catalogue, keys)
    if again := _repeated([*catalogue.retired, *keys]):
        raise ConfigError(f"item {again!r} is retired already; leave it out")
    stay = checkpoint.model.config.items - len(catalogue.retired) - len(keys)
    if stay < least:
        raise ConfigError(
            f"{stay} items would stay on offer, and a list holds {least}; retire fewer"
        )
    model = GlintRU(checkpoint.model.config)
    model.load_state_dict(checkpoint.model.state_dict())
    retired = (*catalogue.retired, *keys)
    changed = replace(catalogue, retired=retired, version=catalogue.version + 1)
    return _changed(checkpoint, model, changed)


def ids_of(catalogue: Catalogue, keys: Iterable[str]) -> list[int]:
    """Ids of keys.

    Raises:
        UnknownItemError: one is not in the catalogue.
    """
    known = {key: number for number, key in enumerate(catalogue.keys) if number}
    keys = list(keys)
    require_known(catalogue, keys)
    return [known[key] for key in keys]


def _check_keys(keys: Sequence[str], catalogue: Catalogue) -> None:
    if not keys:
        raise ConfigError("no item was named; pass --item KEY, or --log FILE")
    if "" in keys:
        raise ConfigError("an item's key is empty; pass --item KEY")
    if again := _repeated([*catalogue.keys, *keys]):
        retired = ", and retired" if again in catalogue.retired else ""
        raise ConfigError(f"item {again!r} is in the catalogue already{retired}; leave it out")


def _check_row(item: NewItem, d: int) -> None:
    if item.row.shape != (d,):
        raise ConfigError(
            f"item {item.key!r} has a vector of {item.row.numel()} numbers, the model's have {d}"
        )
    if not torch.isfinite(item.row).all():
        raise ConfigError(f"the vector of item {item.key!r} has a number that is not finite")
    if not item.row.any():
        raise ConfigError(
            f"the vector of item {item.key!r} is all zeros, which is the unknown item; give another"
        )


def _repeated(keys: Sequence[str]) -> str | None:
    """The first key that stands there a second time."""
    return next((key for key, count in Counter(keys).items() if count > 1), None)


def _changed(checkpoint: Checkpoint, model: GlintRU, catalogue: Catalogue) -> Checkpoint:
    # The figures were measured with the catalogue as it was; of the new one none are known yet.
    model.retired = catalogue.retired_ids()
    return replace(checkpoint, model=model.eval(), catalogue=catalogue, metrics={}, sha256="")
