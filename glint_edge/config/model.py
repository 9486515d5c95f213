"""What a model is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from glint_edge.config.panels import MODEL, OVERFITTING
from glint_edge.errors import ConfigError
from glint_edge.levers import Between, Levers, OneOf, Setting, lever
from glint_edge.suggestions import one_of

VARIANTS = ("edge", "paper")
PADDINGS = ("masked", "reference")
# Of a history longer than N: its last N items, or all of it.
WINDOWS = ("sliding", "unbounded")


def _check(holds: bool, message: str) -> None:
    if not holds:
        raise ConfigError(message)


@dataclass(frozen=True, kw_only=True)
class ModelConfig(Levers):
    """Shape of a GLINT-RU (arXiv 2406.10244, section 3); `levers_of` it says what each field is.

    The authors' code has no choice of `block_dropout` (0.3) and `norm_eps` (1e-12). A model that
    was trained with `padding` "reference" (glint_edge.checkpoints.recbole imports them) needs it.
    """

    # A model of the paper is stored as it was before there was another: the same digest.
    BEFORE: ClassVar[Mapping[str, Setting]] = {
        "variant": "paper", "input_norm": True, "low_pass": True,
    }  # fmt: skip

    items: int = lever(
        low=1, help="Catalogue size V; ids run from 1 to V, 0 is padding or unknown."
    )
    d: int = lever(
        64, low=1, panel=MODEL, search=OneOf((32, 64, 128)), also="width",
        help="Width of the embedding and of every hidden vector; even. After torchrun, which has "
        "an option of the same name, only --width will do.",
    )  # fmt: skip
    variant: str = lever(
        "edge", choices=VARIANTS, panel=MODEL,
        help="paper: the authors' model. edge: what its experts see of an item is normalised, and "
        "filtered by how much of it is its history's trend.",
    )  # fmt: skip
    input_norm: bool = lever(True, panel=MODEL, help="Of edge: a LayerNorm of the items' rows.")
    low_pass: bool = lever(True, panel=MODEL, help="Of edge: the filter.")
    heads: int = lever(
        4, low=1, panel=MODEL, help="Heads of the linear attention; divides the width."
    )
    kernel: int = lever(
        3, low=1, panel=MODEL, help="Taps of both convolutions along the sequence; odd."
    )
    max_length: int = lever(
        200, low=1, panel=MODEL,
        help="Training length N; a longer history is cut to its last N items.",
    )  # fmt: skip
    gated_mlp: bool = lever(True, panel=MODEL, help="A gated MLP; without: Light GLINT-RU.")
    embedding_dropout: float = lever(
        0.5, high=1.0, panel=OVERFITTING, search=Between(0.0, 0.6), usual=True,
        help="Dropout of the item embeddings, and of what the filter adds.",
    )  # fmt: skip
    attention_dropout: float = lever(
        0.3, high=1.0, panel=OVERFITTING, search=Between(0.0, 0.6), usual=True,
        help="Dropout of the attention's output.",
    )  # fmt: skip
    block_dropout: float = lever(
        0.4, high=1.0, panel=OVERFITTING, search=Between(0.0, 0.6), usual=True,
        help="Dropout of the selective gate, the mixing block and the gated MLP.",
    )  # fmt: skip
    norm_eps: float = lever(1e-12, high=1.0, panel=MODEL, help="Epsilon of every LayerNorm.")
    padding: str = lever(
        "masked", choices=PADDINGS,
        help="What stands right of a history shorter than N. masked: nothing, a prediction depends "
        "on the user's items alone. reference: the pad item, with an embedding of its own, takes "
        "part in everything, as in the authors' code.",
    )  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON-ready values; of the paper's model those that it has."""
        values = super().to_dict()
        if self.variant == "paper":
            return {name: value for name, value in values.items() if name not in self.BEFORE}
        return values

    def __post_init__(self) -> None:
        super().__post_init__()
        _check(self.d % self.heads == 0, f"heads ({self.heads}) must divide d ({self.d})")
        _check(self.d % 2 == 0, f"d must be even, not {self.d}: the selective gate is d/2 wide")
        _check(self.kernel % 2 == 1, f"kernel must be odd, not {self.kernel}: it is centred")
        _check(
            self.padding == "masked" or self.variant == "paper",
            "padding 'reference' is of variant 'paper', the authors' model",
        )
        _check(
            self.norm_eps > 0 or not (self.has_input_norm or self.has_low_pass),
            "norm_eps must be above 0 in variant 'edge', which divides an unknown item's row by it",
        )

    @property
    def has_input_norm(self) -> bool:
        """Whether the items' rows are normalised before anything sees them."""
        return self.variant == "edge" and self.input_norm

    @property
    def has_low_pass(self) -> bool:
        """Whether what the experts see is filtered (`glint_edge.model.low_pass`)."""
        return self.variant == "edge" and self.low_pass

    @property
    def lookahead(self) -> int:
        """Positions whose convolution still waits for a right neighbour: (kernel − 1) / 2."""
        return (self.kernel - 1) // 2

    def window_items(self, window: str) -> int | None:
        """How many of a session's last items count in a window of `WINDOWS`; None: all.

        Raises:
            ConfigError: there is no such window, or the model knows its last N items alone.
        """
        if window not in WINDOWS:
            raise ConfigError(f"window {window!r} is unknown; {one_of(window, WINDOWS)}")
        if window == "unbounded" and self.padding == "reference":
            raise ConfigError(
                f"an imported model knows its last {self.max_length} items: --window sliding"
            )
        return self.max_length if window == "sliding" else None

    @property
    def most_held(self) -> int:
        """Items that a sliding session's state holds at most: N and a quarter.

        Then it is encoded anew from the last N. An imported model promises its authors' scores of
        the last N, so that its state holds no more.
        """
        return self.max_length + (self.max_length // 4 if self.padding == "masked" else 0)
