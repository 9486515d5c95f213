"""`glint-edge publish`: bundles over the air."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from glint_edge.cli import console
from glint_edge.cli.options import BundleArgument, Json, open_bundle


def publish(
    out: Annotated[Path, typer.Option(help="The folder in which apps look for latest.json.")],
    bundle: BundleArgument = None,
    json: Json = False,
) -> None:
    """Put a bundle where apps fetch their next one over the air, and announce it in latest.json."""
    from glint_edge.bundles.publish import publish as run

    place = run(open_bundle(bundle), out)
    if json:
        console.show_json({"folder": str(place), "latest": str(out / "latest.json")})
    else:
        console.show(f"{place}: announced by {out / 'latest.json'}; serve {out}")
