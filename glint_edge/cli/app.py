"""The command line: parse, call one function, print one result.

The composition root, with `bench_cli`, `catalogue_cli` and `device_cli`: the only modules that know
the core, `quantization`, `converters` and `device_bench`. Each command imports what it needs when
it runs, so that `--help` is quick.
"""

from __future__ import annotations

import logging
import sys
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from glint_edge.cli import console, render
from glint_edge.cli.bench import app as bench_app
from glint_edge.cli.catalogue import app as catalogue_app
from glint_edge.cli.device import app as device_app
from glint_edge.cli.embed import embed, publish
from glint_edge.cli.evaluate import evaluate
from glint_edge.cli.exchange import import_, pull, push
from glint_edge.cli.options import (
    BundleArgument,
    CheckpointArgument,
    DataOption,
    Json,
    Offline,
    Verbose,
    open_bundle,
    require_good,
)
from glint_edge.cli.train import shard, train, tune
from glint_edge.config import TrainConfig
from glint_edge.errors import CheckFailed, GlintEdgeError, UnknownItemError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from converters.export import Check, ExportOptions, FineTuned
    from glint_edge.bundles.bundle import Artifact, Bundle
    from glint_edge.bundles.golden import Golden
    from glint_edge.checkpoints.checkpoint import Checkpoint
    from glint_edge.data.sequences import HeldOut

log = logging.getLogger("glint_edge")

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="Put a sequential recommender on a phone: train GLINT-RU, quantize it to int8, export it "
    "as a stream, prove it on the device's runtime.",
)


def main() -> None:
    """Run the command line; a known error is one line and its exit code."""
    handler = console.ConsoleHandler()
    handler.setFormatter(logging.Formatter("%(message)s"))
    log.handlers = [handler]
    log.setLevel(logging.INFO)
    try:
        app()
    except GlintEdgeError as error:
        _fail(error, str(error), error.exit_code)
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        _fail(error, f"{error.strerror or error}{where}; free space or choose another place", 2)
    except KeyboardInterrupt as error:
        _fail(error, "stopped", 130)


def _fail(error: BaseException, message: str, code: int) -> None:
    log.debug("the whole story:", exc_info=error)
    console.fail(message)
    sys.exit(code)


def _version(on: bool) -> None:
    if on:
        console.show(f"glint-edge {metadata.version('glint-edge')}")
        raise typer.Exit


app.add_typer(bench_app, name="bench")
app.add_typer(device_app, name="device")
app.add_typer(catalogue_app, name="catalogue")


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    pass


# ---- commands -----------------------------------------------------------------------------------


app.command()(train)
app.command()(shard)
app.command()(tune)
app.command("import")(import_)


app.command()(evaluate)


@app.command()
def export(
    checkpoint: CheckpointArgument = None,
    target: Annotated[
        list[str] | None,
        typer.Option(
            help="executorch, onnx, tflite, or all (`doctor` lists them); may be given several "
            "times.  [default: executorch]"
        ),
    ] = None,
    quantize: Annotated[
        str,
        typer.Option(
            help="none; fp16: weights; int8-table: the item table and scoring alone; int8; "
            "int8-qat: int8 after a few epochs of quantization-aware training."
        ),
    ] = "int8",
    out: Annotated[
        Path | None, typer.Option(help="NAME.glint.  [default: the data's name, in this folder]")
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="The bundle's name.  [default: that of --out]")
    ] = None,
    top_k: Annotated[int, typer.Option(min=1, help="Items that `recommend` returns.")] = 10,
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
    data: DataOption = None,
    offline: Offline = False,
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Quantize, convert, check and write a bundle; exit code 1 if a check fails."""
    from converters.export import ExportOptions, refuse_to_overwrite
    from converters.export import export as run
    from glint_edge.bundles.bundle import SUFFIX
    from glint_edge.checkpoints.checkpoint import DEFAULT_CHECKPOINT
    from glint_edge.cli.last_bundle import remember_bundle
    from glint_edge.data.source import find_test_items, some_histories

    loaded = _checkpoint(checkpoint)
    out = out or Path((name or Path(loaded.data.name).stem) + SUFFIX)
    options = ExportOptions(
        tuple(target or ["executorch"]), quantize, top_k, out, window, opset, name, spare_items
    )
    options.targets()
    options.require_possible_for(loaded.model.config)
    refuse_to_overwrite(options.out)
    test_items = find_test_items(loaded.data, loaded.catalogue, data, offline=offline)
    with console.steps() as on_step:
        bundle = run(
            loaded, options,
            folder=checkpoint or DEFAULT_CHECKPOINT,
            histories=some_histories(test_items, loaded.model.config),
            check=_checker(loaded, test_items, options, on_step),
            fine_tuned=_fine_tuned(loaded, options, data, on_step, offline=offline),
            on_step=on_step,
        )  # fmt: skip
    remember_bundle(options.out)
    if json:
        console.show_json({"bundle": str(bundle.path), **bundle.manifest})
    else:
        console.show(render.bundle(bundle))
    require_good(bundle)


@app.command()
def recommend(
    bundle: BundleArgument = None,
    history: Annotated[str, typer.Option(help="Item keys, oldest first: KEY,KEY,…")] = "",
    window: Annotated[
        str | None,
        typer.Option(help="Of a history longer than the model's: sliding keeps its last items, "
                     "unbounded all.  [default: what the bundle was exported for]"),
    ] = None,
    json: Json = False,
    verbose: Verbose = False,
) -> None:  # fmt: skip
    """What the bundle's artifact recommends after a history."""
    from device_bench.measure.runtimes import load_runtime, recommend_history
    from glint_edge.bundles.bundle import no_history

    loaded = open_bundle(bundle)
    ids = _ids_of(loaded, [key.strip() for key in history.split(",") if key.strip()])
    artifact = loaded.artifacts[0]
    runtime = load_runtime(
        artifact.target, loaded.file(artifact), loaded.config, top_k=loaded.top_k
    )
    items, scores = recommend_history(runtime, ids, loaded.window_of(window))
    keys, titles = loaded.catalogue.keys, loaded.catalogue.titles
    found = [
        {"key": keys[item], "title": titles.get(keys[item], ""), "score": float(score)}
        for item, score in zip(items[0].tolist(), scores[0].tolist(), strict=True)
    ]
    if json:
        console.show_json({"items": found})
        return
    seen = ", ".join(titles.get(keys[item], keys[item]) for item in ids)
    console.show(render.recommendations(seen, found, no_history(loaded.config)))


app.command()(embed)
app.command()(publish)
app.command()(push)
app.command()(pull)


@app.command()
def inspect(bundle: BundleArgument = None, json: Json = False, verbose: Verbose = False) -> None:
    """What a bundle holds: files, methods, the state, each layer's type, bytes and error."""
    loaded = open_bundle(bundle)
    if json:
        console.show_json(loaded.manifest)
        return
    console.show(render.bundle(loaded))
    console.show(render.layers(loaded))


@app.command()
def doctor(json: Json = False, verbose: Verbose = False) -> None:
    """Which targets work here, and what to install for the others; exit code 1 on a conflict."""
    from glint_edge.bundles.target import targets
    from glint_edge.cli.doctor import diagnose

    report = diagnose(targets())
    if json:
        console.show_json(report.to_dict())
    else:
        console.show(render.doctor(report))
    if report.conflicts:
        raise CheckFailed("; ".join(report.conflicts))


# ---- between the layers -------------------------------------------------------------------------


def _checker(
    checkpoint: Checkpoint,
    test_items: HeldOut | None,
    options: ExportOptions,
    on_step: Callable[[str], None],
) -> Check:
    from device_bench.bench import check_artifacts

    def check(artifacts: Sequence[tuple[Artifact, Path]], golden: Golden) -> list[dict[str, Any]]:
        config = checkpoint.model.config
        window = config.max_length if options.window == "sliding" else None
        return check_artifacts(
            artifacts,
            model=checkpoint.model, top_k=options.top_k, window=window, held_out=test_items,
            golden=golden, on_step=on_step,
        )  # fmt: skip

    return check


def _fine_tuned(
    checkpoint: Checkpoint,
    options: ExportOptions,
    data: str | None,
    on_step: Callable[[str], None],
    *,
    offline: bool,
) -> FineTuned | None:
    """The model after quantization-aware training, where it was asked for."""
    if options.quantize != "int8-qat":
        return None
    from converters.export import FineTuned
    from glint_edge.data.source import find_training_data
    from quantization.qat.fine_tune import fine_tune

    sequences = find_training_data(checkpoint.data, checkpoint.catalogue, data, offline=offline)
    on_step("training with int8's rounding inside")
    model, report = fine_tune(checkpoint.model, sequences, checkpoint.training or TrainConfig())
    console.say(
        f"validation NDCG@10: float {report.ndcg_float:.4f}, int8 {report.ndcg_before:.4f}, int8 "
        f"after {report.best_epoch} of {report.epochs} epochs {report.ndcg_after:.4f} "
        f"({report.seconds:.0f} s)"
    )
    return FineTuned(model, report.to_dict())


def _checkpoint(path: Path | None) -> Checkpoint:
    from glint_edge.checkpoints.checkpoint import load_checkpoint

    if path is None:
        console.say("the shipped checkpoint: GLINT-RU on MovieLens-100K")
    return load_checkpoint(path)


def _ids_of(bundle: Bundle, keys: list[str]) -> list[int]:
    known = {key: number for number, key in enumerate(bundle.catalogue.keys) if number}
    if unknown := [key for key in keys if key not in known]:
        raise UnknownItemError(
            f"item {unknown[0]!r} is not in the catalogue of {bundle.name} "
            f"({bundle.config.items} items, see items.json); leave it out"
        )
    return [known[key] for key in keys]
