"""`glint-edge bench`, and `bench diff` and `bench report` beside it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from glint_edge.cli import console
from glint_edge.cli.options import (
    DataOption,
    Json,
    Offline,
    Threads,
    Verbose,
    held_out_of,
    open_bundle,
)  # fmt: skip
from glint_edge.errors import CheckFailed, ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from device_bench.bench import Settings
    from device_bench.judge.diff import Change
    from device_bench.judge.rows import BenchResult
    from glint_edge.bundles.bundle import Bundle
    from glint_edge.bundles.target import Target

DEFAULT = "run"
STOCK = "stock"  # what --compare takes

Html = Annotated[Path | None, typer.Option(help="Also write the results as one HTML page.")]
Markdown = Annotated[
    bool, typer.Option("--markdown", help="Print a table for a pull request instead.")
]


class _RunByDefault(TyperGroup):
    """`bench BUNDLE` is `bench run BUNDLE`: what is no sub-command's name is for `run`."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        """Put the default's name before what is for it."""
        if not args or args[0] not in self.commands:
            args = [DEFAULT, *args]
        return super().parse_args(ctx, args)


app = typer.Typer(cls=_RunByDefault, rich_markup_mode="markdown", add_completion=False,
                  help="Latency, size, parity and accuracy of each artifact.")  # fmt: skip


@app.command(DEFAULT)
def bench(
    bundles: Annotated[
        list[Path] | None,
        typer.Argument(
            help="One or several, to be seen side by side.  [default: the last one written]"
        ),
    ] = None,
    runner: Annotated[
        list[str] | None,
        typer.Option(
            help="Where to run: python, native, arm64, ssh:HOST, adb[:SERIAL]; give it several "
            "times for several.  [default: python]"
        ),
    ] = None,
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
    output: Annotated[Path | None, typer.Option(help="Also write the results as JSON.")] = None,
    html: Html = None,
    markdown: Markdown = False,
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Latency, size, parity and accuracy of each artifact; exit code 1 out of tolerance.

    `bench diff OLD.json NEW.json` compares two runs; `bench report RESULT.json` shows one again.
    """
    from device_bench.bench import Settings
    from device_bench.document import document, write_document
    from device_bench.reports.terminal import render
    from device_bench.runners.runner import find_runner

    _one_for_stdout(json, markdown)
    _make_folders(output, html)
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
        _write_html(found, html)
    if json:
        console.show_json(found)
    elif markdown:
        _show_markdown(found)
    else:
        console.show(render(results))
    if failures := [f"{r.name}: {failure}" for r in results for failure in r.failures]:
        raise CheckFailed("; ".join(failures))


@app.command("report")
def report(
    result: Annotated[Path, typer.Argument(help="What `bench --output` wrote.")],
    html: Html = None,
    markdown: Markdown = False,
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Show a run again: as an HTML page, or as Markdown, which is also what no option gives."""
    from device_bench.document import read_document

    _one_for_stdout(json, markdown)
    found = read_document(result)
    if html is not None:
        _write_html(found, html)
    if json:
        console.show_json(found)
    elif markdown or html is None:
        _show_markdown(found)


def _one_for_stdout(json: bool, markdown: bool) -> None:
    if json and markdown:
        raise ConfigError("--json and --markdown are both for stdout; give one of them")


def _write_html(document: dict[str, Any], path: Path) -> None:
    from device_bench.reports.html import write_html

    write_html(document, path)
    console.say(f"wrote {path}")


def _show_markdown(document: dict[str, Any]) -> None:
    from device_bench.reports.markdown import markdown

    console.show_text(markdown(document))


def _make_folders(*files: Path | None) -> None:
    """Refuse before minutes of work what could not be written after them."""
    for file in files:
        if file is None:
            continue
        if file.is_dir():
            raise ConfigError(f"cannot write {file}: it is a folder; name a file in it")
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(
                f"cannot write {file}: {error.strerror}; name another place"
            ) from error


@app.command("scale")
def scale(
    items: Annotated[str, typer.Option(help="Catalogues.")] = "1000,10000,100000,1000000",
    widths: Annotated[str, typer.Option(help="Widths d.")] = "64,128",
    histories: Annotated[
        str, typer.Option(help="Items before a call, and of a cold start.")
    ] = "20,50,200",
    targets: Annotated[
        str | None, typer.Option(help="Such as onnx,tflite.  [default: those installed]")
    ] = None,
    quantize: Annotated[str, typer.Option(help="none, fp16, int8-table or int8.")] = "int8",
    runner: Annotated[
        list[str] | None, typer.Option(help="As for `bench`.  [default: python]")
    ] = None,
    rounds: Annotated[
        int, typer.Option(min=1, help="Processes each artifact is timed in, in turn.")
    ] = 1,
    threads: Threads = 1,
    output: Annotated[Path | None, typer.Option(help="Also write the results as JSON.")] = None,
    html: Html = None,
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """How latency, size and memory grow with catalogue, width and history; generated weights.

    Converts an artifact for each target, catalogue and width, as `export` does.
    """
    from converters.generated import make
    from device_bench.document import scale_document, write_document
    from device_bench.reports.terminal import render_scale, render_scale_rows
    from device_bench.runners.runner import find_runner
    from device_bench.scale import Scale
    from device_bench.scale import scale as run

    _make_folders(output, html)
    precision = "fp32" if quantize == "none" else quantize
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
        _write_html(found, html)
    if json:
        console.show_json(found)
    else:
        console.show(render_scale(result))
    if result.failures:
        raise CheckFailed("; ".join(result.failures))


def _numbers(option: str, text: str) -> list[int]:
    try:
        return sorted({int(part) for part in text.split(",") if part.strip()})
    except ValueError as error:
        raise ConfigError(f"--{option} {text!r} is no list of whole numbers: 50,200") from error


def _targets(named: str | None, precision: str) -> list[Target]:
    """Those named, or those installed that have the precision."""
    from glint_edge.bundles.target import find_target, missing, targets

    known = sorted({each for target in targets().values() for each in target.precisions})
    if precision not in known:
        raise ConfigError(f"--quantize {precision!r} is unknown; choose one of none, "
                          f"{', '.join(name for name in known if name != 'fp32')}")  # fmt: skip
    if named is None:
        return [
            target
            for target in targets().values()
            if precision in target.precisions
            and not missing([*target.convert_packages, *target.load_packages])
        ]
    found = [find_target(name.strip(), "convert") for name in named.split(",") if name.strip()]
    for target in found:
        find_target(target.name, "load")
        if precision not in target.precisions:
            raise ConfigError(
                f"{target.name} has no {precision}, it has {', '.join(target.precisions)}"
            )
    return found


@app.command("diff")
def diff(
    old: Annotated[Path, typer.Argument(help="What `bench --output` wrote before.")],
    new: Annotated[Path, typer.Argument(help="What it wrote now.")],
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Compare two runs; exit code 1 if something is worse beyond the noise."""
    from device_bench.document import read_document
    from device_bench.judge.diff import diff as compare
    from device_bench.reports.terminal import render_diff

    found = compare(read_document(old), read_document(new))
    if json:
        console.show_json(found.to_dict())
    else:
        console.show(render_diff(found))
    if worse := found.regressions:
        raise CheckFailed("; ".join(f"{c.row}: {c.figure} {c.why or _times(c)}" for c in worse))


def _times(change: Change) -> str:
    return f"is {change.ratio:.2f} times what it was"


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
