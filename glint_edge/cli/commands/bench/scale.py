"""`glint-edge bench scale`: how the figures grow."""

from __future__ import annotations

from typing import Annotated

import typer

from glint_edge.bundles.precisions import quantize_help
from glint_edge.cli import console
from glint_edge.cli.commands.bench.output import Destinations, Html, Output
from glint_edge.cli.endings import keeping
from glint_edge.cli.names import numbers, several
from glint_edge.cli.options import Json, Runners, Threads


def scale(
    items: Annotated[
        str, typer.Option(metavar="N,…", help="Catalogues.")
    ] = "1000,10000,100000,1000000",
    widths: Annotated[str, typer.Option(metavar="N,…", help="Widths d.")] = "64,128",
    histories: Annotated[
        str, typer.Option(metavar="N,…", help="Items before a call, and of a cold start.")
    ] = "20,50,200",
    targets: Annotated[
        list[str] | None,
        typer.Option(
            "--targets",
            "--target",
            metavar="NAME,…",
            callback=several,
            help="Such as onnx,tflite.  [default: those installed]",
        ),
    ] = None,
    quantize: Annotated[str, typer.Option(help=quantize_help(fine_tuning=False))] = "int8",
    runner: Runners = None,
    rounds: Annotated[
        int, typer.Option(min=1, help="Processes each artifact is timed in, in turn.")
    ] = 1,
    threads: Threads = 1,
    output: Output = None,
    html: Html = None,
    json: Json = False,
) -> None:
    """How latency, size and memory grow with catalogue, width and history; generated weights.

    Converts an artifact for each target, catalogue and width, as `export` does.
    """
    from glint_edge import api

    destinations = Destinations(output, html, json=json)
    destinations.check()
    with keeping(destinations.kept), console.live() as live:
        run = api.bench_scale(
            items=numbers("items", items), widths=numbers("widths", widths),
            histories=numbers("histories", histories), targets=targets, quantize=quantize,
            runners=runner or ("python",), rounds=rounds, threads=threads,
            on_step=live.on_step, on_rows=live.show, on_partial=destinations.keep,
        )  # fmt: skip
    destinations.take(run)
