"""`glint-edge export`: from a checkpoint to a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from glint_edge.bundles.precisions import quantize_help
from glint_edge.cli import console, render
from glint_edge.cli.names import several
from glint_edge.cli.options import CheckpointArgument, DataOption, Json, Offline, require_good
from glint_edge.config import TrainConfig

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from converters.export import Check, ExportOptions, FineTuned
    from glint_edge.bundles.bundle import Artifact
    from glint_edge.bundles.golden import Golden
    from glint_edge.checkpoints.checkpoint import Checkpoint
    from glint_edge.data.sequences import HeldOut


def export(
    checkpoint: CheckpointArgument = None,
    target: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME,…",
            callback=several,
            help="executorch, onnx, tflite, or all (`doctor` lists them).  [default: executorch]",
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
    chunk: Annotated[
        int,
        typer.Option(
            min=1,
            help="Most items that one call of `append_many` takes; the more, the quicker a long "
            "history is taken in, and the longer the export.",
        ),
    ] = 25,
    data: DataOption = None,
    offline: Offline = False,
    json: Json = False,
) -> None:
    """Quantize, convert, check and write a bundle; exit code 1 if a check fails."""
    from converters.export import ExportOptions, refuse_to_overwrite
    from converters.export import export as run
    from glint_edge.bundles.manifest import SUFFIX
    from glint_edge.checkpoints.checkpoint import DEFAULT_CHECKPOINT
    from glint_edge.cli.last_bundle import remember_bundle
    from glint_edge.data.source import find_test_items, some_histories

    loaded = _checkpoint(checkpoint)
    out = out or Path((name or Path(loaded.data.name).stem) + SUFFIX)
    options = ExportOptions(
        tuple(target or ["executorch"]), quantize, top_k, out, window, opset, name, spare_items,
        chunk,
    )  # fmt: skip
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
    if not options.fine_tuning:
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
