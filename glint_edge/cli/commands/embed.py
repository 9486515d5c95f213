"""`glint-edge embed`: a module for an app."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from glint_edge.cli import console
from glint_edge.cli.endings import keeping, unwritten
from glint_edge.cli.names import several
from glint_edge.cli.options import BundleArgument, Json, chosen_bundle


def embed(
    platform: Annotated[str, typer.Option(help="web, android, ios, cpp or python.")],
    out: Annotated[Path, typer.Option(help="The module's folder; new or empty.")],
    bundle: BundleArgument = None,
    target: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME,…",
            callback=several,
            help="Whose artifact it gets; of several it loads the platform's best. One that the "
            "bundle lacks is exported from its checkpoint.  [default: the platform's best in the "
            "bundle]",
        ),
    ] = None,
    neighbours: Annotated[
        bool,
        typer.Option(
            "--neighbours/--no-neighbours",
            help="Whether the app gets the bundle's neighbours; without, it runs the model alone.",
        ),
    ] = True,
    json: Json = False,
) -> None:
    """Write a small module around a bundle, to be copied into an app."""
    from glint_edge import api

    with keeping(lambda: unwritten(out)), console.steps() as on_step:
        files = api.embed(
            chosen_bundle(bundle), platform, out, target, neighbours=neighbours, on_step=on_step
        )
    listed = {"folder": str(out), "files": [str(file.relative_to(out)) for file in files]}
    text = f"{out}: {len(files)} files; {out / 'README.md'} says how to build and call it"
    console.show_result(listed, text, json=json)
