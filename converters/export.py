"""Checkpoint → bundle: fold, quantize, convert, check, write; all or nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from converters import convert
from converters.describe import file_metadata, manifest_of
from converters.options import ExportOptions, refuse_to_overwrite
from converters.readme import bundle_readme
from converters.targets import find_target
from glint_edge.bundles.bundle import (
    README,
    Artifact,
    Bundle,
    load_bundle,
    write_manifest,
)
from glint_edge.bundles.golden import Exact, Golden, fnv1a, golden_of
from glint_edge.bundles.golden_check import EXACT
from glint_edge.bundles.golden_histories import golden_histories
from glint_edge.bundles.manifest import GOLDEN, ITEMS
from glint_edge.bundles.target import ConvertOptions
from glint_edge.checkpoints.checkpoint import Checkpoint
from glint_edge.checkpoints.of_bundle import remember_checkpoint
from glint_edge.data.neighbours_file import NEIGHBOURS
from glint_edge.durations import Durations
from glint_edge.files import new_folder, write_atomic, write_json
from glint_edge.model.glint_ru import GlintRU
from glint_edge.model.stream import StreamProgram, stream_program
from glint_edge.runtime.engines import load_artifact
from quantization import layer_report, quantize


class Check(Protocol):
    """Runs artifacts and judges them: the manifest's `checks`."""

    def __call__(
        self, artifacts: Sequence[tuple[Artifact, Path]], golden: Golden
    ) -> list[dict[str, Any]]:
        """Judge each file against the golden vectors, the float model and the other files."""


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
    check: Check,
    probes: Sequence[Sequence[int]] | None = None,
    fine_tuned: FineTuned | None = None,
    on_step: Callable[[str], None] = lambda step: None,
) -> Bundle:
    """Write a bundle.

    Args:
        checkpoint: the float model.
        options: what to export.
        folder: where the checkpoint lies; this machine remembers it.
        check: judges the converted files; a failed check is recorded in the manifest.
        probes: item ids of a few users, for the errors of the layers, of which the bundle has the
            sums; None: the golden histories, which a bundle tells everybody and are made up.
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
    if options.out.exists():
        on_step(f"{options.out} is there: it is replaced once the new one is whole")
    artifacts = [
        Artifact(target.name, options.precision, f"model{target.suffix}", target.runtime)
        for target in chosen
    ]

    durations, config = Durations("export"), checkpoint.model.config
    shape = f"{config.items}×{config.d}×{config.max_length}, chunk {options.chunk}"

    def lower(program: StreamProgram, artifact: Artifact, file: Path) -> None:
        piece = f"{artifact.target} {artifact.precision} {shape}"
        on_step(f"converting to {artifact.target}{durations.last_time(piece)}")
        file_options = ConvertOptions(options.opset, file_metadata(checkpoint, options, program))
        with durations.timed(piece):
            convert(program, find_target(artifact.target), file, file_options)

    return write_bundle(
        checkpoint, options, artifacts, lower,
        folder=folder, check=check, probes=probes, fine_tuned=fine_tuned,
        on_step=on_step,
    )  # fmt: skip


def write_bundle(
    checkpoint: Checkpoint,
    options: ExportOptions,
    artifacts: Sequence[Artifact],
    lower: Callable[[StreamProgram, Artifact, Path], None],
    *,
    folder: Path,
    check: Check,
    probes: Sequence[Sequence[int]] | None = None,
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
        check: see there.
        probes: see there.
        fine_tuned: see there.
        on_step: see there.
    """
    model = fine_tuned.model if fine_tuned else checkpoint.model
    floats = stream_program(model, options.top_k, options.chunk, options.spare_items)
    on_step("folding" if options.precision == "fp32" else f"quantizing to {options.precision}")
    program = floats if options.precision == "fp32" else quantize(floats, options.precision)
    histories = golden_histories(floats.config)
    layers = layer_report(program, floats, histories if probes is None else probes)
    with new_folder(options.out, options.stood) as work:
        files = [(artifact, work / artifact.file) for artifact in artifacts]
        for artifact, file in files:
            lower(program, artifact, file)
        golden = golden_of(program, histories, checkpoint.catalogue, checkpoint.neighbours)
        for artifact, file in files:
            if artifact.target == EXACT:
                golden = _with_exact(golden, file, program)
        if checkpoint.neighbours is not None:
            write_atomic(work / NEIGHBOURS, checkpoint.neighbours.to_bytes())
        write_json(work / ITEMS, checkpoint.catalogue.to_dict())
        write_json(work / GOLDEN, golden.to_dict())
        manifest = manifest_of(checkpoint, options, program, artifacts, layers)
        manifest["checks"] = check(files, golden)
        if fine_tuned:
            manifest["quantization"]["fine_tuning"] = dict(fine_tuned.report)
        write_atomic(work / README, bundle_readme(manifest).encode())
        write_manifest(work, manifest)
    remember_checkpoint(checkpoint, folder)
    return load_bundle(options.out)


def _with_exact(golden: Golden, file: Path, program: StreamProgram) -> Golden:
    """The golden cases, and what the engine gives for each, which is the same everywhere.

    Args:
        golden: of the program.
        file: the engine's, of the same program.
        program: what it was made of.

    Raises:
        MissingExtraError: the engine's library was not built.
    """
    engine = load_artifact(EXACT, file, program.config, program.top_k, threads=1)
    cases = []
    for case in golden.cases:
        state = engine.append_many(engine.empty_state(), case.history)
        items, scores = engine.recommend(state)
        exact = Exact(fnv1a(state), items[0].tolist(), scores[0].tolist())
        cases.append(replace(case, exact=exact))
    return replace(golden, cases=tuple(cases))
