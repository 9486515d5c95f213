"""Writes README's and the docs' tables of measured figures from the JSON in docs/measured.

    glint-edge bench … --output docs/measured/NAME.json
    python benchmarks/app_tap.py … --out docs/measured/app-tap.json
    python benchmarks/accuracy_gate.py --json > docs/measured/accuracy-gate.json
    python benchmarks/cold_start.py … --out docs/measured/cold-start.json
    python benchmarks/engine.py … --out docs/measured
    python benchmarks/filters.py … --out docs/measured/filters.json
    python benchmarks/instructions.py … --out docs/measured/instructions.json
    python benchmarks/item_features.py … --out docs/measured/item-features.json
    python benchmarks/native_loop.py … --out docs/measured/native-loop.json
    python benchmarks/neighbours.py --out docs/measured/neighbours.json
    python benchmarks/new_items.py --out docs/measured/new-items.json
    python benchmarks/precisions.py … --out docs/measured/precisions.json
    python benchmarks/recipe.py … --out docs/measured/recipe.json
    python benchmarks/recipe.py … --set … neighbours=32 --out docs/measured/accuracy.json
    python benchmarks/session_window.py … --out docs/measured/session-window.json
    glint-edge evaluate --slices --json, by protocol: docs/measured/shipped-evaluate.json
    python benchmarks/training_speed.py … --out docs/measured/training-speed.json
    python benchmarks/web.py … --out docs/measured/web.json
    python -m tests.campaign … --json docs/measured/reliability.json
    python benchmarks/compare_models.py … --json docs/measured/compare-models.json
    python scripts/docs_tables.py

Between `<!-- table KIND NAME -->` and `<!-- end of table -->` stands what KIND makes of NAME.json,
so a figure that stands on two pages is one figure. A table whose JSON was not written yet stays as
it stands. A test holds that the pages are as this leaves them.
"""

from __future__ import annotations

import json
import re
import runpy
import statistics
import textwrap
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from device_bench.document import read_document
from device_bench.judge.recorded import artifact, median_us, microseconds, where
from device_bench.reports.columns import few

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = (ROOT / "README.md", *sorted(DOCS.glob("*.md")))
MEASURED = DOCS / "measured"
# What is no result of a benchmark: by name, where it lies.
ELSEWHERE = {"shipped-checkpoint": ROOT / "glint_edge" / "checkpoints" / "default" / "config.json"}
# Kinds that name no machine below them.
SAYS_WHERE = ("choice", "front", "steps", "models", "lengths", "settings")
TABLE = re.compile(r"(<!-- table (\S+) (\S+) -->\n).*?(<!-- end of table -->)", re.DOTALL)

# Headings of `device_bench.reports.columns`, and what the docs call the last cold start.
FIGURES = (
    "append µs", "recommend µs", "cold 200 µs", "file KB", "added MB", "NDCG@10 (float)", "lost %",
    "overlap",
)  # fmt: skip


def gate(path: Path) -> str:
    """How often each verdict is given, a line a true loss, a column a number of users."""
    rows = json.loads(path.read_text("utf-8"))["rows"]
    users = list(dict.fromkeys(row["users"] for row in rows))
    lines = []
    for loss in dict.fromkeys(row["loss"] for row in rows):
        cells = [
            " / ".join(f"{row[name]:.1%}" for name in ("good", "cannot_tell", "fails"))
            for row in rows
            if row["loss"] == loss
        ]
        lines.append([f"{loss:.1%}", *cells])
    return table(["true loss", *(f"{count} users" for count in users)], lines)


def bench(path: Path) -> str:
    """A line a row, as `glint-edge bench` shows them."""
    rows = read_document(path)["rows"]
    columns = few(rows, FIGURES)
    return table(
        ["", *(column.heading for column in columns)],
        [[_name(row), *(column.cell(row).line for column in columns)] for row in rows],
    )


def runners(path: Path) -> str:
    """A line a row: times and memory, for the same artifacts from Python and from C++."""
    rows = read_document(path)["rows"]
    rows = [row for row in rows if row["target"] != "torch" and median_us(row, "append")]
    methods = ("append", "recommend", "cold_start_50", "cold_start_200")
    sizes = few(rows, ("load ms", "added MB", "peak MB"))
    return table(
        ["µs", *(method.replace("_start_", " ") for method in methods),
         *(column.heading for column in sizes)],
        [
            [
                _name(row),
                *(microseconds(median_us(row, method) or 0.0) for method in methods),
                *(column.cell(row).line for column in sizes),
            ]
            for row in rows
        ],
    )  # fmt: skip


def choice(path: Path) -> str:
    """The sentence on top of a bench, as the terminal has it."""
    text = read_document(path)["choices"][0]["text"]
    return textwrap.fill(text, 108, initial_indent="    ", subsequent_indent="    ")


def filters(path: Path) -> str:
    """What a list's filters cost, a line a target and catalogue."""
    lines = []
    for row in json.loads(path.read_text("utf-8"))["rows"]:
        times = (row[f"{name}_us"] for name in ("before", "plain", "left_out", "similar"))
        sizes = (row["before_bytes"], row["bytes"])
        lines.append([
            f"{row['target']}, {row['items']:,} items",
            *("–" if us is None else microseconds(us) for us in times),
            *("–" if size is None else f"{size / 1e3:,.0f}" for size in sizes),
        ])  # fmt: skip
    head = ["int8, d 64", "µs before", "no filter", "200 left out", "similar", "KB before", "KB"]
    return table(head, lines)


def _name(row: Mapping[str, Any]) -> str:
    return f"{artifact(row)}, {where(row) or 'python'}"


def campaign(path: Path) -> str:
    """How many inputs of each kind, and stops of each over all writers, and what came of them."""
    counts = json.loads(path.read_text("utf-8"))
    inputs = _outcomes("input", counts.pop("inputs"))
    stops = {kind: _sum(own.values()) for kind, own in counts.items()}
    return f"{inputs}\n\n{_outcomes('stop', stops)}"


def _outcomes(head: str, rows: Mapping[str, Mapping[str, int]]) -> str:
    rows = {**rows, "all": _sum(rows.values())}
    words = rows["all"]
    return table(
        [head, "tried", *words],
        [
            [name, f"{sum(own.values()):,}", *(f"{own.get(word, 0):,}" for word in words)]
            for name, own in rows.items()
        ],
    )


def _sum(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for own in counts:
        for word, count in own.items():
            total[word] = total.get(word, 0) + count
    return total


def sessions(path: Path) -> str:
    """A line a way of forgetting: accuracy, and what a tap costs, each model a pair of columns."""
    rows = json.loads(path.read_text("utf-8"))["rows"]
    windows = list(dict.fromkeys(row["window"] for row in rows))
    head, lines = ["beyond the window"], [[way] for way in rows[0]["ndcg_at_10"]]
    for window in windows:
        own = [row for row in rows if row["window"] == window]
        seeds = f", {len(own)} seeds" if len(own) > 1 else ""
        users = own[0]["users"]
        head += [f"NDCG@10, N {window}, {users} users{seeds}", "a tap, µs", "the longest"]
        for line in lines:
            way = line[0]
            taps = [row["taps_us"][way] for row in own]
            ndcg = statistics.fmean(row["ndcg_at_10"][way] for row in own)
            times = (statistics.median(tap[name] for tap in taps) for name in ("mean", "longest"))
            line += [f"{ndcg:.4f}", *map(microseconds, times)]
    return table(head, lines)


# The comparison prints its own tables, which are no part of any package.
_MODELS = runpy.run_path(str(ROOT / "benchmarks" / "models" / "tables.py"))


def _of_models(part: str) -> Callable[[Path], str]:
    return lambda path: str(_MODELS[part](json.loads(path.read_text("utf-8"))))


# Those of the engine, README, the results and the shipped checkpoint are files of their own.
_ELSEWHERE: Mapping[str, Callable[[Path], tuple[list[str], list[list[str]]]]] = {
    kind: function
    for name in ("engine_tables.py", "readme_tables.py", "results_tables.py", "shipped_tables.py")
    for kind, function in runpy.run_path(str(ROOT / "scripts" / name))["KINDS"].items()
}


def _of_another(kind: str) -> Callable[[Path], str]:
    return lambda path: table(*_ELSEWHERE[kind](path))


KINDS: Mapping[str, Callable[[Path], str]] = {
    **{kind: _of_another(kind) for kind in _ELSEWHERE},
    "gate": gate, "bench": bench, "choice": choice, "runners": runners, "campaign": campaign,
    "filters": filters, "sessions": sessions, "models": _of_models("accuracy"),
    "taps": _of_models("device"), "lengths": _of_models("lengths"),
    "settings": _of_models("settings"),
}  # fmt: skip


def table(head: list[str], lines: list[list[str]]) -> str:
    """As Markdown."""
    rule = ["---"] * len(head)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, rule, *lines))


def place(path: Path) -> str:
    """The machine that a table's figures are of, as a line below it; empty where none is named."""
    document = json.loads(path.read_text("utf-8"))
    if not isinstance(document, dict):
        return ""
    # A comparison's own are named log by log; below its taps stands theirs.
    machine = (document.get("device") or document).get("machine")
    if machine is None:
        return ""
    cpu = _MODELS["processor"](machine["cpu"])
    parts = [f"{machine['cpus']} cores of an {cpu}, {machine['system']}"]
    if document.get("kind") == "bench":
        loads = [end["load"] for row in document["rows"] for end in row["conditions"].values()]
        parts += [document["created"][:10], *([f"load {max(loads):.1f}"] if loads else [])]
    busy = [each["busy"] for each in (document, *document.get("rows", ())) if "busy" in each]
    parts += ["other work ran beside" if any(busy) else "nothing else ran"] if busy else []
    return f"\n\n*{'; '.join(parts)}*"


def with_tables(page: str) -> str:
    """The page, its tables written anew."""

    def written(match: re.Match[str]) -> str:
        start, kind, name, end = match.groups()
        path = ELSEWHERE.get(name, MEASURED / f"{name}.json")
        if not path.is_file():
            return match[0]
        about = "" if kind in SAYS_WHERE else place(path)
        return f"{start}\n{KINDS[kind](path)}{about}\n\n{end}"

    return TABLE.sub(written, page)


if __name__ == "__main__":
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        if (written := with_tables(text)) != text:
            page.write_text(written, encoding="utf-8")
