"""`glint-edge catalogue add|retire`: another catalogue, without retraining."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from glint_edge.cli import console, render
from glint_edge.cli.manners import add as add_command
from glint_edge.cli.manners import group
from glint_edge.cli.names import keys
from glint_edge.cli.options import DataOption, Json, Offline, Reading, load_options, require_good
from glint_edge.errors import BundleError, ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from converters.export import Check
    from glint_edge.bundles.bundle import Artifact, Bundle
    from glint_edge.bundles.golden import Golden
    from glint_edge.checkpoints.changes import NewItem
    from glint_edge.checkpoints.checkpoint import Checkpoint
    from glint_edge.data.sequences import HeldOut

Where = Annotated[
    Path, typer.Argument(metavar="BUNDLE|CHECKPOINT", help="A NAME.glint folder, or one that "
                         "`train` wrote.")
]  # fmt: skip
Items = Annotated[
    list[str] | None, typer.Option("--item", help="An item's key; may be given several times.")
]
Out = Annotated[
    Path | None, typer.Option(help="The new folder.  [default: NAME.v2, then .v3 …, beside it]")
]
FloatModel = Annotated[
    Path | None,
    typer.Option(help="The checkpoint that the bundle was made from.  [default: as it says]"),
]
SpareItems = Annotated[
    int, typer.Option(min=0, help="Rows to keep free if a bundle must be converted again.")
]
SPARE = 100


def add(
    where: Where,
    reading: Reading,
    item: Items = None,
    like: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY,…", callback=keys,
                     help="Known items it is like; its vector is the mean of theirs. Given several "
                     "times, each is one key."),
    ] = None,
    vector: Annotated[
        Path | None, typer.Option(help="A .npy file with its vector, or one row an --item.")
    ] = None,
    log: Annotated[
        Path | None,
        typer.Option(help="Add all new items of this log, each as the mean of the known items "
                     "that users had near it."),
    ] = None,
    title: Annotated[
        list[str] | None, typer.Option("--title", help="Its title; in the order of --item.")
    ] = None,
    strength: Annotated[
        float,
        typer.Option(help="How long a mean is made, relative to the vectors it is of: more is "
                     "recommended more often; 0 leaves it as it comes out, which is rarely ever."),
    ] = 0.8,
    within: Annotated[
        int, typer.Option(min=1, help="With --log: so many places in a history are near.")
    ] = 5,
    out: Out = None,
    checkpoint: FloatModel = None,
    spare_items: SpareItems = SPARE,
    data: DataOption = None,
    offline: Offline = False,
    json: Json = False,
) -> None:  # fmt: skip
    """Add new items, by what they are like, by given vectors, or all that are new in a log."""
    from glint_edge.checkpoints.changes import add_items, items_of_log
    from glint_edge.data.source import read_beside

    if sum(given is not None for given in (like, vector, log)) != 1:
        raise ConfigError("say what the new items are like: one of --like, --vector and --log")
    if log is not None and (item or title):
        raise ConfigError("--log brings its own items and titles; leave out --item and --title")
    bundle, before = _opened(where, checkpoint)
    left_out: list[str] = []
    if log is not None:
        how = load_options(**reading)
        # Two items of a user are enough to tell that they are near each other.
        how = replace(how, k_core=how.k_core or 0, min_length=2)
        seen = read_beside(before.data, log, how).whole
        new, left_out = items_of_log(before, seen, within=within, strength=strength)
    else:
        new = _named_items(before, item or [], title or [], like, vector, strength)
    after = add_items(before, new)
    _write(
        where, out, bundle, before, after, spare_items, data,
        changes={"added": [each.key for each in new], "left_out": left_out},
        offline=offline, json=json,
    )  # fmt: skip
    if left_out:
        shown = ", ".join(left_out[:3]) + (", …" if len(left_out) > 3 else "")
        console.say(f"left out, since no known item is near them in the log: {shown}")


def retire(
    where: Where,
    item: Items = None,
    out: Out = None,
    checkpoint: FloatModel = None,
    spare_items: SpareItems = SPARE,
    data: DataOption = None,
    offline: Offline = False,
    json: Json = False,
) -> None:
    """Never recommend items again; histories may still hold them, and no id changes."""
    from glint_edge.checkpoints.changes import retire_items

    bundle, before = _opened(where, checkpoint)
    after = retire_items(before, item or [], least=bundle.top_k if bundle else 1)
    _write(
        where, out, bundle, before, after, spare_items, data,
        changes={"retired": item or []}, offline=offline, json=json,
    )  # fmt: skip


def _named_items(
    checkpoint: Checkpoint,
    keys: Sequence[str],
    titles: Sequence[str],
    like: Sequence[str] | None,
    vector: Path | None,
    strength: float,
) -> list[NewItem]:
    """The items of --item, with rows by --like or --vector."""
    from glint_edge.checkpoints.changes import NewItem, mean_of, read_rows

    if not keys:
        raise ConfigError("no item was named; pass --item KEY")
    if titles and len(titles) != len(keys):
        raise ConfigError(f"{len(titles)} titles for {len(keys)} items; give each --item its own")
    if like is not None:
        if len(keys) > 1:
            raise ConfigError("--like tells of one item; add the others in calls of their own")
        rows = mean_of(checkpoint, like, strength)[None]
    else:
        assert vector is not None  # the caller saw to it that one of the two is given
        rows = read_rows(vector)
    if len(rows) != len(keys):
        raise ConfigError(f"{vector} holds {len(rows)} vectors for {len(keys)} items")
    return [
        NewItem(key, row, title)
        for key, row, title in zip(keys, rows, titles or [""] * len(keys), strict=True)
    ]


def _opened(where: Path, checkpoint: Path | None) -> tuple[Bundle | None, Checkpoint]:
    """A bundle and its float model; or no bundle and a checkpoint."""
    from glint_edge.bundles.bundle import load_bundle
    from glint_edge.bundles.manifest import MANIFEST, SUFFIX
    from glint_edge.checkpoints.checkpoint import load_checkpoint
    from glint_edge.checkpoints.of_bundle import find_checkpoint

    if where.suffix != SUFFIX and not (where / MANIFEST).is_file():
        if checkpoint is not None:
            raise ConfigError(f"{where} is a checkpoint itself; leave out --checkpoint")
        return None, load_checkpoint(where)
    bundle = load_bundle(where)
    found = find_checkpoint(bundle, checkpoint)
    if found is None:
        raise BundleError(
            f"the float model that {where} was made from is not at hand, and new rows are made and "
            "checked with it; pass its folder by --checkpoint"
        )
    return bundle, found


def _write(
    where: Path,
    out: Path | None,
    bundle: Bundle | None,
    before: Checkpoint,
    after: Checkpoint,
    spare_items: int,
    data: str | None,
    *,
    changes: dict[str, Any],
    offline: bool,
    json: bool,
) -> None:
    """Write the changed checkpoint, and the bundle if it is about one, all or nothing."""
    version = after.catalogue.version
    path = out or where.with_name(f"{_plain(where)}.v{version}{where.suffix if bundle else ''}")
    if path.exists() and (out is None or bundle is None):
        raise ConfigError(f"{path} exists; change that one, remove it, or choose another --out")
    result: dict[str, Any] = {**changes, "version": version}
    if bundle is None:
        _save(after, path)
        result["checkpoint"] = str(path)
        if not json:
            items = after.model.config.items
            offered = items - len(after.catalogue.retired)
            console.show(
                f"{path}: catalogue version {version}, {items:,} items, {offered:,} offered"
            )
    else:
        made, folder, converted = _update(bundle, before, after, path, spare_items, data, offline)
        changed = made.manifest["catalogue"]
        result |= {
            "bundle": str(path), "checkpoint": str(folder), "converted": converted,
            "spare": changed["spare"], "checks": made.manifest["checks"],
        }  # fmt: skip
        if not json:
            console.show(render.bundle(made))
    if json:
        console.show_json(result)
    if bundle is not None:
        require_good(made)


def _update(
    bundle: Bundle,
    before: Checkpoint,
    after: Checkpoint,
    out: Path,
    spare_items: int,
    data: str | None,
    offline: bool,
) -> tuple[Bundle, Path, bool]:
    """The new bundle, the new checkpoint's folder beside it, whether files were converted."""
    from converters.catalogue.update import options_of, spare_after, update
    from converters.export import refuse_to_overwrite
    from glint_edge.checkpoints.checkpoint import CONFIG, load_checkpoint, save_checkpoint
    from glint_edge.cli.last_bundle import remember_bundle
    from glint_edge.data.source import find_test_items, some_histories
    from glint_edge.files import new_folder

    folder = out.with_name(f"{_plain(out)}.v{after.catalogue.version}.checkpoint")
    if folder.exists() and not (folder / CONFIG).is_file():
        raise ConfigError(
            f"{folder} exists and is no checkpoint; remove it, or choose another --out"
        )
    options_of(bundle, out, spare_items)
    refuse_to_overwrite(out)
    converted = spare_after(bundle, after) is None
    if converted:
        console.say(
            f"{bundle.path} has too few spare rows: converting again, with {spare_items} spare"
        )
    test_items = find_test_items(after.data, after.catalogue, data, offline=offline)
    with console.steps() as on_step, new_folder(folder) as work:
        save_checkpoint(after, work)
        made = update(
            bundle, before, load_checkpoint(work), out,
            folder=folder,
            histories=some_histories(test_items, after.model.config),
            check=_checker(after, bundle, test_items, on_step),
            spare_items=spare_items,
            on_step=on_step,
        )  # fmt: skip
    remember_bundle(out)
    return made, folder, converted


def _checker(
    after: Checkpoint,
    bundle: Bundle,
    test_items: HeldOut | None,
    on_step: Callable[[str], None],
) -> Check:
    from device_bench.bench import check_artifacts

    def check(artifacts: Sequence[tuple[Artifact, Path]], golden: Golden) -> list[dict[str, Any]]:
        return check_artifacts(
            artifacts, model=after.model, top_k=bundle.top_k, window=bundle.window,
            held_out=test_items, golden=golden, on_step=on_step,
        )  # fmt: skip

    return check


def _save(checkpoint: Checkpoint, folder: Path) -> None:
    from glint_edge.checkpoints.checkpoint import save_checkpoint
    from glint_edge.files import new_folder

    with new_folder(folder) as work:
        save_checkpoint(checkpoint, work)


def _plain(path: Path) -> str:
    """A folder's name without suffix and version: app.v2.glint → app."""
    name = path.name.removesuffix(".glint").removesuffix(".checkpoint")
    return re.sub(r"\.v\d+$", "", name)


app = group(
    "Add items that came after training, and retire items that are to be had no more, without "
    "retraining. What is there stays; the changed bundle or checkpoint is a new one."
)
add_command(app, add, 'glint-edge catalogue add app.glint --item new --title "New" --like 50,181')
add_command(app, retire, "glint-edge catalogue retire app.glint --item 172 --item 50")
