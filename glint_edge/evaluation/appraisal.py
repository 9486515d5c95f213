"""All that `glint-edge evaluate` tells: the model, its baselines, both windows, the slices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

from glint_edge.evaluation.lists import ListFigures
from glint_edge.evaluation.metrics import RankingMetrics
from glint_edge.evaluation.paired import Comparison, comparison_line, verdict
from glint_edge.evaluation.slices import NEW, Slice
from glint_edge.tables import Table, columns, figure

MODEL, ALONE, NEIGHBOURS = "model", "without its neighbours", "neighbours"
NEIGHBOURS_HINT = "train with --neighbours 32: the model's lists then count them, too"


@dataclass(frozen=True, repr=False)
class Appraisal:
    """Figures of a model on held-out items.

    Attributes:
        figures: the model's, of the last N items of each history.
        unbounded: the model's over whole histories; None where none is longer than N.
        baselines: of those that need no model.
        slices: the figures of some of the users, with all of these.
        lists: what the lists of the model ("model") and of the baselines are like.
        against: the model beside each baseline, user by user.
        repeats: the share of the targets that stand in their own history.
        protocol: what was ranked.
        other: the model beside another one, user by user; None: there is no other.
        on: what was measured on what, in words.
        max_length: the model's N.
        alone: the model's without its neighbours; None: it has none.
        items: of the catalogue; 0: unknown.
    """

    figures: RankingMetrics
    unbounded: RankingMetrics | None
    baselines: Mapping[str, RankingMetrics]
    slices: list[Slice]
    lists: Mapping[str, ListFigures]
    against: Mapping[str, Comparison]
    repeats: float
    protocol: str
    other: Comparison | None = None
    on: str = ""
    max_length: int = 0
    alone: RankingMetrics | None = None
    items: int = 0

    @property
    def verdict(self) -> str:
        """One line: how often the model is right, and whether it is more than a baseline is."""
        new = next((one.figures for one in self.slices if one.name == NEW), None)
        judged = verdict(self.figures, self.against, new)
        if 0 < self.items <= self.figures.k:
            return f"{judged}; a list of {self.figures.k} holds every item, so this tells nothing"
        return judged

    def lines(self, name: str) -> list[str]:
        """The verdict, what may mend it, and which of two models is better where two were measured.

        Args:
            name: what this model is called.
        """
        lines = [f"verdict: {self.verdict}"]
        near = self.against.get(NEIGHBOURS)
        if near and near.hits.verdict == "worse" and self.alone is None:
            lines.append(NEIGHBOURS_HINT)
        return [*lines, comparison_line(name, self.figures, self.other)] if self.other else lines

    def table(self, title: str) -> Table:
        """The model beside its baselines, and over whole histories where some are longer than N."""
        rows = {
            f"the last {self.max_length} items" if self.unbounded else "the model": self.figures
        }
        if self.unbounded:
            rows["unbounded: all of a history"] = self.unbounded
        if self.alone:
            rows[ALONE] = self.alone
        if self.other:
            rows[self.other.other] = self.other.figures
        by_name = {name: one.to_dict() for name, one in {**rows, **self.baselines}.items()}
        header = ("", *self.figures.to_dict())
        return columns(
            title, header,
            [(name, *map(figure, figures.values())) for name, figures in by_name.items()],
        )  # fmt: skip

    def lists_table(self) -> Table:
        """What the lists are like."""
        fields = list(self.lists[MODEL].diversity)
        rows = [
            (
                "the model" if name == MODEL else name,
                f"{one.coverage:.1%}", f"{one.gini:.3f}", f"{round(one.novelty, 2) + 0.0:.2f}",
                f"{one.repeats:.1%}",
                *("–" if (d := one.diversity[field]) is None else f"{d:.1%}" for field in fields),
            )
            for name, one in self.lists.items()
        ]  # fmt: skip
        title = f"the top {self.figures.k} of every user ({self.repeats:.1%} of targets repeat)"
        return columns(
            title,
            ("", "coverage", "Gini", "novelty, bits", "repeats", *(f"{f} differs" for f in fields)),
            rows,
        )

    def __repr__(self) -> str:
        mine, k = self.figures, self.figures.k
        return f"Appraisal({self.on or 'a model'}: NDCG@{k} {mine.ndcg:.4f}, {mine.users:,} users)"

    def _repr_html_(self) -> str:
        tables = self.table(self.on)._repr_html_() + self.lists_table()._repr_html_()
        return f"{tables}<p>{escape(self.verdict)}</p>"

    def to_dict(self) -> dict[str, Any]:
        """As `--json` prints it: the model's own figures first."""
        return {
            **self.figures.to_dict(),
            "unbounded": self.unbounded.to_dict() if self.unbounded else None,
            "baselines": {name: metrics.to_dict() for name, metrics in self.baselines.items()},
            "slices": [part.to_dict() for part in self.slices],
            "protocol": self.protocol,
            "target_repeats": self.repeats,
            "lists": {name: one.to_dict() for name, one in self.lists.items()},
            "against": {name: one.to_dict() for name, one in self.against.items()},
            "verdict": self.verdict,
            "other": self.other.to_dict() if self.other else None,
            "without_neighbours": self.alone.to_dict() if self.alone else None,
        }
