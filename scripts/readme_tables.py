"""README's tables, which `docs_tables.py` puts there; each takes a path, gives head and lines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeAlias

from device_bench.document import read_document
from device_bench.judge.choice import choices
from device_bench.judge.recorded import TAP, artifact, median_us, microseconds, where

Lines: TypeAlias = tuple[list[str], list[list[str]]]

APP_TAPS = "app-tap.json"


def front(path: Path) -> Lines:
    """Three figures of a bench: of the artifact that it chooses for the most platforms.

    Beside its tap stands the one that an app sees, of `benchmarks/app_tap.py`.
    """
    chosen = max(
        choices(read_document(path)["rows"]), key=lambda one: (bool(one.row), len(one.platforms))
    )
    row: Any = chosen.row
    place = {"native": "C++", "python": "Python"}.get(row["runner"], where(row))
    heads = (
        f"{microseconds(median_us(row, TAP) or 0.0)} µs", f"{row['file_bytes'] / 1e3:,.0f} KB",
        f"{row['ndcg_at_10']:.4f} of {row['ndcg_at_10_float']:.4f}",
    )  # fmt: skip
    (app,) = [
        one["with_us"]
        for one in json.loads(path.with_name(APP_TAPS).read_text("utf-8"))["rows"]
        if one["library"] == "cpp"
    ]
    about = [
        f"a tap: taken in, and a new list ({artifact(row)} from {place}, one core); "
        f"by an app's calls, with titles and neighbours, {microseconds(app)} µs",
        "the int8 model of 1,682 films", "NDCG@10 in int8, and of the float model",
    ]  # fmt: skip
    return [f"**{head}**" for head in heads], [about]


def steps(path: Path) -> Lines:
    """A line a step of the example, as `try_readme.py` noted it, and where that was."""
    document = json.loads(path.read_text("utf-8"))
    machine, load = document["machine"], f"load {document['load']:.1f}"
    place = f"{machine['cpus']} cores of an {machine['cpu']}, torch {document['torch']}, {load}"
    return [place, "time", "disk"], [
        [f"`{_command(row['step'])}`", f"{row['seconds']:,.0f} s", _megabytes(row["bytes"])]
        for row in document["rows"]
        if not row["step"].startswith("python3 -m venv")
    ]


def _megabytes(count: int) -> str:
    size = count / 1e6
    return f"{size:,.0f} MB" if size >= 10 else f"{size:.1f} MB" if size >= 0.05 else "–"


def _command(step: str) -> str:
    """As short as it stays clear: glint-edge's without their options."""
    own = step.startswith("glint-edge ")
    return " ".join(step.split()[:2]) if own else step.rpartition("my-shop && ")[2]


KINDS = {"front": front, "steps": steps}
