"""Checkpoint → bundle: fold, quantize, convert, check, write; all or nothing."""

from __future__ import annotations

import datetime
import os.path
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Protocol

from converters import convert, find_target
from converters.readme import bundle_readme
from glint_edge.bundle import (
    GOLDEN,
    ITEMS,
    MANIFEST,
    README,
    SUFFIX,
    Artifact,
    Bundle,
    load_bundle,
    methods_of,
    state_of,
    write_manifest,
)
from glint_edge.checkpoint import DEFAULT_CHECKPOINT, Checkpoint
from glint_edge.errors import ConfigError
from glint_edge.files import new_folder, write_atomic, write_json
from glint_edge.golden import Golden, golden_of
from glint_edge.stream import StreamProgram, stream_program
from quantization import LayerReport, layer_report, quantize

PRECISION_OF = {"none": "fp32", "int8": "int8"}  # what `--quantize` takes


class Check(Protocol):
    """Runs an artifact and judges it: the manifest's `checks` entry."""

    def __call__(self, artifact: Artifact, file: Path, golden: Golden) -> dict[str, Any]:
        """Judge `file`, against the golden vectors and the float model."""


@dataclass(frozen=True)
class ExportOptions:
    """What to export.

    Attributes:
        target: a name in `converters.TARGETS`.
        quantize: "none" or "int8".
        top_k: items that `recommend` returns.
        out: the bundle's folder, ending in .glint.
    """

    target: str
    quantize: str
    top_k: int
    out: Path

    def __post_init__(self) -> None:
        if self.quantize not in PRECISION_OF:
            raise ConfigError(
                f"--quantize {self.quantize!r} is unknown; choose one of {', '.join(PRECISION_OF)}"
            )
        if self.out.suffix != SUFFIX:
            raise ConfigError(f"a bundle's name ends in {SUFFIX}: --out {self.out}{SUFFIX}")

    @property
    def precision(self) -> str:
        """Of the artifact."""
        return PRECISION_OF[self.quantize]


def export(
    checkpoint: Checkpoint,
    options: ExportOptions,
    *,
    folder: Path,
    histories: Sequence[Sequence[int]],
    check: Check,
    on_step: Callable[[str], None] = lambda step: None,
) -> Bundle:
    """Write a bundle.

    Args:
        checkpoint: the float model.
        options: what to export.
        folder: where the checkpoint lies; the manifest names it.
        histories: item ids of a few users, for the golden vectors and the quantization report.
        check: judges the converted file; a failed check is recorded in the manifest.
        on_step: told what is being done.

    Raises:
        ConfigError: an option is impossible for this checkpoint, or `out` is in the way.
        MissingExtraError: the target's toolchain is not installed.
        ConversionError: the toolchain failed.
        OSError: the disk is full or not writable; nothing is left behind.
    """
    target = find_target(options.target, options.precision)
    refuse_to_overwrite(options.out)
    floats = stream_program(checkpoint.model, options.top_k)
    on_step("quantizing" if options.precision == "int8" else "folding")
    program = floats if options.precision == "fp32" else quantize(floats)
    layers = layer_report(program, floats, histories)
    artifact = Artifact(target.name, options.precision, f"model{target.suffix}", target.runtime)

    with new_folder(options.out) as work:
        on_step(f"converting to {target.name} (20 to 70 s)")
        convert(program, target, work / artifact.file)
        golden = golden_of(program, histories)
        write_json(work / ITEMS, checkpoint.catalogue.to_dict())
        write_json(work / GOLDEN, golden.to_dict())
        on_step("checking the file against the float model")
        checks = [check(artifact, work / artifact.file, golden)]
        manifest = _manifest(checkpoint, options, program, [artifact], layers, checks, folder)
        write_atomic(work / README, bundle_readme(manifest).encode())
        write_manifest(work, manifest)
    return load_bundle(options.out)


def refuse_to_overwrite(out: Path) -> None:
    """Only a bundle, or nothing, may stand where a bundle is written.

    Raises:
        ConfigError: something else stands there.
    """
    if out.exists() and not (out / MANIFEST).is_file():
        raise ConfigError(f"{out} exists and is no bundle; remove it or choose another --out")


def _manifest(
    checkpoint: Checkpoint,
    options: ExportOptions,
    program: StreamProgram,
    artifacts: Sequence[Artifact],
    layers: Sequence[LayerReport],
    checks: Sequence[Mapping[str, Any]],
    folder: Path,
) -> dict[str, Any]:
    config = program.config
    shipped = folder.resolve() == DEFAULT_CHECKPOINT.resolve()
    return {
        "name": options.out.stem,
        "created": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "tool": {"name": "glint-edge", "version": metadata.version("glint-edge")},
        "model": config.to_dict(),
        "window": "sliding",
        "top_k": program.top_k,
        "state": state_of(config),
        "methods": methods_of(config, program.top_k),
        "quantization": {
            "precision": program.precision,
            "layers": [layer.to_dict() for layer in layers],
        },
        "artifacts": [{**vars(a), "runtime": dict(a.runtime)} for a in artifacts],
        "checkpoint": {
            "sha256": checkpoint.sha256,
            "path": None if shipped else _relative(folder, options.out),
        },
        "data": {
            "name": checkpoint.data.name,
            "attribution": checkpoint.data.attribution,
            "metrics": checkpoint.metrics,
        },
        "checks": list(checks),
    }


def _relative(folder: Path, out: Path) -> str | None:
    """From the bundle to the checkpoint, so that both can move together; None across drives."""
    try:
        return Path(os.path.relpath(folder.resolve(), out.resolve())).as_posix()
    except ValueError:
        return None
