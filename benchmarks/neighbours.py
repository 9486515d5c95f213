"""What the neighbours' expert wins, added to the scores or mixed with their softmax.

    python benchmarks/neighbours.py [CHECKPOINT] --out docs/measured/neighbours.json

    added   scores + c · log(1 + γ e): a bias of `recommend`, which is what bundles do
    mixed   (1 − w) softmax(scores) + w e: needs the scores of all items

Each way's numbers are chosen on validation items, and its test figures are those of that choice. Of
the additive form also for other numbers of neighbours, and for other reaches of the counts.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from glint_edge.checkpoints.checkpoint import load_checkpoint
from glint_edge.data.neighbour_counts import REACH, count
from glint_edge.data.neighbours import Neighbours
from glint_edge.data.record import nobody_repeats
from glint_edge.data.sequences import HeldOut, Split, split
from glint_edge.data.source import in_catalogue, read_beside
from glint_edge.evaluation.metrics import metrics_of_ranks
from glint_edge.evaluation.neighbours import LASTS, choose
from glint_edge.evaluation.protocols import chosen_protocol
from glint_edge.evaluation.ranking import evaluate, experts_of, leave_out_seen, scored
from glint_edge.model.protocols import Scorer

K = 32
SHARES = (0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5)  # w


def main() -> None:
    """Count, choose, rank; print a table or write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("checkpoint", nargs="?", help="its folder; the shipped one without")
    parser.add_argument("--neighbours", type=int, nargs="+", default=[8, 16, K, 64, 128])
    parser.add_argument("--reaches", type=int, nargs="+", default=[1, 5, REACH, 15])
    parser.add_argument("--out", type=Path, help="a .json file")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    checkpoint = load_checkpoint(asked.checkpoint)
    log = read_beside(checkpoint.data)
    parts = split(in_catalogue(log.whole, checkpoint.catalogue))
    protocol = chosen_protocol(None, log.source, parts)
    itself = not nobody_repeats(log.source.repeats)

    def counted(k: int, reach: int = REACH) -> Neighbours:
        return count(parts.training_parts, parts.counts(), k, itself=itself, reach=reach)

    started = time.perf_counter()
    usual = counted(K)
    seconds = time.perf_counter() - started
    model = checkpoint.model
    rows = {
        "the model alone": figures(
            lambda part, way: evaluate(model, part, protocol=way).ndcg, parts
        )
    }
    rows[f"added, {K} neighbours"] = added(model, parts, usual, protocol)
    rows[f"mixed, {K} neighbours"] = mixed(model, parts, usual, protocol)
    for k in asked.neighbours:
        if k != K:
            rows[f"added, {k} neighbours"] = added(model, parts, counted(k), protocol)
    for last in LASTS:
        rows[f"added, {K} neighbours of the last {last}"] = added(
            model, parts, usual, protocol, lasts=[last]
        )
    for reach in asked.reaches:
        if reach != REACH:
            rows[f"added, reach {reach}"] = added(model, parts, counted(K, reach), protocol)
    report = {
        "data": log.name, "chosen_by": protocol, "users": len(parts.test().targets),
        "items": parts.item_count, "seconds_to_count": round(seconds, 2),
        "bytes": len(usual.to_bytes()), "rows": rows,
    }  # fmt: skip
    if asked.out:
        asked.out.write_text(json.dumps(report, indent=1) + "\n")
    if asked.json:
        print(json.dumps(report))
        return
    print(f"NDCG@10 on {log.name}, chosen on validation items, {protocol}")
    print(f"{'':36} {'valid':>7} {'unseen':>7} {'full':>7}")
    for name, row in rows.items():
        chosen = ", ".join(f"{n} {v:g}" for n, v in row.items() if n in ("c", "gamma", "last", "w"))
        of = (row[f"validation_{protocol}"], row["test_unseen"], row["test_full"])
        print(f"{name:36} {of[0]:7.4f} {of[1]:7.4f} {of[2]:7.4f}  {chosen}")


def figures(ndcg: Callable[[HeldOut, str], float], parts: Split) -> dict[str, float]:
    """Of a way: NDCG@10 on validation items and on test items, by what is ranked."""
    return {
        f"{name}_{way}": ndcg(part, way)
        for name, part in (("validation", parts.validation()), ("test", parts.test()))
        for way in ("unseen", "full")
    }


def added(
    model: Scorer,
    parts: Split,
    neighbours: Neighbours,
    protocol: str,
    lasts: Sequence[int] = LASTS,
) -> dict[str, float]:
    """The additive form, c, γ and how many items count chosen."""
    own = choose(model, parts.validation(), neighbours, protocol=protocol, lasts=lasts).neighbours
    ndcg = figures(
        lambda part, way: evaluate(model, part, protocol=way, neighbours=own).ndcg, parts
    )
    return {**({} if own is None else {"c": own.c, "gamma": own.gamma, "last": own.last}), **ndcg}


def mixed(model: Scorer, parts: Split, neighbours: Neighbours, protocol: str) -> dict[str, Any]:
    """The mixture, w chosen."""

    def ndcg(part: HeldOut, way: str) -> npt.NDArray[np.float64]:
        ranks = mixed_ranks(model, part, neighbours, way)
        return np.array([metrics_of_ranks(own, weights=part.weights).ndcg for own in ranks.T])

    best = int(ndcg(parts.validation(), protocol).argmax())
    return {"w": SHARES[best], **figures(lambda part, way: float(ndcg(part, way)[best]), parts)}


@torch.inference_mode()
def mixed_ranks(
    model: Scorer, held_out: HeldOut, neighbours: Neighbours, protocol: str
) -> npt.NDArray[np.int64]:
    """The targets' ranks by w: int64 [U, shares]."""
    ranks = np.zeros((len(held_out.targets), len(SHARES)), dtype=np.int64)
    for users, scores in scored(model, held_out, "sliding", torch.device("cpu")):
        row, item, expert = experts_of(neighbours, held_out, users)
        dense = torch.zeros_like(scores)
        dense[torch.from_numpy(row), torch.from_numpy(item)] = torch.from_numpy(expert).to(scores)
        likely = scores.softmax(dim=1)
        targets = torch.from_numpy(held_out.targets[users])[:, None]
        for number, share in enumerate(SHARES):
            both = (1 - share) * likely + share * dense
            if protocol == "unseen":
                leave_out_seen(both, held_out, users)
            own = both.gather(1, targets)
            ranks[users, number] = (both >= own).sum(dim=1).numpy()
    return ranks


if __name__ == "__main__":
    main()
