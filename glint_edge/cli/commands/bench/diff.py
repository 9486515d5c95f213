"""`glint-edge bench diff`: two runs compared."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from glint_edge.cli import console
from glint_edge.cli.options import Json
from glint_edge.errors import CheckFailed

if TYPE_CHECKING:
    from device_bench.judge.diff import Change


def diff(
    old: Annotated[Path, typer.Argument(help="What `bench --output` wrote before.")],
    new: Annotated[Path, typer.Argument(help="What it wrote now.")],
    json: Json = False,
) -> None:
    """Compare two runs; exit code 1 if something is worse beyond the noise."""
    from device_bench.document import read_document
    from device_bench.judge.diff import diff as compare
    from device_bench.reports.terminal import render_diff

    found = compare(read_document(old), read_document(new))
    if json:
        console.show_json(found.to_dict())
    else:
        console.show(render_diff(found))
    if worse := found.regressions:
        raise CheckFailed("; ".join(f"{c.row}: {c.figure} {c.why or _times(c)}" for c in worse))


def _times(change: Change) -> str:
    return f"is {change.ratio:.2f} times what it was"
