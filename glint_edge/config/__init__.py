"""The two configurations: what a model is, and how it was trained.

Both are frozen, validated once when made, and stored as JSON beside the weights. Each field is a
lever: what it means, what it may be and where it is searched is declared here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping

from glint_edge.config.model import VARIANTS, WINDOWS, ModelConfig
from glint_edge.config.panels import PANELS
from glint_edge.config.training import AUTO, GONE_LEVERS, TrainConfig
from glint_edge.levers import Lever, Setting, levers_of, refuse_unknown

__all__ = [
    "AUTO", "GONE_LEVERS", "LEVERS", "PANELS", "VARIANTS", "WINDOWS", "ModelConfig", "TrainConfig",
    "configs",
]  # fmt: skip

# The settings of a training, by name, panel after panel.
LEVERS: Mapping[str, Lever] = {
    about.name: about
    for panel in PANELS
    for config in (ModelConfig, TrainConfig)
    for about in levers_of(config).values()
    if about.panel == panel
}


def configs(items: int, levers: Mapping[str, Setting]) -> tuple[ModelConfig, TrainConfig]:
    """Both configurations of a training.

    Args:
        items: the catalogue's size.
        levers: by name; the others have their defaults.

    Raises:
        ConfigError: a lever is unknown or has an impossible value.
    """
    refuse_unknown("lever", levers, LEVERS)
    of_model = {name: value for name, value in levers.items() if name in levers_of(ModelConfig)}
    of_training = {name: value for name, value in levers.items() if name not in of_model}
    return ModelConfig(items=items, **of_model), TrainConfig(**of_training)  # type: ignore[arg-type]  # checked when made
