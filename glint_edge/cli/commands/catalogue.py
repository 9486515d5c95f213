"""`glint-edge catalogue add|retire|describe`: another catalogue, without retraining."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from glint_edge.cli import console, render
from glint_edge.cli.endings import keeping, unwritten
from glint_edge.cli.last_bundle import remember_bundle
from glint_edge.cli.manners import add as add_command
from glint_edge.cli.manners import group
from glint_edge.cli.names import keys
from glint_edge.cli.options import DataOption, Items, Json, Offline, Reading, require_good
from glint_edge.data.items import ItemFile
from glint_edge.data.options import load_options

if TYPE_CHECKING:
    from glint_edge.api import CatalogueChange

Where = Annotated[
    Path,
    typer.Argument(
        metavar="BUNDLE|CHECKPOINT", help="A NAME.glint folder, or one that `train` wrote."
    ),
]
ItemOption = Annotated[
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
    reading: Reading,
    shown: Items,
    where: Where,
    item: ItemOption = None,
    like: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY,…",
            callback=keys,
            help="Known items it is like; its vector is the mean of theirs. A key with a comma "
            "stands in quotes, or the option is given several times, each with one key.",
        ),
    ] = None,
    vector: Annotated[
        Path | None, typer.Option(help="A .npy file with its vector, or one row an --item.")
    ] = None,
    log: Annotated[
        Path | None,
        typer.Option(
            help="Add all new items of this log, each as the mean of the known items that users "
            "had near it."
        ),
    ] = None,
    title: Annotated[
        list[str] | None, typer.Option("--title", help="Its title; in the order of --item.")
    ] = None,
    strength: Annotated[
        float,
        typer.Option(
            help="How long a mean is made, relative to the vectors it is of: more is recommended "
            "more often; 0 leaves it as it comes out, which is rarely ever."
        ),
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
) -> None:
    """Add new items, by what they are like, by given vectors, or all that are new in a log.

    With --items alone, all of that table that are new, or those that --item names: by their fields,
    as training learned them, or else by the words of their titles.
    """
    from glint_edge import api

    with keeping(lambda: unwritten(out)), console.steps() as on_step:
        change = api.add_items(
            where, item or (), titles=title or (), like=like, vectors=vector, log=log,
            strength=strength, within=within, out=out, checkpoint=checkpoint,
            spare_items=spare_items, data=data, offline=offline, on_step=on_step,
            items=ItemFile.of_settings(shown), **reading,
        )  # fmt: skip
    _show(change, json=json)


def retire(
    reading: Reading,
    where: Where,
    item: ItemOption = None,
    out: Out = None,
    checkpoint: FloatModel = None,
    spare_items: SpareItems = SPARE,
    data: DataOption = None,
    offline: Offline = False,
    json: Json = False,
) -> None:
    """Never recommend items again; histories may still hold them, and no id changes."""
    from glint_edge import api

    with keeping(lambda: unwritten(out)), console.steps() as on_step:
        change = api.retire_items(
            where, item or (), out=out, checkpoint=checkpoint, spare_items=spare_items, data=data,
            offline=offline, on_step=on_step,
            reading=load_options(**reading),
        )  # fmt: skip
    _show(change, json=json)


def describe(shown: Items, where: Where, out: Out = None, json: Json = False) -> None:
    """Change what is shown of items: titles, fields and pictures, as --items says."""
    from glint_edge import api

    _show(api.describe_items(where, ItemFile.of_settings(shown), out=out), json=json)


def _show(change: CatalogueChange, *, json: bool) -> None:
    console.show_result(change.to_dict(), render.catalogue(change), json=json)
    if left_out := change.done.get("left_out"):
        shown = ", ".join(left_out[:3]) + (", …" if len(left_out) > 3 else "")
        console.say(f"left out, since nothing known is near them: {shown}")
    if change.bundle is not None:
        remember_bundle(change.bundle.path)
        require_good(change.bundle)


app = group(
    "Add items that came after training, retire items that are to be had no more, and change what "
    "is shown of items, without retraining. What is there stays; the changed bundle or checkpoint "
    "is a new one."
)
add_command(app, add, 'glint-edge catalogue add app.glint --item new --title "New" --like 50,181')
add_command(app, retire, "glint-edge catalogue retire app.glint --item 172 --item 50")
add_command(
    app, describe,
    "glint-edge catalogue describe app.glint --items products.csv --item-field category",
)  # fmt: skip
