"""A checkpoint to a bundle."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glint_edge.api.arguments import AnyCheckpoint, AnyPath, as_checkpoint, several
from glint_edge.api.progress import OnStep, shows, silent
from glint_edge.data.items import described, item_file
from glint_edge.errors import CheckpointError, DataError
from glint_edge.files import require_place
from glint_edge.model.state import CHUNK

if TYPE_CHECKING:
    from converters.export import Check, FineTuned
    from converters.options import ExportOptions
    from glint_edge.bundles.bundle import Artifact, Bundle
    from glint_edge.bundles.golden import Golden
    from glint_edge.checkpoints.checkpoint import Checkpoint
    from glint_edge.data.neighbours import Neighbours
    from glint_edge.data.options import LoadOptions
    from glint_edge.data.sequences import HeldOut, Split
    from glint_edge.data.sharded.shards import ShardedLog

log = logging.getLogger(__name__)


@shows("on_step", "steps")
def export(
    checkpoint: AnyCheckpoint = None,
    out: AnyPath | None = None,
    *,
    targets: Sequence[str] = ("executorch",),
    quantize: str = "int8",
    name: str | None = None,
    top_k: int | None = None,
    window: str = "sliding",
    opset: int | None = None,
    spare_items: int | None = None,
    chunk: int = CHUNK,
    neighbours: int | None = None,
    data: object = None,
    reading: LoadOptions | None = None,
    items: object = None,
    offline: bool = False,
    on_step: OnStep = silent,
) -> Bundle:
    """Quantize, convert, check and write a bundle; a failed check is in the manifest's `checks`.

    Args:
        checkpoint: loaded, or its folder; None: the shipped one.
        out: NAME.glint; None: the data's name, in this folder.
        targets: "executorch", "onnx", "tflite", "c"; or "all".
        quantize: "none", "fp16", "int8-table", "int8" or "int8-qat".
        name: the bundle's; None: that of `out`.
        top_k: items that `recommend` returns at once; None: 50, or as many as are on offer.
        window: "sliding" or "unbounded": what a session longer than the model's N does.
        opset: the ONNX operator set.
        spare_items: rows to keep free for items to come; None: the catalogue is fixed.
        chunk: most items that one call of `append_many` takes.
        neighbours: so many of each item are counted in the data anew, and kept where they help; 0:
            the bundle has none; None: those of the checkpoint.
        data: what `load_log` takes or returned, for the positions that the files are judged by;
            None: what the model was trained on.
        reading: how it is read; None: as the checkpoint stores it, and so for each option.
        items: as for `train`; None: what the checkpoint has.
        offline: never fetch data.
        on_step: told what is being done.

    Raises:
        ConfigError: an option is impossible, or `out` is in the way.
        MissingExtraError: a target's toolchain is not installed.
        ConversionError: the toolchain failed.
    """
    from converters.options import ExportOptions, refuse_to_overwrite
    from glint_edge.bundles.manifest import SUFFIX, plain_name
    from glint_edge.data.prefixes import prefixes
    from glint_edge.data.source import find_split, some_histories

    # Before the model is read, which takes seconds: all that can be refused without it.
    folder = Path(out or f"{name or 'model'}{SUFFIX}")
    options = ExportOptions(
        several(targets), quantize, top_k, folder, window, opset, name, spare_items, chunk
    )
    options.targets()
    shown = item_file(items)
    if out or name:
        refuse_to_overwrite(folder)
    require_place(folder)
    loaded = as_checkpoint(checkpoint)
    if loaded.folder is None:
        raise CheckpointError("a bundle names its checkpoint's folder; save_checkpoint it first")
    if not (out or name):
        options = replace(options, out=Path(plain_name(Path(loaded.data.name).stem) + SUFFIX))
    options.require_possible_for(loaded.model.config)
    refuse_to_overwrite(options.out)
    source = loaded.folder
    loaded = replace(loaded, catalogue=described(loaded.catalogue, shown))
    from converters.export import export as run

    parts = find_split(loaded.data, loaded.catalogue, data, reading, offline=offline)
    known = parts.validation() if parts else None
    if neighbours is not None:
        loaded = replace(loaded, neighbours=_neighbours(loaded, parts, neighbours, on_step))
    return run(
        loaded, options,
        folder=source,
        probes=some_histories(known, loaded.model.config) if known else None,
        check=_check(
            loaded, prefixes(known, loaded.model.config.max_length) if known else None, options,
            on_step,
        ),
        fine_tuned=_fine_tuned(loaded, options, data, reading, on_step, offline=offline),
        on_step=on_step,
    )  # fmt: skip


def _check(
    checkpoint: Checkpoint, positions: HeldOut | None, options: ExportOptions, on_step: OnStep
) -> Check:
    from device_bench.bench import check_artifacts

    def check(artifacts: Sequence[tuple[Artifact, Path]], golden: Golden) -> list[dict[str, Any]]:
        model = checkpoint.model
        return check_artifacts(
            artifacts, model=model, top_k=options.top_k_for(model),
            window=model.config.window_items(options.window), held_out=positions,
            golden=golden, catalogue=checkpoint.catalogue, spare_items=options.spare_items,
            neighbours=checkpoint.neighbours, on_step=on_step,
        )  # fmt: skip

    return check


def _neighbours(
    checkpoint: Checkpoint, parts: Split | ShardedLog | None, k: int, on_step: OnStep
) -> Neighbours | None:
    """The k neighbours of each item, counted anew; None: none, or they do not help.

    Raises:
        ConfigError: k is none that `train` takes.
        DataError: there are no data to count in.
    """
    from glint_edge.config import LEVERS
    from glint_edge.evaluation.neighbours import fitting_neighbours
    from glint_edge.evaluation.protocols import chosen_protocol

    LEVERS["neighbours"].check(k)
    if k == 0:
        return None
    if parts is None:
        raise DataError("neighbours are counted in a log; pass it by --data")
    on_step(f"counting {k} neighbours of each item")
    return fitting_neighbours(
        checkpoint.model, parts, k, repeats=checkpoint.data.repeats,
        protocol=chosen_protocol(None, checkpoint.data, parts),
    )  # fmt: skip


def _fine_tuned(
    checkpoint: Checkpoint,
    options: ExportOptions,
    data: object,
    reading: LoadOptions | None,
    on_step: OnStep,
    *,
    offline: bool,
) -> FineTuned | None:
    """The model after quantization-aware training, where it was asked for."""
    if not options.fine_tuning:
        return None
    from converters.export import FineTuned
    from glint_edge.config import TrainConfig
    from glint_edge.data.source import find_training_data
    from quantization.qat.fine_tune import fine_tune

    sequences = find_training_data(
        checkpoint.data, checkpoint.catalogue, data, reading, offline=offline
    )
    on_step("training with int8's rounding inside")
    model, report = fine_tune(checkpoint.model, sequences, checkpoint.training or TrainConfig())
    log.info(
        "validation NDCG@10: float %.4f, int8 %.4f, int8 after %d of %d epochs %.4f (%.0f s)",
        report.ndcg_float, report.ndcg_before, report.best_epoch, report.epochs,
        report.ndcg_after, report.seconds,
    )  # fmt: skip
    return FineTuned(model, report.to_dict())
