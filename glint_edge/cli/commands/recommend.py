"""`glint-edge recommend`: what a bundle recommends."""

from __future__ import annotations

from typing import Annotated

import typer

from glint_edge.cli import console
from glint_edge.cli.names import keys
from glint_edge.cli.options import BundleArgument, Json, chosen_bundle


def recommend(
    bundle: BundleArgument = None,
    history: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY,…",
            callback=keys,
            help="Items' keys, oldest first. A key with a comma stands in quotes: "
            """'"Alien, 1979",50'; or the option is given several times, each with one key.""",
        ),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(
            help="Whose artifact: onnx, tflite or executorch.  "
            "[default: the lightest that is here and can be run]"
        ),
    ] = None,
    window: Annotated[
        str | None,
        typer.Option(
            help="Of a history longer than the model's: sliding keeps its last items, unbounded "
            "all.  [default: what the bundle was exported for]"
        ),
    ] = None,
    exclude_seen: Annotated[
        bool | None,
        typer.Option(
            "--exclude-seen/--include-seen",
            help="Leave out the history's own items, or list them too; of what is left out nothing "
            "takes the place.  [default: left out where nobody takes an item again in the log]",
        ),
    ] = None,
    show_fields: Annotated[
        bool, typer.Option("--show-fields", help="Also what else the bundle tells of an item.")
    ] = False,
    json: Json = False,
) -> None:
    """What the bundle's artifact recommends after a history."""
    from glint_edge import api

    items = api.recommend(
        chosen_bundle(bundle), history or (),
        exclude_seen=exclude_seen, target=target, window=window,
    )  # fmt: skip
    listed = [one.to_dict() for one in items]
    table = items.table(fields=show_fields)
    console.show_result({"items": listed}, table, json=json)
