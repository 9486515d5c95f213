"""Which optional packages are installed, without importing them."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence


def missing(packages: Sequence[str]) -> list[str]:
    """Those that are not installed."""
    return [name for name in packages if importlib.util.find_spec(name) is None]
