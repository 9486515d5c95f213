"""Tables of results.md and native.md, which `docs_tables.py` puts there.

Each takes the path of a file that a benchmark or `glint-edge bench --output` wrote, and gives a
head and lines.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from device_bench.judge.recorded import microseconds
from device_bench.reports.columns import few

Lines: TypeAlias = tuple[list[str], list[list[str]]]
NONE = "–"
NAMES = {"c": "the engine", "executorch": "ExecuTorch", "onnx": "ONNX Runtime", "tflite": "LiteRT"}


def precisions(path: Path) -> Lines:
    """What each precision costs, a line an artifact."""
    rows = json.loads(path.read_text("utf-8"))["rows"]
    columns = few(
        [], ("NDCG@10 (float)", "lost %", "overlap", "agreement", "score error", "file KB")
    )
    return ["", "places", *(column.heading for column in columns)], [
        [f"{row['bundle']}, {NAMES[row['target']]} {row['precision']}",
         f"{row['ndcg_loss']['positions']:,}", *(column.cell(row).line for column in columns)]
        for row in rows
    ]  # fmt: skip


def starts(path: Path) -> Lines:
    """A tap and a first start, by length of the history, beside the stock export."""
    measured = json.loads(path.read_text("utf-8"))
    lengths = measured["stock_us"]
    head = [f"µs, d {measured['width']}, {measured['items']:,} items, from Python"]
    whole = ["the stock export, fp32"]
    lines = [[f"{NAMES[name]} int8"] for name in measured["targets"]]
    for length, stock_us in lengths.items():
        head += [f"a tap, N {length}", f"a first start, N {length}"]
        whole += [microseconds(stock_us)] * 2
        for line, own in zip(lines, measured["targets"].values(), strict=True):
            for us, ratio in (("tap_us", "tap_ratio"), ("us", "ratio")):
                line.append(f"{microseconds(own[length][us])} ({own[length][ratio]:.2f})")
    return head, [whole, *lines]


def loop(path: Path) -> Lines:
    """The native runner beside a loop written by hand, a line a method."""
    measured = json.loads(path.read_text("utf-8"))
    methods = {name: own for name, own in measured.items() if "ratio" in _fields(own)}
    lines = [
        [name.replace("_start_", " "), *(microseconds(own[us]) for us in ("runner_us", "loop_us")),
         f"{own['ratio']:.2f}"]
        for name, own in methods.items()
    ]  # fmt: skip
    peak = f"{measured['memory']['peak_bytes'] / 1e6:.1f} MB"
    lines.append(["most memory of the process", peak, NONE, NONE])
    return ["µs, ExecuTorch int8, d 128, 3,417 items", "the runner", "the loop", "ratio"], lines


def app_taps(path: Path) -> Lines:
    """A tap as an app has it, a line a library."""
    names = {"cpp": "the C++ module", "python": "the Python runtime"}
    lines = [
        [names[row["library"]],
         *(microseconds(row[us]) for us in ("with_us", "without_us", "artifact_us"))]
        for row in json.loads(path.read_text("utf-8"))["rows"]
    ]  # fmt: skip
    return ["µs a tap", "with the neighbours", "without", "the artifact alone"], lines


def neighbours(path: Path) -> Lines:
    """A line a way in which scores gain by neighbours."""
    document = json.loads(path.read_text("utf-8"))
    names = (f"validation_{document['chosen_by']}", "test_unseen", "test_full")
    lines = []
    for way, row in document["rows"].items():
        chosen = ", ".join(f"{n} {row[n]:g}" for n in ("c", "gamma", "last", "w") if n in row)
        lines.append([way, chosen or NONE, *(f"{row[name]:.4f}" for name in names)])
    return ["NDCG@10", "chosen", "validation", "unseen items", "whole catalogue"], lines


def _fields(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def training(path: Path) -> Lines:
    """Seconds an epoch, a line a log and settings."""
    head = ["seconds an epoch", "glint-edge", "its variant `paper`", "times that",
            "RecBole, authors' code", "times glint-edge's"]  # fmt: skip
    lines = []
    for row in json.loads(path.read_text("utf-8"))["rows"]:
        about = (f"{row['data']}, d {row['width']}, N {row['length']}, {row['precision']}, "
                 f"{row['batch_positions']:,} positions a step")  # fmt: skip
        peer = row["peer_seconds_per_epoch"]
        lines.append([
            about, f"{row['seconds_per_epoch']:.1f}", f"{row['paper_seconds_per_epoch']:.1f}",
            f"{row['ratio_to_paper']:.2f}",
            *((f"{peer:,.0f}", f"{row['ratio']:.0f}") if peer else (NONE, NONE)),
        ])  # fmt: skip
    return head, lines


def recipe(path: Path) -> Lines:
    """A line a setting of a log: the mean of its seeds."""
    names = ("validation", "unseen", "whole")
    rows = _by_levers(path)
    lines = []
    for data, setting in dict.fromkeys((row["data"], row["setting"]) for row in rows):
        own = [row for row in rows if (row["data"], row["setting"]) == (data, setting)]
        lines.append([f"{data}: {setting}", str(len(own)), *(_mean(own, name) for name in names)])
    return ["NDCG@10", "seeds", "validation", "unseen items", "whole catalogue"], lines


def accuracy(path: Path) -> Lines:
    """A line a seed and their mean, by log and targets: the model alone, and with neighbours.

    What a run did not measure is `NONE`.
    """
    rows = _by_levers(path)
    names = ("validation", "unseen", "whole")
    with_neighbours = [f"{name}, with neighbours" for name in names]
    lines = []
    for data in dict.fromkeys(row["data"] for row in rows):
        own = [row for row in rows if row["data"] == data]
        figures = [
            [one.get(name) for one in (row, row.get("with_neighbours", row)) for name in names]
            for row in own
        ]
        for row, cells in zip(own, figures, strict=True):
            about = f"{data}, seed {row['seed']}: epoch {row['best_epoch']} of {row['epochs']}"
            lines.append([about, f"{row['minutes']:.0f}", *map(_figure, cells)])
        if len(own) == 1:
            continue
        means = [
            None if None in column else statistics.fmean(column)
            for column in zip(*figures, strict=True)
        ]
        bold = (NONE if mean is None else f"**{mean:.4f}**" for mean in means)
        lines.append([f"**{data}, mean**", "", *bold])
    return ["NDCG@10", "minutes", *names, *with_neighbours], lines


def _figure(value: float | None) -> str:
    return NONE if value is None else f"{value:.4f}"


def _by_levers(path: Path) -> list[dict[str, Any]]:
    """Rows of `recipe.py`, whose log's name says which levers were not as `train` has them."""
    rows: list[dict[str, Any]] = json.loads(path.read_text("utf-8"))["rows"]
    for row in rows:
        if row["set"].get("neighbour_rows") == 0:
            row["data"] += ", own rows alone"
        if share := row["set"].get("later_items"):
            row["data"] += f", later items {share:g}"
    return rows


def features(path: Path) -> Lines:
    """A line a training, the mean of its seeds: with item features or without, by log."""
    names = ("validation", "unseen", "few_unseen", "full", "few_full")
    head = ["NDCG@10", "seeds", "validation", "unseen", "few taps", "whole catalogue", "few taps"]
    lines = []
    for title, own in _by_training(path, "accuracy"):
        for way in dict.fromkeys(row["way"] for row in own):
            runs = [row for row in own if row["way"] == way]
            about = f"{title}, {way}; few: {runs[0]['few_users']:,} of {runs[0]['users']:,} users"
            lines.append([about, str(len(runs)), *(_mean(runs, name) for name in names)])
    return head, lines


def new_items(path: Path) -> Lines:
    """A line a way in which items that nobody has tapped are added, the mean of its seeds."""
    names = ("ndcg_at_10", "recall_at_50", "others_ndcg_at_10")
    head = ["new items by", "strength", "seeds", "NDCG@10", "Recall@50", "others' NDCG@10"]
    lines = []
    for title, own in _by_training(path, "new"):
        for way in own[0]["ways"]:
            runs = [row["ways"][way] for row in own]
            how, _, strength = way.partition(", ")
            cells = (_mean(runs, name) for name in names)
            lines.append([f"{title}, {how}", strength or NONE, str(len(runs)), *cells])
    return head, lines


def new_rows(path: Path) -> Lines:
    """Targets that are new items and all others, a line a way of making new rows."""
    measured = json.loads(path.read_text("utf-8"))
    names = ("NDCG@10", "Recall@50")
    heads = (f"{whose}: {name}" for whose in ("their targets", "others") for name in names)
    return [f"rows of {measured['new']} items, mean of {measured['draws']} draws", *heads], [
        [f"`--{way}`" if way.startswith("strength") else way,
         *(f"{figure:.{digits}f}" for figure, digits in zip(figures, (4, 3, 4, 3), strict=True))]
        for way, figures in measured["rows"].items()
    ]  # fmt: skip


def _by_training(path: Path, step: str) -> Iterable[tuple[str, list[Any]]]:
    """Rows of a step by log and levers, and what they are called."""
    groups: dict[str, list[Any]] = {}
    for row in json.loads(path.read_text("utf-8"))["rows"]:
        if row["step"] == step:
            levers = (f"{name} {value}" for name, value in row["levers"].items())
            groups.setdefault(", ".join((row["data"], *levers)), []).append(row)
    return groups.items()


def _mean(runs: list[Mapping[str, float]], name: str) -> str:
    """Over seeds, with the standard deviation if there are several."""
    values = [run[name] for run in runs if name in run]
    spread = f" ± {statistics.stdev(values):.4f}" if len(values) > 1 else ""
    return f"{statistics.fmean(values):.4f}{spread}" if values else NONE


KINDS = {
    "precisions": precisions, "starts": starts, "loop": loop, "training": training,
    "app-taps": app_taps, "neighbours": neighbours,
    "recipe": recipe, "accuracy": accuracy,
    "features": features, "new-items": new_items, "new-rows": new_rows,
}  # fmt: skip
