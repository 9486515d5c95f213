"""The command that writes a module for an app: `embed`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from glint_edge.cli import console
from glint_edge.cli.options import BundleArgument, Json, Verbose, open_bundle


def embed(
    platform: Annotated[str, typer.Option(help="web, android, ios, cpp or python.")],
    out: Annotated[Path, typer.Option(help="The module's folder; new or empty.")],
    bundle: BundleArgument = None,
    target: Annotated[
        str | None,
        typer.Option(help="Whose artifact it loads.  [default: the platform's best in the bundle]"),
    ] = None,
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Write a small module around a bundle, to be copied into an app."""
    from glint_edge.apps import module

    files = module.embed(open_bundle(bundle), module.find_platform(platform), out, target)
    if json:
        console.show_json({"folder": str(out), "files": [str(f.relative_to(out)) for f in files]})
    else:
        console.show(
            f"{out}: {len(files)} files; {out / 'README.md'} says how to build and call it"
        )


def publish(
    out: Annotated[Path, typer.Option(help="The folder in which apps look for latest.json.")],
    bundle: BundleArgument = None,
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Put a bundle where apps fetch their next one over the air, and announce it in latest.json."""
    from glint_edge.bundles.publish import publish as run

    place = run(open_bundle(bundle), out)
    if json:
        console.show_json({"folder": str(place), "latest": str(out / "latest.json")})
    else:
        console.show(f"{place}: announced by {out / 'latest.json'}; serve {out}")
