"""What a checkpoint is worth on held-out items."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from glint_edge.api.arguments import AnyCheckpoint, AnyPath, as_checkpoint
from glint_edge.api.progress import OnStep, shows, silent
from glint_edge.data.options import load_options
from glint_edge.data.sequencing.splits import PARTS

if TYPE_CHECKING:
    from glint_edge.data.options import Reading
    from glint_edge.evaluation.appraisal import Appraisal


@shows("on_step", "steps")
def evaluate(
    checkpoint: AnyCheckpoint = None,
    other: AnyCheckpoint = None,
    *,
    data: object = None,
    part: str = "test",
    protocol: str | None = None,
    k: int = 10,
    seed: int = 0,
    plot: AnyPath | None = None,
    on_step: OnStep = silent,
    **reading: Unpack[Reading],
) -> Appraisal:
    """Recall, MRR and NDCG of a float checkpoint on held-out items, beside its baselines.

    Args:
        checkpoint: loaded, or its folder; None: the shipped one.
        other: another, trained on the same data: both are measured on the same users.
        data: what `load_log` takes or returned; None: what the model was trained on.
        part: "test" or "validation".
        protocol: "full" ranks the whole catalogue; "unseen" leaves out the user's own items;
            "sampled-pop100" ranks among 100 popular negatives. They do not compare. None: "unseen"
            where nobody takes an item again, else "full".
        k: the cut of every figure.
        seed: of the sampled negatives.
        plot: also draw the slices into this .png or .svg file.
        on_step: told what is being done.
        reading: how `data` is read and split: `user`, `time`, `split` and so on, as for `load_log`;
            the rest as the checkpoint stores it. A `split` that is a part is the `part`.
    """
    if (split := reading.get("split")) in PARTS:  # as the option was called before
        part = str(split)
        reading["split"] = None
    options = load_options(**reading)
    options.require_possible()
    if plot is not None:
        from glint_edge.evaluation.slice_plot import check_plot, draw_slices

        check_plot(Path(plot))
    loaded = as_checkpoint(checkpoint)
    from glint_edge.evaluation.appraise import appraise_checkpoint

    appraisal = appraise_checkpoint(
        loaded, other=None if other is None else as_checkpoint(other),
        data=data, options=options, part=part, protocol=protocol, k=k, seed=seed, on_step=on_step,
    )  # fmt: skip
    if plot is not None:
        draw_slices(Path(plot), appraisal.slices)
    return appraisal
