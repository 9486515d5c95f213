"""`glint-edge embed`: a module for an app."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from glint_edge.cli import console
from glint_edge.cli.options import BundleArgument, Json, chosen_bundle


def embed(
    platform: Annotated[str, typer.Option(help="web, android, ios, cpp or python.")],
    out: Annotated[Path, typer.Option(help="The module's folder; new or empty.")],
    bundle: BundleArgument = None,
    target: Annotated[
        str | None,
        typer.Option(help="Whose artifact it loads.  [default: the platform's best in the bundle]"),
    ] = None,
    json: Json = False,
) -> None:
    """Write a small module around a bundle, to be copied into an app."""
    from glint_edge import api

    files = api.embed(chosen_bundle(bundle), platform, out, target)
    listed = {"folder": str(out), "files": [str(file.relative_to(out)) for file in files]}
    text = f"{out}: {len(files)} files; {out / 'README.md'} says how to build and call it"
    console.show_result(listed, text, json=json)
