"""How often an artifact that truly loses so much of NDCG@10 fails the export's check.

    python benchmarks/accuracy_gate.py --json > docs/measured/accuracy-gate.json

What the int8 ONNX artifact and the float model of the shipped checkpoint rank at each position is
real; its loss is then scaled to be truly 0, 0.5, 1 or 2 %, and users are drawn from them, as many
as there are and fewer, again and again. Nothing here is timed.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from converters import convert
from converters.targets import find_target
from device_bench.judge.loss import loss_failures, loss_warnings, ndcg_loss
from device_bench.judge.parity import CUT, Reference
from device_bench.judge.tolerance import INT8
from device_bench.measure.job import Histories, Inputs, Job, TopK
from device_bench.runners.python import PythonRunner
from glint_edge.checkpoints.checkpoint import load_checkpoint
from glint_edge.data.prefixes import prefixes
from glint_edge.data.sequences import HeldOut
from glint_edge.data.source import find_split
from glint_edge.evaluation.metrics import ndcg_by_user
from glint_edge.evaluation.ranking import rank_in_top_k
from glint_edge.model.stream import stream_program
from quantization import quantize

LOSSES = (0.0, 0.005, 0.01, 0.02)
USERS = (943, 200, 50)
DRAWS = 1000

Values = npt.NDArray[np.float64]


def measured() -> tuple[Values, Values, npt.NDArray[np.int64]]:
    """NDCG@10 of the artifact and of the float model at each position, and whose that is."""
    checkpoint = load_checkpoint()
    parts = find_split(checkpoint.data, checkpoint.catalogue, offline=False)
    if parts is None:
        raise SystemExit("the shipped checkpoint's data are not at hand")
    model = checkpoint.model
    positions = prefixes(parts.validation(), model.config.max_length)
    program = quantize(stream_program(model, CUT), "int8")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        convert(program, find_target("onnx"), path)
        job = Job("onnx", str(path), model.config.to_dict(), CUT, None, timed=False)
        histories = Histories(positions.ids, positions.offsets)
        outcome = PythonRunner().run(job, Inputs.of(Histories.of([]), histories))
    floats, _ = Reference(model, positions, None).answers(outcome.lists.items)
    users = positions.users
    assert users is not None
    return _ndcg(outcome.lists, positions), _ndcg(floats, positions), users


def _ndcg(lists: TopK, positions: HeldOut) -> Values:
    return ndcg_by_user(rank_in_top_k(lists.items, lists.scores, positions.targets), CUT)


def simulated(mine: Values, floats: Values, users: npt.NDArray[np.int64]) -> list[dict[str, Any]]:
    """A row a number of users and a true loss: how often each verdict was given."""
    random = np.random.default_rng(0)
    lost = 1 - mine.sum() / floats.sum()
    mine, floats = _by_user(mine, users), _by_user(floats, users)
    rows = []
    for count in USERS:
        whose = np.repeat(np.arange(count), mine.shape[1])
        for loss in LOSSES:
            losing = mine * (1 - loss) / (1 - lost)
            fails = open_ = 0
            for _ in range(DRAWS):
                drawn = random.integers(len(mine), size=count)
                estimate = ndcg_loss(losing[drawn].ravel(), floats[drawn].ravel(), whose)
                fails += bool(loss_failures(estimate, INT8.ndcg_loss))
                open_ += bool(loss_warnings(estimate, INT8.ndcg_loss))
            good = DRAWS - fails - open_
            shares = {"good": good, "cannot_tell": open_, "fails": fails}
            rows.append({"users": count, "loss": loss, **{k: n / DRAWS for k, n in shares.items()}})
    return rows


def _by_user(values: Values, users: npt.NDArray[np.int64]) -> Values:
    """A row a user, filled up with zeros, which count for nothing."""
    _, number, counts = np.unique(users, return_inverse=True, return_counts=True)
    rows = np.zeros((len(counts), counts.max()))
    rows[number, np.arange(len(users)) - np.repeat(np.cumsum(counts) - counts, counts)] = values
    return rows


def main() -> None:
    """Measure, simulate, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    mine, floats, users = measured()
    loss = ndcg_loss(mine, floats, users)
    assert loss is not None
    result = {
        "draws": DRAWS, "positions": len(users), "users": len(np.unique(users)),
        "measured": {"share": loss.share, "low": loss.low, "high": loss.high},
        "rows": simulated(mine, floats, users),
    }  # fmt: skip
    if asked.json:
        print(json.dumps(result, indent=1))
        return
    print(f"measured: {loss.share:.2%} ({loss.low:.2%} to {loss.high:.2%})")
    for row in result["rows"]:
        print("{users:6} users, {loss:.1%}: good {good:.1%}, cannot tell {cannot_tell:.1%}, "
              "fails {fails:.1%}".format(**row))  # fmt: skip


if __name__ == "__main__":
    main()
