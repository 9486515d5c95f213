"""`glint-edge bench scale`: how the figures grow."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from glint_edge.bundles.precisions import precision_of, quantize_help
from glint_edge.cli import console
from glint_edge.cli.commands.bench.output import Html, Output, make_folders, write_html
from glint_edge.cli.options import Json, Runners, Threads
from glint_edge.errors import CheckFailed, ConfigError

if TYPE_CHECKING:
    from glint_edge.bundles.target import Target


def scale(
    items: Annotated[str, typer.Option(help="Catalogues.")] = "1000,10000,100000,1000000",
    widths: Annotated[str, typer.Option(help="Widths d.")] = "64,128",
    histories: Annotated[
        str, typer.Option(help="Items before a call, and of a cold start.")
    ] = "20,50,200",
    targets: Annotated[
        str | None, typer.Option(help="Such as onnx,tflite.  [default: those installed]")
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
    from converters.generated import make
    from device_bench.document import scale_document, write_document
    from device_bench.reports.terminal import render, render_scale_rows
    from device_bench.runners.runner import find_runner
    from device_bench.scale import Scale
    from device_bench.scale import scale as run

    make_folders(output, html)
    precision = precision_of(quantize, fine_tuning=False)
    asked = Scale(
        _targets(targets, precision), _numbers("items", items), _numbers("widths", widths),
        _numbers("histories", histories), precision,
        tuple(map(find_runner, runner or ["python"])), threads, rounds,
    )  # fmt: skip
    console.say(f"about {asked.seconds() / 60:.0f} minutes on two cores that do nothing else")
    with console.live() as live:
        result = run(
            asked, make,
            on_step=live.on_step, on_rows=lambda rows: live.show(render_scale_rows(rows)),
        )  # fmt: skip
    found = scale_document(result, asked, sys.argv)
    if output is not None:
        write_document(found, output)
    if html is not None:
        write_html(found, html)
    if json:
        console.show_json(found)
    else:
        console.show(render(found))
    if result.failures:
        raise CheckFailed("; ".join(result.failures))


def _numbers(option: str, text: str) -> list[int]:
    try:
        return sorted({int(part) for part in text.split(",") if part.strip()})
    except ValueError as error:
        raise ConfigError(f"--{option} {text!r} is no list of whole numbers: 50,200") from error


def _targets(named: str | None, precision: str) -> list[Target]:
    """Those named, or those installed that have the precision."""
    from converters.targets import find_target, targets
    from glint_edge.extras import missing
    from glint_edge.runtime.engines import engines, find_engine

    if named is None:
        return [
            target
            for target in targets().values()
            if precision in target.precisions
            and target.name in engines()
            and not missing([*target.convert_packages, *engines()[target.name].packages])
        ]
    found = [find_target(name.strip()) for name in named.split(",") if name.strip()]
    for target in found:
        find_engine(target.name)
        if precision not in target.precisions:
            raise ConfigError(
                f"{target.name} has no {precision}, it has {', '.join(target.precisions)}"
            )
    return found
