"""GLINT-RU beside its peers: accuracy, training, weights, and one tap on this machine.

    python benchmarks/compare_models.py --out runs/compare --data amazon-beauty.txt \
        amazon-video-games.txt ml-100k --json docs/measured/compare-models.json

Each model of each log has the same search (`models/search.py`: as many trials, on validation items
alone), and is trained with what that found, once a seed, by one loop, loader, loss and recipe
(`models/fitting.py`). Test items are looked at once, at the epoch that validates best. Then each is
exported and timed (`device_times.py`). Every trial and training is a line of a file under `--out`:
the same command goes on where it was stopped, and started twice it takes two cores. The table is of
all that is there, and of the other logs that the results file has.

    python benchmarks/compare_models.py --out runs/compare \
        --taps-of docs/measured/compare-models.json

trains nothing: it times the models of a results file on this machine, with the settings that the
file has (a model that is not in it: its own), and puts the times into the file.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from device_times import measure
from models.contenders import (
    CONTENDERS,
    GLINT,
    LATER_ITEMS,
    NEIGHBOUR_ROWS,
    SCHEDULE,
    USUAL,
    Settings,
)
from models.runs import Budget, Log, open_log, ranks, results, run
from models.tables import STREAMS, accuracy, device, lengths, settings

from device_bench.measure.machine import machine
from glint_edge.config import LEVERS
from glint_edge.data.sequences import HeldOut
from glint_edge.errors import GlintEdgeError
from glint_edge.evaluation.metrics import mean, ndcg_by_user
from glint_edge.evaluation.paired import Difference
from glint_edge.evaluation.slices import length_bands

STEPS = ("accuracy", "device")
DEVICE = "device.json"
FIGURES = ("recall_at_10", "mrr_at_10", "ndcg_at_10")


def document(
    logs: Sequence[Log], models: Sequence[str], budget: Budget, out: Path
) -> dict[str, Any]:
    """All that is there, as JSON values."""
    times = out / DEVICE
    return {
        "logs": [_of_log(log, models, budget, out) for log in logs],
        "device": json.loads(times.read_text("utf-8")) if times.exists() else None,
    }


def added(document: dict[str, Any], path: Path) -> dict[str, Any]:
    """The same with what a results file has of other logs and, where there are none, its times.

    A log with neighbours' rows and the same one without are two.
    """
    if not path.exists():
        return document
    before = json.loads(path.read_text("utf-8"))
    measured = {_identity(log) for log in document["logs"]}
    others = [log for log in before["logs"] if _identity(log) not in measured]
    logs = [*others, *document["logs"]]
    names = [log["log"] for log in logs]
    logs.sort(key=lambda log: names.index(log["log"]))
    return {**document, "logs": logs, "device": document["device"] or before["device"]}


def _identity(log: Mapping[str, Any]) -> tuple[str, int]:
    return log["log"], log.get("neighbour_rows", 0)


def _of_log(log: Log, models: Sequence[str], budget: Budget, out: Path) -> dict[str, Any]:
    lines = {name: results(log, name, budget, out) for name in models}
    ndcg = {name: _ndcg(log, name, lines[name], out) for name in models if lines[name]}
    test = log.parts.test()
    rows = []
    for name in ndcg:
        own = lines[name]
        row: dict[str, Any] = {
            "model": name, "title": CONTENDERS[name].title, "kind": CONTENDERS[name].kind,
            "settings": own[0]["settings"], "seeds": [line["seed"] for line in own],
            "weights": own[0]["weights"], "weights_without_table": own[0]["weights_without_table"],
            **{key: statistics.fmean(line[key] for line in own)
               for key in ("minutes", "validation_ndcg_at_10", "best_epoch")},
        }  # fmt: skip
        for word in ndcg[name]:
            row[word] = _figures([line[word] for line in own])
            if name != GLINT and word in ndcg.get(GLINT, {}):
                lead = ndcg[GLINT][word] - ndcg[name][word]
                row[word]["lead"] = Difference.of(lead, test.weights).to_dict()
        rows.append(row)
    return {
        "log": log.name, "users": len(test.targets), "items": log.parts.item_count,
        "processor": machine()["cpu"], "protocol": log.same.protocol, "n": log.same.max_length,
        **asdict(budget), "models": rows,
        "by_length": _by_length(test, {name: by_word["unseen"] for name, by_word in ndcg.items()}),
    }  # fmt: skip


def _by_length(test: HeldOut, ndcg: Mapping[str, npt.NDArray[np.float64]]) -> list[dict[str, Any]]:
    """NDCG@10 of users whose history has so many items: a row a band, a figure a model."""
    rows = []
    for band, users in length_bands(np.diff(test.offsets)).items():
        if users.any():
            weights = None if test.weights is None else test.weights[users]
            own = {name: mean(values[users], weights) for name, values in ndcg.items()}
            rows.append({"history": band, "users": int(users.sum()), "ndcg_at_10": own})
    return rows


def _ndcg(
    log: Log, name: str, lines: Sequence[dict[str, Any]], out: Path
) -> dict[str, npt.NDArray[np.float64]]:
    """Each user's NDCG@10, the mean of the seeds, by a table's word."""
    seeds = [ranks(log, name, line["seed"], out) for line in lines]
    return {word: np.mean([ndcg_by_user(one[word]) for one in seeds], axis=0) for word in seeds[0]}


def _figures(runs: Sequence[dict[str, float]]) -> dict[str, Any]:
    ndcg = [one["ndcg_at_10"] for one in runs]
    return {
        **{name: statistics.fmean(one[name] for one in runs) for name in FIGURES},
        "by_seed": ndcg, "deviation": statistics.stdev(ndcg) if len(ndcg) > 1 else None,
    }  # fmt: skip


def time_taps(logs: Sequence[Log], budget: Budget, asked: argparse.Namespace) -> None:
    """Export and time what was trained on the first log, once no training is missing."""
    done = {(log.name, name): results(log, name, budget, asked.out)
            for log in logs for name in asked.models}  # fmt: skip
    for (log_name, name), lines in done.items():
        if len(lines) < len(budget.seeds):  # another process is at it, and would be in the way
            print(f"taps are not timed: {log_name}, {name} is missing", file=sys.stderr)
            return
    log = logs[0]
    best = {name: done[log.name, name][0]["settings"] for name in asked.models}
    times = _taps(best, log.name, log.parts.item_count, budget.d, asked)
    (asked.out / DEVICE).write_text(json.dumps(times, indent=1) + "\n", "utf-8")


def time_taps_of(document: dict[str, Any], asked: argparse.Namespace) -> dict[str, Any]:
    """A results file's values with the times of its first log's models on this machine.

    Where the file has that log with neighbours' rows, too, their search is the one that counts.
    """
    same = [log for log in document["logs"] if log["log"] == document["logs"][0]["log"]]
    log = max(same, key=lambda log: log.get("neighbour_rows", 0))
    searched = {model["model"]: model["settings"] for model in log["models"]}
    best = {name: searched.get(name, CONTENDERS[name].first) for name in asked.models}
    return {**document, "device": _taps(best, log["log"], log["items"], log["d"], asked)}


def _taps(
    best: Mapping[str, Settings], log: str, items: int, d: int, asked: argparse.Namespace
) -> dict[str, Any]:
    rows = measure(
        {name: settings for name, settings in best.items() if not CONTENDERS[name].like},
        items, d, asked.lengths, asked.out / "files",
        seconds=asked.seconds, streams=asked.streams, litert=not asked.no_litert,
    )  # fmt: skip
    rows = [{**row, "title": CONTENDERS[row["model"]].title} for row in rows]
    return {"log": log, "items": items, "d": d, "machine": machine(), "rows": rows}


def main() -> None:
    """Run what is missing, print the tables; exit code 2 and one line if it cannot be done."""
    asked = parse()
    asked.out.mkdir(parents=True, exist_ok=True)
    try:
        done = _timed(asked) if asked.taps_of else _run(asked)
    except GlintEdgeError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
    results_file(asked).write_text(json.dumps(done, indent=1) + "\n", "utf-8")
    print("\n\n".join([accuracy(done), lengths(done), settings(done), device(done)]))


def results_file(asked: argparse.Namespace) -> Path:
    """Where the results are written."""
    path: Path = asked.json or asked.taps_of or asked.out / "compare-models.json"
    return path


def _timed(asked: argparse.Namespace) -> dict[str, Any]:
    return time_taps_of(json.loads(asked.taps_of.read_text("utf-8")), asked)


def _run(asked: argparse.Namespace) -> dict[str, Any]:
    budget = Budget(**{field.name: getattr(asked, field.name) for field in fields(Budget)})
    logs = [open_log(data, budget) for data in asked.data]
    if "accuracy" in asked.steps:
        for log in logs:
            for name in asked.models:
                if not run(log, name, budget, asked.out):
                    print(f"{log.name}, {name}: another process is at it", file=sys.stderr)
    if "device" in asked.steps:
        time_taps(logs, budget, asked)
    return added(document(logs, asked.models, budget, asked.out), results_file(asked))


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "--data", nargs="+",
        help="ml-100k, or logs; taps are timed at the first one's catalogue",
    )  # fmt: skip
    what.add_argument("--taps-of", type=Path, help="a results file, whose models are timed")
    parser.add_argument("--out", type=Path, required=True, help="folder of all that was run")
    parser.add_argument("--models", nargs="+", choices=CONTENDERS, default=list(USUAL))
    parser.add_argument("--trials", type=int, default=12, help="of each model's search; 0: none")
    parser.add_argument("--trial-epochs", type=int, default=10, help="of a trial at most")
    parser.add_argument("--epochs", type=int, default=20, help="of a training at most")
    parser.add_argument("--patience", type=int, default=6)
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    parser.add_argument("--d", type=int, default=64, help="width of all models")
    parser.add_argument(
        "--schedule", choices=LEVERS["schedule"].choices, default=SCHEDULE,
        help="the step size by epoch; constant is the better one for few epochs",
    )  # fmt: skip
    parser.add_argument(
        "--later-items", type=float, default=LATER_ITEMS,
        help="what an item after the next one counts as a target, of the one before it",
    )  # fmt: skip
    parser.add_argument(
        "--neighbour-rows", type=int, default=NEIGHBOUR_ROWS,
        help="nearest items whose rows an item's vector takes in",
    )  # fmt: skip
    parser.add_argument(
        "--steps", nargs="*", choices=STEPS, default=list(STEPS),
        help="what may be missing is run; the table is always printed",
    )  # fmt: skip
    parser.add_argument("--lengths", nargs="+", type=int, default=[50, 200], help="N of the taps")
    parser.add_argument("--seconds", type=float, default=60.0, help="of timing, each N")
    parser.add_argument("--streams", nargs="*", choices=STREAMS, default=list(STREAMS))
    parser.add_argument("--no-litert", action="store_true", help="do not convert the peers to it")
    parser.add_argument(
        "--json", type=Path, help="default: --taps-of, else OUT/compare-models.json"
    )
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
