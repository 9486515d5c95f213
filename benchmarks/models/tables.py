"""The comparison's tables in Markdown, of the JSON that `compare_models.py` writes.

`scripts/docs_tables.py` puts the same tables into docs/compare-models.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

NONE = "–"
FEWEST = 30  # users whose mean is shown
OLD_SCHEDULE = "cosine"  # of files that do not say it
GLINT = "glint"
WORDS = {"better": "ahead of", "level": "level with", "worse": "behind"}
# A program's word in the file, and what a table calls it: the stock path's, and GLINT-RU's streams.
STOCK = {"fp32": "ONNX fp32", "int8": "ONNX int8", "litert": "LiteRT fp32"}
STREAMS = {"c": "the engine", "onnx": "ONNX Runtime", "tflite": "LiteRT",
           "executorch": "ExecuTorch"}  # fmt: skip
# A row of the file, and what a table calls it.
FIGURES = {
    "unseen": "unseen items",
    "whole": "whole catalogue",
    "unseen_expert": "unseen items, with the neighbours",
    "whole_expert": "whole catalogue, with the neighbours",
}


def accuracy(document: Mapping[str, Any]) -> str:
    """A table a log, and in words where GLINT-RU is ahead and where it is behind."""
    return "\n\n".join(_log(log) for log in document["logs"])


def _log(log: Mapping[str, Any]) -> str:
    models = log["models"]
    words = [word for word in FIGURES if any(word in model for model in models)]
    head = ["model", *(f"NDCG@10, {FIGURES[word]}" for word in words),
            "GLINT-RU's lead, unseen", "whole", "weights", "minutes", "seeds"]  # fmt: skip
    lines = []
    for model in models:
        lines.append([
            f"{model['title']} ({model['kind']})",
            *(_spread(model.get(word)) for word in words),
            *(_lead(model.get(word)) for word in ("unseen", "whole")),
            f"{model['weights']:,}", f"{model['minutes']:.1f}",
            f"{len(model['seeds'])}",
        ])  # fmt: skip
    title = (f"**{_name(log)}**: {log['users']:,} users, {log['items']:,} items. Searched: "
             f"{log['trials']} trials of at most {log['trial_epochs']} epochs; trained: at most "
             f"{log['epochs']} epochs by a {log.get('schedule', OLD_SCHEDULE)} step size, once a "
             f"seed{_also(log)}. Minutes are of: {processor(log['processor'])}.")  # fmt: skip
    return "\n\n".join([title, table(head, lines), *_verdicts(models, words)])


def _name(log: Mapping[str, Any]) -> str:
    return str(log["log"]) + (", own rows alone" if not log.get("neighbour_rows") else "")


def _also(log: Mapping[str, Any]) -> str:
    share, near = log.get("later_items"), log.get("neighbour_rows")
    later = f"; later items are targets, too ({share:g})" if share else ""
    return later + (f"; vectors take in the rows of {near} neighbours" if near else "")


def _spread(figures: Mapping[str, Any] | None) -> str:
    if figures is None:
        return NONE
    spread = figures["deviation"]
    return f"{figures['ndcg_at_10']:.4f}" + ("" if spread is None else f" ± {spread:.4f}")


def _lead(figures: Mapping[str, Any] | None) -> str:
    if figures is None or "lead" not in figures:
        return NONE
    lead = figures["lead"]
    return f"{lead['difference']:+.4f} ± {lead['half_width']:.4f}"


def _verdicts(models: Sequence[Mapping[str, Any]], words: Sequence[str]) -> list[str]:
    """A sentence a protocol: whom GLINT-RU is ahead of, level with and behind."""
    lines = []
    for word in words:
        by: dict[str, list[str]] = {verdict: [] for verdict in WORDS}
        for model in models:
            if lead := model.get(word, {}).get("lead"):
                by[lead["verdict"]].append(model["title"])
        parts = [f"{WORDS[verdict]} {', '.join(names)}" for verdict, names in by.items() if names]
        if parts:
            lines.append(f"- {FIGURES[word]}: GLINT-RU is {'; '.join(parts)}.")
    return ["\n".join(lines)] if lines else []


def lengths(document: Mapping[str, Any]) -> str:
    """A line for users with so many items, a column a model, of the logs that have them."""
    parts = []
    for log in document["logs"]:
        bands = log.get("by_length", [])  # files of before have none
        if bands := [band for band in bands if band["users"] >= FEWEST]:
            titles = {model["model"]: model["title"] for model in log["models"]}
            lines = [
                [band["history"], f"{band['users']:,}",
                 *(f"{band['ndcg_at_10'][name]:.4f}" for name in titles)]
                for band in bands
            ]  # fmt: skip
            parts += [f"**{_name(log)}**", table(["history", "users", *titles.values()], lines)]
    return "\n\n".join(parts)


def device(document: Mapping[str, Any]) -> str:
    """A line a model: µs a tap by program and N, and file sizes at the longest N."""
    taps = document.get("device")
    if not taps:
        return "Not measured."
    rows = taps["rows"]
    lengths = sorted({row["n"] for row in rows})
    lines = []
    for name, stream, title in _sides(rows):
        own = [row for row in rows if row["model"] == name and row["stream"] == stream]
        lines.append([
            title,
            *(_program(own, word, n, "us") for n in lengths for word in _titles(stream)),
            *(_program(own, word, lengths[-1], "bytes") for word in _titles(stream)),
        ])  # fmt: skip
    parts = []
    for stream in (False, True):
        mine = [line for line, side in zip(lines, _sides(rows), strict=True) if side[1] == stream]
        if mine:
            names = _titles(stream).values()
            head = ["GLINT-RU's stream, int8" if stream else "the whole history at every tap",
                    *(f"N {n}: {name}, µs" for n in lengths for name in names),
                    *(f"{name}, KB" for name in names)]  # fmt: skip
            parts.append(table(head, mine))
    notes = sorted({f"{row['title']}, {_titles(row['stream'])[row['program']]}, N {row['n']}: "
                    f"{row['why_not']}" for row in rows if "why_not" in row})  # fmt: skip
    leads = "\n".join(filter(None, (_quickest(rows, n) for n in lengths)))
    return "\n\n".join(
        [
            *parts,
            *filter(None, [leads]),
            *(["Not made:\n\n" + "\n".join(f"- {n}" for n in notes)] * bool(notes)),
        ]
    )


def _quickest(rows: Sequence[Mapping[str, Any]], n: int) -> str:
    """A line: the quickest of the peers beside the quickest stream, at a history of n items."""
    timed = [row for row in rows if row["n"] == n and "us" in row]
    peers = [row for row in timed if row["model"] != GLINT]
    streams = [row for row in timed if row["stream"]]
    if not peers or not streams:
        return ""
    peer, stream = (min(side, key=lambda row: row["us"]) for side in (peers, streams))
    return (
        f"- N {n}: the quickest peer is {peer['title']} ({STOCK[peer['program']]}, "
        f"{_us(peer['us'])} µs): {_us(peer['us'] / stream['us'])} times as long as the stream on "
        f"{STREAMS[stream['program']]}."
    )


def _sides(rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, bool, str]]:
    sides = {(row["model"], row["stream"]): row["title"] for row in rows}
    return [(name, stream, title) for (name, stream), title in sides.items()]


def _titles(stream: bool) -> dict[str, str]:
    return STREAMS if stream else STOCK


def _program(rows: Sequence[Mapping[str, Any]], word: str, n: int, figure: str) -> str:
    for row in rows:
        if (row["program"], row["n"]) == (word, n) and figure in row:
            return f"{row[figure] / 1e3:,.0f}" if figure == "bytes" else _us(row[figure])
    return NONE


def _us(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def settings(document: Mapping[str, Any]) -> str:
    """What the search found, a line a model and log."""
    lines = []
    for log in document["logs"]:
        for model in log["models"]:
            chosen = ", ".join(f"{name.replace('_', ' ')} {value:g}"
                              for name, value in model["settings"].items())  # fmt: skip
            best = f"{model['validation_ndcg_at_10']:.4f}", f"{model['best_epoch']:.1f}"
            lines.append([_name(log), model["title"], chosen, *best])
    return table(["log", "model", "settings", "validation NDCG@10", "best epoch"], lines)


def processor(cpu: str) -> str:
    """Its name as tables have it."""
    return re.sub(r"\(R\)|\(TM\)", "", cpu)


def table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """As Markdown."""
    rule = ["---"] * len(head)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, rule, *lines))
