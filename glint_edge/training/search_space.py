"""What a search may change, and what one trial of it draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from glint_edge.config import LEVERS
from glint_edge.errors import ConfigError
from glint_edge.levers import Between, OneOf, Setting, refuse_unknown
from glint_edge.suggestions import one_of

if TYPE_CHECKING:
    import optuna

SPACE: Mapping[str, Between | OneOf] = {
    name: lever.search for name, lever in LEVERS.items() if lever.search
}
# Those that cost nothing but the trials.
USUAL = tuple(name for name, lever in LEVERS.items() if lever.usual)
# A trial is shorter than a training; all else is as `train` has it.
OF_A_TRIAL: Mapping[str, Setting] = {"epochs": 30, "patience": 3}
DIGITS = 4  # significant, of a number that is drawn: what is printed is what was trained


def searched(search: Sequence[str] | None, levers: Mapping[str, Setting]) -> tuple[str, ...]:
    """The levers to search: those named, or `USUAL` without what is fixed.

    Raises:
        ConfigError: one is unknown, fixed, or not to be searched together with another.
    """
    refuse_unknown("lever", levers, LEVERS)
    if search is None:
        return tuple(name for name in USUAL if name not in levers)
    search = tuple(dict.fromkeys(name.replace("-", "_") for name in search))
    if unknown := [name for name in search if name not in SPACE]:
        raise ConfigError(f"cannot search {unknown[0]!r}; {one_of(unknown[0], SPACE)}")
    if both := [name for name in search if name in levers]:
        raise ConfigError(f"{both[0]} cannot be searched and fixed: leave out one of the two")
    return search


def draw(trial: optuna.Trial, search: Sequence[str]) -> dict[str, Setting]:
    """A trial's values of the levers to search."""
    return {name: _value(trial, name) for name in search}


def _value(trial: optuna.Trial, name: str) -> Setting:
    space = SPACE[name]
    if isinstance(space, Between):
        return rounded(trial.suggest_float(name, space.low, space.high, log=space.by_log))
    value: Setting = trial.suggest_categorical(name, space.values)  # type: ignore[assignment]  # none is None
    return value


def rounded(value: Setting) -> Setting:
    """A drawn value as it is trained and printed."""
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value
