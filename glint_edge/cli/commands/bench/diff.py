"""`glint-edge bench diff`: two runs compared."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from glint_edge.cli import console
from glint_edge.cli.options import Json
from glint_edge.errors import CheckFailed


def diff(
    old: Annotated[Path, typer.Argument(help="What `bench --output` wrote before.")],
    new: Annotated[Path, typer.Argument(help="What it wrote now.")],
    json: Json = False,
) -> None:
    """Compare two runs; exit code 1 if something is worse beyond all chance."""
    from glint_edge import api

    changes = api.bench_diff(old, new)
    console.show_result(changes.to_dict(), changes, json=json)
    if worse := changes.regressions:
        raise CheckFailed("; ".join(map(str, worse)))
