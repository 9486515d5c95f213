"""Checkpoint → bundle: fold, quantize, convert, check, write; all or nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from converters import convert
from converters.describe import file_metadata, manifest_of
from converters.readme import bundle_readme
from converters.targets import find_target, targets
from glint_edge.bundles.bundle import (
    README,
    Artifact,
    Bundle,
    load_bundle,
    write_manifest,
)
from glint_edge.bundles.golden import Golden, golden_of
from glint_edge.bundles.manifest import GOLDEN, ITEMS, MANIFEST, SUFFIX
from glint_edge.bundles.precisions import FINE_TUNED, precision_of
from glint_edge.bundles.target import ConvertOptions, Target, canonical_target
from glint_edge.checkpoints.checkpoint import Checkpoint
from glint_edge.config import WINDOWS, ModelConfig
from glint_edge.errors import ConfigError
from glint_edge.files import new_folder, write_atomic, write_json
from glint_edge.model.glint_ru import GlintRU
from glint_edge.model.stream import CHUNK, StreamProgram, stream_program
from quantization import layer_report, quantize

ALL = "all"


class Check(Protocol):
    """Runs artifacts and judges them: the manifest's `checks`."""

    def __call__(
        self, artifacts: Sequence[tuple[Artifact, Path]], golden: Golden
    ) -> list[dict[str, Any]]:
        """Judge each file against the golden vectors, the float model and the other files."""


@dataclass(frozen=True)
class ExportOptions:
    """What to export.

    Attributes:
        target: installed targets' names; among them "all" for every one that holds the precision.
        quantize: one of `glint_edge.bundles.precisions.flags`.
        top_k: items that `recommend` returns.
        out: the bundle's folder, ending in .glint.
        window: "sliding": a session is encoded again from its last items when it is longer than
            the model was trained for; "unbounded": its state keeps all.
        opset: of the ONNX file; None takes the converter's own.
        name: the bundle's; None takes the folder's.
        spare_items: rows kept free for items to come, which `glint-edge catalogue` fills without
            converting again; None: the catalogue is fixed.
        chunk: most items of one `append_many`.
    """

    target: tuple[str, ...]
    quantize: str
    top_k: int
    out: Path
    window: str = "sliding"
    opset: int | None = None
    name: str | None = None
    spare_items: int | None = None
    chunk: int = CHUNK

    def __post_init__(self) -> None:
        precision_of(self.quantize)  # refuses what is none
        if self.window not in WINDOWS:
            raise ConfigError(
                f"--window {self.window!r} is unknown; choose one of {_list(WINDOWS)}"
            )
        if self.spare_items is not None and self.spare_items < 0:
            raise ConfigError(f"--spare-items must be at least 0, not {self.spare_items}")
        if self.chunk < 1:
            raise ConfigError(f"--chunk must be at least 1, not {self.chunk}")
        if self.out.suffix != SUFFIX:
            raise ConfigError(f"a bundle's name ends in {SUFFIX}: --out {self.out}{SUFFIX}")

    def require_possible_for(self, config: ModelConfig) -> None:
        """Refuse what this model cannot be made into, before anything slow is done.

        Raises:
            ConfigError: the model has reference padding, and an option needs another.
        """
        if config.padding == "masked":
            return
        if self.window == "unbounded":
            raise ConfigError(
                f"an imported model gives its authors' scores for at most {config.max_length} "
                "items: --window sliding"
            )
        if self.fine_tuning:
            raise ConfigError(
                "an imported model cannot be trained here, so there is no int8-qat of it; "
                "choose --quantize int8"
            )

    @property
    def fine_tuning(self) -> bool:
        """Whether the model is trained with int8's rounding first."""
        return self.quantize.lower() == FINE_TUNED

    @property
    def bundle_name(self) -> str:
        """The bundle's, as the manifest and the files say it."""
        return self.name or self.out.stem

    @property
    def precision(self) -> str:
        """Of the artifacts."""
        return precision_of(self.quantize)

    def targets(self) -> list[Target]:
        """The chosen targets, each once; with "all", those that can hold the precision.

        Raises:
            ConfigError: a target is unknown, or cannot hold this precision.
            MissingExtraError: its toolchain is not installed.
        """
        able = [target.name for target in targets().values() if self.precision in target.precisions]
        typed = [canonical_target(name) for name in self.target]
        names = [*(able if ALL in typed else ()), *typed]
        found = [find_target(name) for name in dict.fromkeys(names) if name != ALL]
        for target in found:
            if self.precision not in target.precisions:
                raise ConfigError(
                    f"{target.name} has no {self.precision}, it has {_list(target.precisions)}; "
                    f"{self.precision} is to be had with --target {_list(able)}"
                )
        if self.opset is not None and not any(target.name == "onnx" for target in found):
            raise ConfigError("--opset is about ONNX files; add --target onnx, or leave it out")
        return found


@dataclass(frozen=True)
class FineTuned:
    """What quantization-aware training made of the checkpoint's model.

    Attributes:
        model: to be exported in its place.
        report: what it won, for the manifest.
    """

    model: GlintRU
    report: Mapping[str, Any]


def export(
    checkpoint: Checkpoint,
    options: ExportOptions,
    *,
    folder: Path,
    histories: Sequence[Sequence[int]],
    check: Check,
    fine_tuned: FineTuned | None = None,
    on_step: Callable[[str], None] = lambda step: None,
) -> Bundle:
    """Write a bundle.

    Args:
        checkpoint: the float model.
        options: what to export.
        folder: where the checkpoint lies; the manifest names it.
        histories: item ids of a few users, for the golden vectors and the quantization report.
        check: judges the converted files; a failed check is recorded in the manifest.
        fine_tuned: for "int8-qat", the model to quantize; the checks still compare with the
            checkpoint's.
        on_step: told what is being done.

    Raises:
        ConfigError: an option is impossible for this checkpoint, or `out` is in the way.
        MissingExtraError: a target's toolchain is not installed.
        ConversionError: the toolchain failed.
        OSError: the disk is full or not writable; nothing is left behind.
    """
    chosen = options.targets()
    options.require_possible_for(checkpoint.model.config)
    refuse_to_overwrite(options.out)
    artifacts = [
        Artifact(target.name, options.precision, f"model{target.suffix}", target.runtime)
        for target in chosen
    ]

    def lower(program: StreamProgram, artifact: Artifact, file: Path) -> None:
        on_step(f"converting to {artifact.target}")
        told = ConvertOptions(options.opset, file_metadata(checkpoint, options, program))
        convert(program, find_target(artifact.target), file, told)

    return write_bundle(
        checkpoint, options, artifacts, lower,
        folder=folder, histories=histories, check=check, fine_tuned=fine_tuned, on_step=on_step,
    )  # fmt: skip


def write_bundle(
    checkpoint: Checkpoint,
    options: ExportOptions,
    artifacts: Sequence[Artifact],
    lower: Callable[[StreamProgram, Artifact, Path], None],
    *,
    folder: Path,
    histories: Sequence[Sequence[int]],
    check: Check,
    fine_tuned: FineTuned | None = None,
    on_step: Callable[[str], None] = lambda step: None,
) -> Bundle:
    """The part of `export` that does not ask how a file comes about.

    Args:
        checkpoint: as for `export`.
        options: as for `export`.
        artifacts: what the bundle will hold.
        lower: writes the file of one artifact, and what belongs to it, from a program.
        folder: as for `export`, and so are the others.
        histories: see there.
        check: see there.
        fine_tuned: see there.
        on_step: see there.
    """
    model = fine_tuned.model if fine_tuned else checkpoint.model
    floats = stream_program(model, options.top_k, options.chunk, options.spare_items)
    on_step("folding" if options.precision == "fp32" else f"quantizing to {options.precision}")
    program = floats if options.precision == "fp32" else quantize(floats, options.precision)
    layers = layer_report(program, floats, histories)
    with new_folder(options.out) as work:
        files = [(artifact, work / artifact.file) for artifact in artifacts]
        for artifact, file in files:
            lower(program, artifact, file)
        golden = golden_of(program, histories)
        write_json(work / ITEMS, checkpoint.catalogue.to_dict())
        write_json(work / GOLDEN, golden.to_dict())
        manifest = manifest_of(checkpoint, options, program, artifacts, layers, folder)
        manifest["checks"] = check(files, golden)
        if fine_tuned:
            manifest["quantization"]["fine_tuning"] = dict(fine_tuned.report)
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


def _list(names: Iterable[str]) -> str:
    return ", ".join(names)
