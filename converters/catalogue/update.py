"""A bundle after its catalogue changed: written over if its files allow, else converted again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from converters import convert, quiet_toolchain
from converters.catalogue.rewrite import rewrite
from converters.describe import file_metadata
from converters.export import Check, export, write_bundle
from converters.options import ExportOptions, refuse_to_overwrite
from converters.targets import find_target
from glint_edge.bundles.bundle import Artifact, Bundle
from glint_edge.bundles.precisions import flag_of
from glint_edge.bundles.target import ConvertOptions
from glint_edge.checkpoints.checkpoint import Checkpoint
from glint_edge.errors import BundleError
from glint_edge.model.stream import StreamProgram, stream_program
from quantization import quantize


def spare_after(bundle: Bundle, after: Checkpoint) -> int | None:
    """Spare rows that are left once a bundle has the changed catalogue.

    None: its files cannot take it, since their catalogue is fixed, too few rows are spare, or their
    lists are longer than what stays on offer.
    """
    if bundle.spare_items is None or top_k_after(bundle, after) < bundle.top_k:
        return None
    left = bundle.spare_items - (after.model.config.items - bundle.config.items)
    return left if left >= 0 else None


def top_k_after(bundle: Bundle, after: Checkpoint) -> int:
    """Items of a list once a bundle has the changed catalogue: as many as stay on offer."""
    return min(bundle.top_k, after.model.config.items - len(after.catalogue.retired))


def options_of(bundle: Bundle, out: Path, spare_items: int | None) -> ExportOptions:
    """What a bundle was exported with, to be exported again.

    Raises:
        BundleError: it holds fine-tuned weights, which no checkpoint has.
    """
    manifest = bundle.manifest
    if "fine_tuning" in manifest["quantization"]:
        raise BundleError(
            f"{bundle.path} was fine-tuned (int8-qat), and no checkpoint has its weights; change "
            "the checkpoint's catalogue and export that with --quantize int8-qat"
        )
    precision = manifest["quantization"]["precision"]
    return ExportOptions(
        target=tuple(artifact.target for artifact in bundle.artifacts),
        quantize=flag_of(precision),
        top_k=bundle.top_k,
        out=out,
        window=manifest["window"],
        name=bundle.name,
        spare_items=spare_items,
        chunk=_chunk_of(bundle),
    )


def _chunk_of(bundle: Bundle) -> int:
    """The most items that `append_many` of its files takes."""
    methods = bundle.manifest["methods"]
    for tensor in methods["append_many"]["inputs"] if "append_many" in methods else ():
        if tensor["name"] == "items" and len(tensor["shape"]) == 2:
            chunk: int = tensor["shape"][1]
            return chunk
    raise BundleError(
        f"{bundle.path} does not say how many items `append_many` takes; export it again"
    )


def update(
    bundle: Bundle,
    before: Checkpoint,
    after: Checkpoint,
    out: Path,
    *,
    folder: Path,
    check: Check,
    spare_items: int,
    probes: Sequence[Sequence[int]] | None = None,
    on_step: Callable[[str], None] = lambda step: None,
) -> Bundle:
    """Write a bundle with a changed catalogue; the given one stays, unless `out` is its folder.

    Args:
        bundle: made from `before`.
        before: the float model.
        after: the same with another catalogue, from `glint_edge.checkpoints.changes`.
        out: the new bundle's folder.
        folder: where `after` lies; this machine remembers it.
        check: as for `export`, of the changed float model.
        spare_items: rows to keep free if the files have to be converted again.
        probes: as for `export`.
        on_step: told what is being done.

    Raises:
        BundleError: the bundle holds fine-tuned weights.
        ConfigError: `out` is in the way, or fewer items stay on offer than a list holds.
        ConversionError: the files are not what `before` was converted to.
        MissingExtraError: it has to be converted again, and the toolchain is not installed.
        OSError: the disk is full or not writable; nothing is left behind.
    """
    left = spare_after(bundle, after)
    more: dict[str, Any] = {
        "folder": folder, "check": check, "probes": probes, "on_step": on_step,
    }  # fmt: skip
    if left is None:
        again = options_of(bundle, out, spare_items)
        return export(after, replace(again, top_k=top_k_after(bundle, after)), **more)
    options = options_of(bundle, out, left)
    refuse_to_overwrite(out)
    old = stream_program(before.model, options.top_k, options.chunk, bundle.spare_items)
    if options.precision != "fp32":
        old = quantize(old, options.precision)

    def lower(program: StreamProgram, artifact: Artifact, file: Path) -> None:
        target = find_target(artifact.target)
        if getattr(target, "anew", False):
            on_step(f"writing {artifact.file}")
            convert(
                program,
                target,
                file,
                ConvertOptions(metadata=file_metadata(after, options, program)),
            )
            return
        on_step(f"writing the catalogue over that of {artifact.file}")
        file.write_bytes(rewrite(bundle.file(artifact).read_bytes(), old, program))
        _write_others(bundle, artifact, file)

    return write_bundle(after, options, bundle.artifacts, lower, **more)


def _write_others(bundle: Bundle, artifact: Artifact, file: Path) -> None:
    """What stands beside an artifact, of its stem: an ONNX file's form for minimal builds."""
    if not (bundle.path / file.with_suffix(".ort").name).is_file() or artifact.target != "onnx":
        return
    from converters.to_onnx.ort import write_ort

    with quiet_toolchain():
        write_ort(file, fold=artifact.precision != "fp16")
