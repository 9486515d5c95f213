"""`glint-edge bench`, which is `bench run`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from glint_edge.cli import console
from glint_edge.cli.commands.bench.output import (
    Html,
    Markdown,
    Output,
    make_folders,
    one_for_stdout,
    show_markdown,
    write_html,
)
from glint_edge.cli.options import (
    DataOption,
    Json,
    Offline,
    Runners,
    Threads,
    held_out_of,
    open_bundle,
)
from glint_edge.errors import CheckFailed, ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from device_bench.bench import Settings
    from device_bench.judge.rows import BenchResult
    from glint_edge.bundles.bundle import Bundle

STOCK = "stock"  # what --compare takes


def bench(
    bundles: Annotated[
        list[Path] | None,
        typer.Argument(
            help="One or several, to be seen side by side.  [default: the last one written]"
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

    `bench diff OLD.json NEW.json` compares two runs; `bench report RESULT.json` shows one again.
    """
    from device_bench.bench import Settings
    from device_bench.document import document, write_document
    from device_bench.reports.terminal import render
    from device_bench.runners.runner import find_runner

    one_for_stdout(json, markdown)
    make_folders(output, html)
    if compare not in (None, STOCK):
        raise ConfigError(f"--compare {compare!r} is unknown; it takes {STOCK}")
    runners = tuple(map(find_runner, runner or ["python"]))
    settings = Settings(
        threads, rounds, runners=runners, profile=profile, stock=compare == STOCK
    )  # fmt: skip
    paths: Sequence[Path | None] = bundles or [None]
    results = [
        _bench_one(open_bundle(path), checkpoint, data, settings, offline=offline) for path in paths
    ]
    found = document(results, settings, sys.argv)
    if output is not None:
        write_document(found, output)
    if html is not None:
        write_html(found, html)
    if json:
        console.show_json(found)
    elif markdown:
        show_markdown(found)
    else:
        console.show(render(found))
    if failures := [f"{r.name}: {failure}" for r in results for failure in r.failures]:
        raise CheckFailed("; ".join(failures))


def _bench_one(
    bundle: Bundle, checkpoint: Path | None, data: str | None, settings: Settings, *, offline: bool
) -> BenchResult:
    from device_bench.bench import bench as run
    from device_bench.reports.terminal import render_rows
    from glint_edge.checkpoints.of_bundle import find_checkpoint

    floats = find_checkpoint(bundle, checkpoint)
    if settings.stock and floats is None:
        raise ConfigError(
            f"--compare {STOCK} exports the float model again, which is not at hand; "
            "pass --checkpoint"
        )
    held_out = held_out_of(floats, data, offline=offline)
    with console.live() as live:
        return run(
            bundle, checkpoint=floats, held_out=held_out, settings=settings,
            on_step=live.on_step, on_rows=lambda rows: live.show(render_rows(bundle.name, rows)),
        )  # fmt: skip
