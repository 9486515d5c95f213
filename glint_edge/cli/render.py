"""Values of this project as tables for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType

from glint_edge.bundles.shown import table_of
from glint_edge.config import AUTO
from glint_edge.tables import columns, counted, figure, pairs

if TYPE_CHECKING:
    from pathlib import Path

    from glint_edge.api import CatalogueChange, Device, Finding
    from glint_edge.bundles.bundle import Bundle
    from glint_edge.checkpoints.checkpoint import Checkpoint
    from glint_edge.data.log import Log
    from glint_edge.diagnosis import Report
    from glint_edge.evaluation.appraisal import Appraisal
    from glint_edge.evaluation.slices import Slice
    from glint_edge.training.trials import TrialResult, Trials


def data(log: Log) -> str:
    """One line: what was read."""
    parts = ", ".join(counted(count, what) for what, count in log.source.summary.items())
    return f"{log.name}: {parts}"


def trained(folder: str, checkpoint: Checkpoint) -> RenderableType:
    """Ranking figures of the best epoch, a row a part of the split, and what was ranked."""
    from glint_edge.evaluation.protocols import fitting
    from glint_edge.training.kept import WITHOUT_NEIGHBOURS

    names = next(iter(checkpoint.metrics.values()))
    rows = [
        ("· without neighbours" if part.endswith(WITHOUT_NEIGHBOURS) else part,
         *map(figure, one.values()))
        for part, one in checkpoint.metrics.items()
    ]  # fmt: skip
    choice, repeats = (
        checkpoint.training.protocol if checkpoint.training else AUTO,
        checkpoint.data.repeats,
    )
    ranked = choice if choice != AUTO else fitting(repeats) if repeats is not None else choice
    beside = ", with its neighbours" if checkpoint.neighbours else ""
    return columns(f"{folder}: the best epoch{beside}, protocol {ranked}", ("", *names), rows)


def trial(result: TrialResult) -> str:
    """One line: a trial of a search."""
    end = "stopped" if result.stopped else "ended"
    epochs = counted(result.epochs, "epochs")
    return f"trial {result.number}: {result.judgement}, {end} after {epochs}"


def trials(folder: Path, results: Trials) -> RenderableType:
    """The best trials."""
    return results.table(f"{folder}: the best of {len(results)} trials, on the validation items")


def appraisal(title: str, appraisal: Appraisal, *, by_slice: bool) -> RenderableType:
    """The model beside its baselines, and by slice where that is asked for."""
    tables = (appraisal.table(title), appraisal.lists_table())
    return Group(*tables, slices(appraisal.slices)) if by_slice else Group(*tables)


def slices(parts: Sequence[Slice]) -> RenderableType:
    """The model's figures by slice, then its NDCG beside the others': each fits a terminal."""
    k, names = parts[0].figures.k, list(parts[0].beside)
    own = [
        (part.name, f"{part.figures.users:,}",
         f"{figure(part.figures.ndcg)} ± {figure(part.half_width)}",
         figure(part.figures.recall), figure(part.figures.mrr))
        for part in parts
    ]  # fmt: skip
    beside = [
        (part.name, figure(part.figures.ndcg), *(figure(part.beside[n].ndcg) for n in names))
        for part in parts
    ]
    return Group(
        columns("by slice, ± 95 %", ("", "users", f"NDCG@{k}", "Recall", "MRR"), own),
        columns(f"NDCG@{k} by slice, beside others", ("", "the model", *names), beside),
    )


def imported(folder: Path, checkpoint: Checkpoint) -> RenderableType:
    """What was imported, and what its items are called."""
    config, keys = checkpoint.model.config, checkpoint.catalogue.keys
    return pairs(
        str(folder),
        [
            ("model", f"GLINT-RU, {config.items:,} items, d {config.d}, {config.heads} heads"),
            ("data", checkpoint.data.name),
            ("padding", f"{config.padding}: histories of up to {config.max_length} items"),
            ("items", f"{keys[1]!r} … {keys[-1]!r}"),
        ],
    )


def bundle(bundle: Bundle) -> RenderableType:
    """What a bundle is, its files, and what was checked."""
    return table_of(bundle)


def catalogue(change: CatalogueChange) -> RenderableType:
    """The changed bundle; or a line, where only a checkpoint was changed."""
    if change.bundle is not None:
        return bundle(change.bundle)
    items = len(change.catalogue.keys) - 1
    offered = items - len(change.catalogue.retired)
    version = f"catalogue version {change.version}"
    return f"{change.path}: {version}, {items:,} items, {offered:,} offered"


def layers(bundle: Bundle) -> RenderableType:
    """Each layer's type, bytes and error, and the sums by type."""
    quantization = bundle.manifest["quantization"]
    rows = [
        (
            f"{layer['method']}.{layer['name']}",
            layer["dtype"],
            "×".join(map(str, layer["shape"])),
            f"{layer['bytes']:,}",
            "" if layer["error"] is None else f"{layer['error']:.2%}",
        )
        for layer in quantization["layers"]
    ]
    sums: dict[str, int] = {}
    for layer in quantization["layers"]:
        sums[layer["dtype"]] = sums.get(layer["dtype"], 0) + layer["bytes"]
    total = sum(sums.values()) or 1
    return Group(
        columns(
            f"{quantization['precision']}, layer by layer",
            ("layer", "type", "shape", "bytes", "error it adds"),
            rows,
        ),
        pairs("", [(dtype, f"{n:,} bytes, {n / total:.1%}") for dtype, n in sums.items()]),
    )


def devices(devices: Sequence[Device]) -> RenderableType:
    """Every runner."""
    rows = [(d.name, d.about, _mark(d.ready), d.text) for d in devices]
    return columns("runners", ("--runner", "what it is", "ready", ""), rows)


def findings(runner: str, findings: Sequence[Finding]) -> RenderableType:
    """What a runner needs, and whether it is there."""
    rows = [(f.what, _mark(f.ok), f.text) for f in findings]
    return columns(runner, ("needs", "there", ""), rows)


def _mark(good: bool) -> str:
    return "✓" if good else "✗"


def doctor(report: Report) -> RenderableType:
    """Targets and installation."""
    return Group(
        columns("targets", ("target", "usable", "what"), report.target_rows()),
        pairs("installation", report.installation_rows()),
    )
