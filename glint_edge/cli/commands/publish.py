"""`glint-edge publish`: bundles over the air."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from glint_edge.cli import console
from glint_edge.cli.options import BundleArgument, Json, chosen_bundle


def publish(
    out: Annotated[Path, typer.Option(help="The folder in which apps look for latest.json.")],
    bundle: BundleArgument = None,
    json: Json = False,
) -> None:
    """Put a bundle where apps fetch their next one over the air, and announce it in latest.json."""
    from glint_edge import api

    folder = api.publish(chosen_bundle(bundle), out)
    latest = out / "latest.json"
    console.show_result(
        {"folder": str(folder), "latest": str(latest)},
        f"{folder}: announced by {latest}; serve {out}", json=json,
    )  # fmt: skip
