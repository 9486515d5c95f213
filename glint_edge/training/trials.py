"""What the trials of a search came to, and a table of them."""

from __future__ import annotations

from dataclasses import dataclass

from glint_edge.levers import Setting
from glint_edge.tables import Table, columns, counted, figure

SHOWN = 10  # trials of a table


@dataclass(frozen=True)
class TrialResult:
    """What a trial came to.

    Attributes:
        number: of the trial, from 0.
        settings: the values of the levers that were drawn.
        ndcg: validation NDCG@10 of its best epoch, with neighbours where these help.
        epochs: trained.
        stopped: it was behind the others and not trained to its end.
        command: trains the same with `glint-edge train`.
        alone: what `ndcg` is without neighbours; None: none were counted.
    """

    number: int
    settings: dict[str, Setting]
    ndcg: float
    epochs: int
    stopped: bool
    command: str
    alone: float | None = None

    @property
    def judgement(self) -> str:
        """Its figures, in words."""
        alone = "" if self.alone is None else f" ({self.alone:.4f} by the model alone)"
        return f"validation NDCG@10 {self.ndcg:.4f}{alone}"

    def text(self, lever: str, digits: int) -> str:
        """A lever's value to read; a dash where it was not drawn."""
        value = self.settings.get(lever, "–")
        return f"{value:.{digits}g}" if isinstance(value, float) else str(value)


class Trials(list[TrialResult]):
    """The finished trials of a study, best first."""

    def table(self, title: str) -> Table:
        """The best of them, for people."""
        shown = self[:SHOWN]
        # Not every trial has every lever.
        names = list(dict.fromkeys(name for result in shown for name in result.settings))
        alone = ["without neighbours"] * any(result.alone is not None for result in shown)
        return columns(
            title,
            ("trial", "NDCG@10", *alone, "epochs", *(name.replace("_", " ") for name in names)),
            [
                (str(result.number), figure(result.ndcg),
                 *("–" if result.alone is None else figure(result.alone) for _ in alone),
                 str(result.epochs), *(result.text(name, digits=3) for name in names))
                for result in shown
            ],
        )  # fmt: skip

    def _repr_html_(self) -> str:
        title = f"the best of {counted(len(self), 'trials')}, on the validation items"
        return self.table(title)._repr_html_()
