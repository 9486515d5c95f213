"""`glint-edge bench`, which is `bench run`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from glint_edge.cli import console
from glint_edge.cli.commands.bench.output import Destinations, Html, Markdown, Output
from glint_edge.cli.endings import keeping
from glint_edge.cli.options import (
    DataOption,
    Json,
    Offline,
    Reading,
    Runners,
    Threads,
    chosen_bundle,
)
from glint_edge.data.options import load_options


def bench(
    reading: Reading,
    bundles: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="BUNDLE …",
            help="One or several, to be seen side by side.  [default: the last one written]",
        ),
    ] = None,
    runner: Runners = None,
    rounds: Annotated[
        int, typer.Option(min=1, help="Processes each row is timed in, in turn with the others.")
    ] = 3,
    compare: Annotated[
        str | None,
        typer.Option(
            help="stock: also what one would do without this tool, on the same weights: torch, "
            "torch.compile, the stock ONNX export (fp32, quantize_dynamic), litert_torch.convert."
        ),
    ] = None,
    data: DataOption = None,
    checkpoint: Annotated[
        Path | None, typer.Option(help="The float model.  [default: the one the manifest names]")
    ] = None,
    threads: Threads = 1,
    profile: Annotated[
        bool, typer.Option("--profile", help="Also show where the time goes, by operator.")
    ] = False,
    offline: Offline = False,
    output: Output = None,
    html: Html = None,
    markdown: Markdown = False,
    json: Json = False,
) -> None:
    """Latency, size, parity and accuracy of each artifact; exit code 1 out of tolerance.

    `bench diff OLD.json NEW.json` compares two runs, `bench report RESULT.json` shows one again,
    `bench scale` shows how the figures grow.
    """
    from glint_edge import api

    destinations = Destinations(output, html, markdown, json)
    destinations.check()
    with keeping(destinations.kept), console.live() as live:
        run = api.bench(
            *(bundles or [chosen_bundle(None)]),
            runners=runner or ("python",), rounds=rounds, compare=compare, data=data,
            checkpoint=checkpoint, threads=threads, profile=profile, offline=offline,
            on_step=live.on_step, on_rows=live.show, on_partial=destinations.keep,
            reading=load_options(**reading),
        )  # fmt: skip
    destinations.take(run)
