"""`glint-edge doctor`: is this installation whole."""

from __future__ import annotations

from glint_edge.cli import console, render
from glint_edge.cli.options import Json
from glint_edge.errors import CheckFailed


def doctor(json: Json = False) -> None:
    """Which targets work here, and what to install for the others; exit code 1 on a conflict."""
    from glint_edge import api

    report = api.doctor()
    console.show_result(report.to_dict(), render.doctor(report), json=json)
    if report.conflicts:
        raise CheckFailed("; ".join(report.conflicts))
