"""`glint-edge export`: from a checkpoint to a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from glint_edge.bundles.precisions import quantize_help
from glint_edge.cli import console, render
from glint_edge.cli.endings import keeping, unwritten
from glint_edge.cli.last_bundle import remember_bundle
from glint_edge.cli.names import several
from glint_edge.cli.options import (
    CheckpointArgument,
    DataOption,
    Items,
    Json,
    Offline,
    Reading,
    require_good,
)
from glint_edge.data.items import ItemFile
from glint_edge.data.options import load_options
from glint_edge.model.state import CHUNK


def export(
    reading: Reading,
    shown: Items,
    checkpoint: CheckpointArgument = None,
    target: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME,…",
            callback=several,
            help="executorch, onnx, tflite, c, or all (see `doctor`).  [default: executorch]",
        ),
    ] = None,
    quantize: Annotated[
        str,
        typer.Option(help=quantize_help()),
    ] = "int8",
    out: Annotated[
        Path | None, typer.Option(help="NAME.glint.  [default: the data's name, in this folder]")
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="The bundle's name.  [default: that of --out]")
    ] = None,
    top_k: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Items that one call of `recommend` returns; longer lists take several.  "
            "[default: 50, or all there are]",
        ),
    ] = None,
    window: Annotated[
        str,
        typer.Option(
            help="What the app does when a session is longer than the model was trained for: "
            "sliding (encode its last items again) or unbounded (keep all)."
        ),
    ] = "sliding",
    opset: Annotated[int | None, typer.Option(help="The ONNX operator set.")] = None,
    spare_items: Annotated[
        int | None,
        typer.Option(
            help="Rows to keep free, which `catalogue add` fills without converting again; 0: "
            "items can be retired so, not added.  [default: the files' catalogue is fixed]"
        ),
    ] = None,
    chunk: Annotated[
        int,
        typer.Option(
            min=1,
            help="Most items that one call of `append_many` takes; the more, the quicker a long "
            "history is taken in, and the longer the export.",
        ),
    ] = CHUNK,
    neighbours: Annotated[
        int | None,
        typer.Option(
            metavar="NUMBER",
            help="Count so many neighbours of each item in the data, and keep them where they "
            "help; 0: none.  [default: those of the checkpoint]",
        ),
    ] = None,
    data: DataOption = None,
    offline: Offline = False,
    json: Json = False,
) -> None:
    """Quantize, convert, check and write a bundle; exit code 1 if a check fails."""
    from glint_edge import api

    with keeping(lambda: unwritten(out)), console.steps() as on_step:
        bundle = api.export(
            checkpoint, out,
            targets=target or ("executorch",), quantize=quantize, name=name, top_k=top_k,
            window=window, opset=opset, spare_items=spare_items, chunk=chunk,
            neighbours=neighbours, data=data, offline=offline, on_step=on_step,
            reading=load_options(**reading), items=ItemFile.of_settings(shown),
        )  # fmt: skip
    remember_bundle(bundle.path)
    console.show_result(
        {"bundle": str(bundle.path), **bundle.manifest}, render.bundle(bundle), json=json
    )
    require_good(bundle)
