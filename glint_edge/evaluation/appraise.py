"""A model and its baselines, measured on the same users under the same protocol."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from glint_edge.checkpoints.checkpoint import Checkpoint
from glint_edge.data.grouping import groups
from glint_edge.data.neighbours import Neighbours
from glint_edge.data.options import LoadOptions
from glint_edge.data.sequences import HeldOut, repeats
from glint_edge.data.source import part_of, read_beside, split_for
from glint_edge.errors import ConfigError
from glint_edge.evaluation.appraisal import ALONE, MODEL, NEIGHBOURS, Appraisal
from glint_edge.evaluation.baselines import LastItemNeighbours, Popularity
from glint_edge.evaluation.lists import Fields, codes_of, list_figures
from glint_edge.evaluation.metrics import metrics_of_ranks
from glint_edge.evaluation.paired import compare
from glint_edge.evaluation.protocols import chosen_protocol
from glint_edge.evaluation.ranking import Ranked, ranked
from glint_edge.evaluation.slices import popularity_ranks, slices
from glint_edge.model.glint_ru import GlintRU
from glint_edge.model.protocols import Scorer
from glint_edge.tables import counted

Ids = npt.NDArray[np.int64]
Training = tuple[npt.NDArray[np.integer], Ids]

UNBOUNDED, POPULARITY = "unbounded", "popularity"


def appraise(
    model: GlintRU,
    held_out: HeldOut,
    training: Training,
    *,
    popularity: Ids | None = None,
    protocol: str = "full",
    k: int = 10,
    seed: int = 0,
    codes: Mapping[str, Ids] | None = None,
    other: tuple[str, GlintRU, Neighbours | None] | None = None,
    neighbours: Neighbours | None = None,
    on_step: Callable[[str], None] = lambda _: None,
) -> Appraisal:
    """Measure a model and its baselines on the same users under the same protocol.

    Args:
        model: the float model.
        held_out: histories and targets.
        training: integers [T], the training sequences, one after another, and int64 [U + 1], where
            each starts. All that the baselines know.
        popularity: int64 [V + 1], by which negatives are sampled; None: training interactions.
        protocol: as `glint_edge.evaluation.ranking.ranked` takes it.
        seed: of sampled negatives.
        k: the cut.
        codes: int64 [V + 1] by field, the item's value of it, as of `codes_of`.
        other: what another model of the same items is called, itself, and its neighbours.
        neighbours: the expert beside the model; None: there is none.
        on_step: called with each step's name before it begins.

    Raises:
        ConfigError: the protocol is unknown.
    """
    counts = np.bincount(training[0], minlength=model.config.items + 1)
    drawn_by = counts if popularity is None else popularity

    lengths = np.diff(held_out.offsets)
    again = repeats(held_out)
    longer = bool((lengths > model.config.max_length).any())
    # With reference padding a history of N items leaves no pad: there is no longer one.
    whole = longer and model.config.padding == "masked"

    def ranks_of(
        name: str, scorer: Scorer, neighbours: Neighbours | None = None, window: str = "sliding"
    ) -> Ranked:
        on_step(f"ranking for {counted(len(lengths), 'users')}: {name}")
        return ranked(
            scorer, held_out, protocol=protocol, popularity=drawn_by, seed=seed, window=window,
            top=k, neighbours=neighbours,
        )  # fmt: skip

    mine = ranks_of("the model", model, neighbours)
    beside = {UNBOUNDED: ranks_of(UNBOUNDED, model, neighbours, UNBOUNDED)} if whole else {}
    if neighbours is not None:
        beside[ALONE] = ranks_of(ALONE, model)
    beside[POPULARITY] = ranks_of(POPULARITY, Popularity(counts))
    beside[NEIGHBOURS] = ranks_of(NEIGHBOURS, LastItemNeighbours(*training, counts))
    weights = held_out.weights
    figures = {name: metrics_of_ranks(own.ranks, k, weights) for name, own in beside.items()}
    rival = None
    if other is not None:
        theirs = ranks_of(*other).ranks
        their_figures = metrics_of_ranks(theirs, k, weights)
        rival = compare(other[0], their_figures, mine.ranks, theirs, weights)
    baselines = (POPULARITY, NEIGHBOURS)
    listed = {MODEL: mine, **{name: beside[name] for name in baselines}}
    return Appraisal(
        figures=metrics_of_ranks(mine.ranks, k, weights),
        unbounded=figures.get(UNBOUNDED),
        baselines={name: figures[name] for name in baselines},
        slices=slices(
            mine.ranks, lengths, popularity_ranks(counts)[held_out.targets], len(counts) - 1,
            k=k, beside={name: own.ranks for name, own in beside.items()}, weights=weights,
            again=again,
        ),
        lists={
            name: list_figures(own.lists, held_out, counts, codes) for name, own in listed.items()
        },
        against={
            name: compare(name, figures[name], mine.ranks, beside[name].ranks, weights)
            for name in baselines
        },
        repeats=float(again.mean()),
        protocol=protocol,
        other=rival,
        max_length=model.config.max_length,
        items=model.config.items,
        alone=figures.get(ALONE),
    )  # fmt: skip


def appraise_checkpoint(
    checkpoint: Checkpoint,
    *,
    other: Checkpoint | None = None,
    data: object = None,
    options: LoadOptions | None = None,
    part: str = "test",
    protocol: str | None = None,
    k: int = 10,
    seed: int = 0,
    fields: Fields | None = None,
    on_step: Callable[[str], None] = lambda _: None,
) -> Appraisal:
    """`appraise` on the "validation" or "test" items of a log, or of what it was trained on.

    Args:
        checkpoint: whose model is measured.
        other: trained on the same; measured on the same users.
        data: what `load_log` takes, or what it returned; None: the checkpoint's own.
        options: what is to be read otherwise than the checkpoint stores.
        part: "validation" or "test".
        protocol: as for `appraise`; None: that of `chosen_protocol`.
        k: as for `appraise`, and so are the others.
        seed: see there.
        fields: of each field, such as a category, the value by item key; None: the catalogue's that
            group items.
        on_step: see there.

    Raises:
        ConfigError: the protocol or the part is unknown, or the other checkpoint is of other data.
        DataError: the log cannot be read, or shares no item with the model.
    """
    if other is not None:
        _require_same_data(checkpoint, other)
    log = read_beside(checkpoint.data, data, options)
    log.tell_split()
    parts = split_for(log, checkpoint.catalogue)
    protocol = chosen_protocol(protocol, log.source, parts)
    keys = checkpoint.catalogue.keys
    if fields is None:
        fields = {n: of for n, of in checkpoint.catalogue.fields.items() if groups(of.values())}
    appraisal = appraise(
        checkpoint.model, part_of(parts, part), parts.training(), popularity=parts.popularity(),
        protocol=protocol, k=k, seed=seed, on_step=on_step,
        codes={name: codes_of(keys, values) for name, values in fields.items()},
        other=(_name(other), other.model, other.neighbours) if other else None,
        neighbours=checkpoint.neighbours,
    )  # fmt: skip
    return replace(appraisal, on=f"{log.name}, {part}, protocol {protocol}")


def _name(checkpoint: Checkpoint) -> str:
    return str(checkpoint.folder or "the other model")


def _require_same_data(one: Checkpoint, other: Checkpoint) -> None:
    """Refuse models whose figures on the same users would not compare.

    Raises:
        ConfigError: they have other items, or learned from other data.
    """
    digests = one.data.digest, other.data.digest
    if all(digests) and digests[0] != digests[1]:
        raise ConfigError(
            f"{_name(one)} and {_name(other)} were trained on different data or another split of "
            "them, so that one may know what the other is tested on; train both on the same"
        )
    if one.catalogue.keys != other.catalogue.keys:
        raise ConfigError(
            f"{_name(one)} and {_name(other)} have different items; train both on the same log"
        )
