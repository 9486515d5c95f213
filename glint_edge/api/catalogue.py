"""Items that a bundle or a checkpoint knows, and items that come, change and go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from glint_edge.api.arguments import AnyBundle, AnyPath, as_checkpoint
from glint_edge.api.progress import OnStep, shows, silent
from glint_edge.data.items import described, item_file
from glint_edge.data.log import Log
from glint_edge.data.options import load_options
from glint_edge.data.sequencing.splits import LEAVE_ONE_OUT
from glint_edge.errors import ConfigError
from glint_edge.files import require_place
from glint_edge.keys import Key, texts_of_keys

if TYPE_CHECKING:
    from converters.catalogue.change import CatalogueChange
    from glint_edge.checkpoints.checkpoint import Checkpoint
    from glint_edge.data.catalogue import Catalogue
    from glint_edge.data.options import LoadOptions, Reading

SPARE = 100
SHORTEST_LIST = 10  # that a bundle's is cut to as items are retired


def catalogue_of(bundle: AnyBundle | Checkpoint | None) -> Catalogue:
    """What a bundle or a checkpoint knows of its items: their keys, titles and fields."""
    from glint_edge.runtime.app_bundle import read_items
    from glint_edge.runtime.source import bundle_folder

    folder = bundle_folder(bundle)
    if folder is not None:
        return read_items(folder)
    return as_checkpoint(bundle).catalogue  # type: ignore[arg-type]  # a Bundle has a folder


@shows("on_step", "steps")
def add_items(
    where: AnyPath,
    keys: Sequence[Key] = (),
    *,
    titles: Sequence[str] = (),
    like: Sequence[Key] | None = None,
    vectors: AnyPath | None = None,
    log: object = None,
    strength: float = 0.8,
    within: int = 5,
    items: object = None,
    out: AnyPath | None = None,
    checkpoint: AnyPath | None = None,
    spare_items: int = SPARE,
    data: object = None,
    offline: bool = False,
    on_step: OnStep = silent,
    **reading: Unpack[Reading],
) -> CatalogueChange:
    """Add items that came after training: like known ones, by vectors, of a log, or of a table.

    Args:
        where: a bundle's or a checkpoint's folder; it stays as it is.
        keys: the new items'.
        titles: theirs, in the same order.
        like: keys of known items that the one new item is like: its vector is their mean.
        vectors: a .npy file with a row for each of `keys`.
        log: add all new items of this log, each as the mean of the known items near it.
        strength: how long a mean is made, relative to the vectors it is of.
        within: with `log`: so many places in a history are near.
        items: what is shown of the new ones, as for `train`; `titles` come before it. Without
            `like`, `vectors` and `log` also what they are made of: `keys`, or all that the
            catalogue does not have, by their fields, or where none of these is known, by the words
            of their titles.
        out: the new folder; None: NAME.v2, then .v3 …, beside `where`.
        checkpoint: the float model a bundle was made from; None: as its manifest says.
        spare_items: rows to keep free if a bundle must be converted again.
        data: test items are read from here.
        offline: never fetch data.
        on_step: told what is being done.
        reading: how `log` and `data` are read: `user`, `item`, `time` and so on, as for `load_log`;
            the rest as the checkpoint stores it, but `k_core`, which is 0 for `log`.
    """
    from converters.catalogue.change import open_either, write_change
    from device_bench.bench import check_artifacts
    from glint_edge.data.source import read_beside

    _require_out(out)
    ways = sum(way is not None for way in (like, vectors, log))
    if ways > 1 or (ways == 0 and items is None):
        raise ConfigError(
            "say what the new items are like: one of --like, --vector and --log, or --items alone"
        )
    if log is not None and (keys or titles):
        raise ConfigError("--log brings its own items and titles; leave out --item and --title")
    shown = item_file(items)
    bundle, before = open_either(Path(where), Path(checkpoint) if checkpoint else None)
    from glint_edge.checkpoints import changes, near_items  # with torch: after the refusals

    left_out: list[str] = []
    options = load_options(**reading)
    if log is not None:
        # Two items of a user are enough to tell that they are near each other.
        new_log = replace(
            options, k_core=options.k_core or 0, min_length=2,
            split=LEAVE_ONE_OUT, validation=None, test=None,
        )  # fmt: skip
        seen = log if isinstance(log, Log) else read_beside(before.data, log, new_log)
        new, left_out = near_items.items_of_log(
            before, seen.whole, within=within, strength=strength
        )
    elif shown is not None and not ways:
        from glint_edge.checkpoints.new_items import as_learned, items_of_table

        shown = as_learned(shown, before)
        new, left_out = items_of_table(
            before, shown, texts_of_keys(keys), titles, strength=strength
        )
    else:
        rows = near_items.read_rows(Path(vectors)) if vectors is not None else None
        near = texts_of_keys(like) if like is not None else None
        new = near_items.named_items(
            before, texts_of_keys(keys), titles, like=near, vectors=rows, strength=strength
        )
    after = changes.add_items(before, new)
    new_keys = {each.key for each in new}
    catalogue = described(after.catalogue, shown, new_keys)
    named = dict(zip(texts_of_keys(keys), titles, strict=False))
    return write_change(
        Path(where), bundle, before,
        replace(after, catalogue=replace(catalogue, titles={**catalogue.titles, **named})),
        judge=check_artifacts, done={"added": [each.key for each in new], "left_out": left_out},
        out=Path(out) if out else None, spare_items=spare_items, data=data, reading=options,
        offline=offline,
        on_step=on_step,
    )  # fmt: skip


def describe_items(where: AnyPath, items: object, *, out: AnyPath | None = None) -> CatalogueChange:
    """Change what is shown of items; the model, its lists and a bundle's artifacts stay.

    Args:
        where: a bundle's or a checkpoint's folder; it stays as it is.
        items: as for `train`; what it does not name stays as it is.
        out: the new folder; None: NAME.v2, then .v3 …, beside `where`.
    """
    from converters.catalogue.describe import describe

    _require_out(out)
    shown = item_file(items)
    if shown is None:
        raise ConfigError("--items is missing; pass a table with a row an item")
    return describe(Path(where), shown, Path(out) if out else None)


@shows("on_step", "steps")
def retire_items(
    where: AnyPath,
    keys: Sequence[Key],
    *,
    out: AnyPath | None = None,
    checkpoint: AnyPath | None = None,
    spare_items: int = SPARE,
    data: object = None,
    reading: LoadOptions | None = None,
    offline: bool = False,
    on_step: OnStep = silent,
) -> CatalogueChange:
    """Never recommend items again; histories may still hold them, and no id changes.

    Args:
        where: a bundle's or a checkpoint's folder; it stays as it is.
        keys: the items'.
        out: as for `add_items`, and so are the others.
        checkpoint: see there.
        spare_items: see there.
        reading: how `data` is read; None: as the checkpoint stores it, and so for each option.
        data: see there.
        offline: see there.
        on_step: see there.
    """
    from converters.catalogue.change import open_either, write_change
    from device_bench.bench import check_artifacts

    _require_out(out)
    bundle, before = open_either(Path(where), Path(checkpoint) if checkpoint else None)
    from glint_edge.checkpoints.changes import retire_items as retire

    gone, least = texts_of_keys(keys), min(bundle.top_k, SHORTEST_LIST) if bundle else 1
    return write_change(
        Path(where), bundle, before, retire(before, gone, least=least),
        judge=check_artifacts, done={"retired": gone}, out=Path(out) if out else None,
        spare_items=spare_items, data=data, reading=reading,
        offline=offline, on_step=on_step,
    )  # fmt: skip


def _require_out(out: AnyPath | None) -> None:
    if out is not None:
        require_place(Path(out))
