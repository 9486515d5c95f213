"""Values of this project as tables for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType

from glint_edge.tables import columns, pairs

if TYPE_CHECKING:
    from pathlib import Path

    from glint_edge.api import CatalogueChange, Device, Finding
    from glint_edge.bundles.bundle import Bundle
    from glint_edge.checkpoints.checkpoint import Checkpoint
    from glint_edge.data.log import Log
    from glint_edge.doctor import Report
    from glint_edge.evaluation.appraisal import Appraisal
    from glint_edge.evaluation.slices import Slice
    from glint_edge.runtime.recommender import Recommendations
    from glint_edge.training.tune import TrialResult


def data(log: Log) -> str:
    """One line: what was read."""
    parts = ", ".join(f"{count:,} {what}" for what, count in log.source.summary.items())
    return f"{log.name}: {parts}"


def metrics(title: str, by_split: Mapping[str, Mapping[str, float]]) -> RenderableType:
    """Ranking figures, a row a split."""
    names = next(iter(by_split.values()))
    rows = [(split, *map(_figure, figures.values())) for split, figures in by_split.items()]
    return columns(title, ("", *names), rows)


def trial(result: TrialResult) -> str:
    """One line: a trial of a search."""
    end = "stopped" if result.stopped else "ended"
    return (
        f"trial {result.number}: validation NDCG@10 {result.ndcg:.4f}, "
        f"{end} after {result.epochs} epochs"
    )


def trials(folder: Path, results: Sequence[TrialResult]) -> RenderableType:
    """The best trials."""
    shown = results[:10]
    # Not every trial has every lever.
    names = list(dict.fromkeys(name for result in shown for name in result.settings))
    header = ("trial", "NDCG@10", "epochs", *(name.replace("_", " ") for name in names))
    rows = [
        (str(result.number), _figure(result.ndcg), str(result.epochs),
         *(result.text(name, digits=3) for name in names))
        for result in shown
    ]  # fmt: skip
    title = f"{folder}: the best of {len(results)} trials, on the validation items"
    return columns(title, header, rows)


def appraisal(title: str, appraisal: Appraisal, *, by_slice: bool) -> RenderableType:
    """The model beside its baselines, and over whole histories where some are longer than N."""
    windowed = f"the last {appraisal.max_length} items"
    rows = {windowed if appraisal.unbounded else "the model": appraisal.figures}
    if appraisal.unbounded:
        rows["unbounded: all of a history"] = appraisal.unbounded
    rows |= appraisal.baselines
    table = metrics(title, {name: figures.to_dict() for name, figures in rows.items()})
    return Group(table, slices(appraisal.slices)) if by_slice else table


def slices(parts: Sequence[Slice]) -> RenderableType:
    """The model's figures by slice, then its NDCG beside the others': each fits a terminal."""
    k, names = parts[0].figures.k, list(parts[0].beside)
    own = [
        (part.name, f"{part.figures.users:,}",
         f"{_figure(part.figures.ndcg)} ± {_figure(part.half_width)}",
         _figure(part.figures.recall), _figure(part.figures.mrr))
        for part in parts
    ]  # fmt: skip
    beside = [
        (part.name, _figure(part.figures.ndcg), *(_figure(part.beside[n].ndcg) for n in names))
        for part in parts
    ]
    return Group(
        columns("by slice, ± 95 %", ("", "users", f"NDCG@{k}", "Recall", "MRR"), own),
        columns(f"NDCG@{k} by slice, beside others", ("", "the model", *names), beside),
    )


def _figure(value: float | int) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:.4f}"


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


def recommendations(items: Recommendations) -> RenderableType:
    """The top-k, best first, under what they come after."""
    rows = [
        (f"{rank}", item.title or "", item.key, f"{item.score:.3f}")
        for rank, item in enumerate(items, 1)
    ]
    return columns(items.title, ("", "title", "key", "score"), rows)


def bundle(bundle: Bundle) -> RenderableType:
    """What a bundle is, its files, and what was checked."""
    manifest, config = bundle.manifest, bundle.config
    return pairs(
        str(bundle.path),
        [
            ("model", f"GLINT-RU, {config.items:,} items, d {config.d}, {config.heads} heads"),
            ("catalogue", _catalogue(manifest.get("catalogue"))),
            ("data", manifest["data"]["name"]),
            ("state", f"{manifest['state']['shape'][1]:,} floats"),
            ("top-k", f"{bundle.top_k}"),
            *((name, f"{file['bytes']:,} bytes") for name, file in manifest["files"].items()),
            *((f"{c['target']} {c['precision']}", _verdict(c)) for c in manifest["checks"]),
        ],
    )


def catalogue(change: CatalogueChange) -> RenderableType:
    """The changed bundle; or a line, where only a checkpoint was changed."""
    if change.bundle is not None:
        return bundle(change.bundle)
    items = change.checkpoint.model.config.items
    offered = items - len(change.checkpoint.catalogue.retired)
    version = f"catalogue version {change.version}"
    return f"{change.path}: {version}, {items:,} items, {offered:,} offered"


def _catalogue(changes: Mapping[str, Any] | None) -> str:
    if changes is None or changes["spare"] is None:
        room = "fixed: a change converts again"
    else:
        room = f"{changes['spare']:,} spare rows"
    if changes is None or changes["version"] == 1:
        return room
    done = f"{changes['added']:,} added, {changes['retired']:,} retired since training"
    return f"version {changes['version']}: {done}; {room}"


def _verdict(check: Mapping[str, Any]) -> str:
    verdict = "good" if check["ok"] else "NOT GOOD: " + "; ".join(check["failures"])
    if check["ndcg_at_10"] is None:
        return f"{verdict}; accuracy was not measured"
    return (
        f"{verdict}; NDCG@10 {check['ndcg_at_10']:.4f} (float {check['ndcg_at_10_float']:.4f}), "
        f"top-10 overlap {check['top10_overlap']:.4f}, {check['users']:,} users"
    )


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
    total = sum(sums.values())
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
