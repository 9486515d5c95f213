"""`glint-edge inspect`: what a bundle holds."""

from __future__ import annotations

from glint_edge.cli import console, render
from glint_edge.cli.options import BundleArgument, Json, open_bundle


def inspect(bundle: BundleArgument = None, json: Json = False) -> None:
    """What a bundle holds: files, methods, the state, each layer's type, bytes and error."""
    loaded = open_bundle(bundle)
    if json:
        console.show_json(loaded.manifest)
        return
    console.show(render.bundle(loaded))
    console.show(render.layers(loaded))
