"""What a model is before its first step."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from glint_edge.config import TrainConfig
from glint_edge.data.sequences import Split
from glint_edge.data.sharded.shards import ShardedLog
from glint_edge.model.glint_ru import GlintRU
from glint_edge.model.protocols import Encoder

REACH = 5  # places within which two items of a sequence stand near one another
SMOOTHING = 0.75  # the power of a context's frequency
SPREAD = 0.05  # the rows' standard deviation
MORE, PASSES = 16, 4  # of the randomized decomposition: columns beside those kept, and iterations
MOST_ITEMS = 200_000  # above it the decomposition takes more memory than the training
MOST_INTERACTIONS = 4_000_000  # some 100 bytes each; of a larger log, sequences drawn at random

Ids = npt.NDArray[np.integer]


def start(model: Encoder, config: TrainConfig, data: Split | ShardedLog) -> None:
    """Set the first weights as a training asks for, in place; of other models the table alone."""
    items, d = len(model.embedding.weight) - 1, model.embedding.embedding_dim
    if config.output_start and isinstance(model, GlintRU):
        for matrix in _outputs(model):
            nn.init.normal_(matrix.weight, std=config.output_start)
    if config.table_start == "svd" and items <= MOST_ITEMS:
        ids, offsets = data.training()
        drawn = np.random.default_rng(config.seed)
        a, b, weights = near_pairs(*_some(ids, offsets, drawn))
        rows = rows_of_pairs(a, b, weights, items, d)
        with torch.no_grad():
            # Items that stand near none keep what was drawn.
            table = model.embedding.weight
            table[1:] *= SPREAD / table[1:].std()
            table[1:] = torch.where(rows[1:].any(dim=1, keepdim=True), rows[1:], table[1:])


def _outputs(model: GlintRU) -> list[nn.Linear]:
    """The matrices that write to a residual."""
    last = [model.mlp_out] if model.config.gated_mlp else []
    return [model.attention_out, model.mix_out, *last]


def _some(
    ids: Ids, offsets: npt.NDArray[np.int64], rng: np.random.Generator
) -> tuple[Ids, npt.NDArray[np.int64]]:
    """Sequences of `MOST_INTERACTIONS`, drawn at random where there are more; the last is cut."""
    if len(ids) <= MOST_INTERACTIONS:
        return ids, offsets
    order = rng.permutation(len(offsets) - 1)
    ends = np.diff(offsets)[order].cumsum().clip(max=MOST_INTERACTIONS)
    lengths = np.diff(ends, prepend=0)
    chosen = [
        ids[offsets[user] : offsets[user] + n] for user, n in zip(order, lengths, strict=True) if n
    ]
    return np.concatenate(chosen), np.concatenate([[0], ends[: len(chosen)]])


def near_pairs(ids: Ids, offsets: npt.NDArray[np.int64]) -> tuple[Tensor, Tensor, Tensor]:
    """Items that stand within `REACH` places of one another in a sequence, in both orders.

    Args:
        ids: integers [T], sequence after sequence.
        offsets: int64 [U + 1], where each starts, and T.

    Returns:
        Items int64 [P] and int64 [P], and one over their gap, float32 [P].
    """
    user = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    firsts, seconds, weights = [], [], []
    for gap in range(1, REACH + 1):
        near = (user[gap:] == user[:-gap]) & (ids[gap:] > 0) & (ids[:-gap] > 0)
        first, second = ids[:-gap][near], ids[gap:][near]
        firsts += [first, second]
        seconds += [second, first]
        weights.append(np.full(2 * len(first), 1.0 / gap, dtype=np.float32))
    a, b, weight = map(np.concatenate, (firsts, seconds, weights))
    return (
        torch.from_numpy(a.astype(np.int64)),
        torch.from_numpy(b.astype(np.int64)),
        torch.from_numpy(weight),
    )


def rows_of_pairs(a: Tensor, b: Tensor, weights: Tensor, items: int, d: int) -> Tensor:
    """Rows by which items that stand near one another are alike.

    U √S of the pairs' positive pointwise mutual information (Levy & Goldberg, "Neural Word
    Embedding as Implicit Matrix Factorization", NeurIPS 2014), contexts smoothed (Levy et al.,
    "Improving Distributional Similarity", TACL 2015), by a randomized decomposition.

    Args:
        a: items int64 [P].
        b: the items near them, int64 [P].
        weights: float32 [P], how much each pair counts.
        items: catalogue size V.
        d: width.

    Returns:
        float32 [V + 1, d]; zeros for items that stand near none.
    """
    shape = (items + 1, items + 1)
    with torch.sparse.check_sparse_tensor_invariants(enable=False):
        pairs = torch.sparse_coo_tensor(torch.stack([a, b]), weights, shape).coalesce()
        (row, column), count = pairs.indices(), pairs.values()
        frequency = torch.zeros(shape[0]).index_add_(0, row, count)
        context = frequency**SMOOTHING
        expected = frequency[row] * context[column] / context.sum()
        information = (count / expected).log().clamp(min=0.0)
        matrix = torch.sparse_coo_tensor(pairs.indices(), information, shape).coalesce()
        u, s, _ = torch.svd_lowrank(matrix, q=min(d + MORE, shape[0]), niter=PASSES)
    rows = torch.zeros(shape[0], d)
    # Of the others the decomposition has rounding errors in place of zeros.
    near = torch.zeros(shape[0]).index_add_(0, row, information) > 0
    if near.any():
        kept = min(d, len(s))
        rows[near, :kept] = u[near, :kept] * s[:kept].sqrt()
        rows *= SPREAD / rows[near].std()
    return rows
