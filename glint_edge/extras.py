"""Which optional packages are installed, without importing them; and what other packages bring."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import Any

from glint_edge.errors import MissingExtraError

OURS = "glint-edge"  # the distribution

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Brought:
    """What the entry points of a group name.

    Attributes:
        good: the objects by name, in alphabetical order; of two of one name, this package's.
        broken: why one cannot be used, by name.
    """

    good: Mapping[str, Any]
    broken: Mapping[str, str]


def usable(group: str, attributes: tuple[str, ...] = ()) -> Mapping[str, Any]:
    """The good ones of `brought`; of the others it is said that they are not."""
    every = brought(group, attributes)
    for name, why in every.broken.items():
        log.warning("%s cannot be used (%s); upgrade or uninstall it", name, why)
    return every.good


def brought(group: str, attributes: tuple[str, ...] = ()) -> Brought:
    """Load the entry points of a group; one that breaks takes nothing but itself with it.

    Args:
        group: of the entry points.
        attributes: that each object must have; of none, it must be possible to call it.
    """
    good: dict[str, Any] = {}
    broken: dict[str, str] = {}
    # This package's last: they stay what they are, whatever else is installed.
    points = sorted(metadata.entry_points(group=group), key=lambda point: _package(point) == OURS)
    for point in points:
        try:
            loaded = point.load()
        except (Exception, SystemExit) as error:  # a stranger's module may raise anything
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        else:
            lacks = [name for name in attributes if not hasattr(loaded, name)]
            if not lacks and (attributes or callable(loaded)):
                good[point.name] = loaded
                continue
            reason = f"it has no {lacks[0]}" if lacks else "it cannot be called"
        broken[point.name] = f"{point.value} of {_package(point)}: {reason}"
    return Brought(dict(sorted(good.items())), broken)


def _package(point: metadata.EntryPoint) -> str:
    return point.dist.name if point.dist is not None else "an unknown package"


def require_extra(packages: Sequence[str], extra: str, why: str) -> None:
    """Refuse, before any work, what takes packages that are not installed.

    Raises:
        MissingExtraError: one is not.
    """
    if missing(packages):
        raise MissingExtraError(extra, why)


def missing(packages: Sequence[str]) -> list[str]:
    """Those that are not installed."""
    return [name for name in packages if importlib.util.find_spec(name) is None]
