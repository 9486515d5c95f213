"""`glint-edge inspect`: what a bundle holds."""

from __future__ import annotations

from rich.console import Group

from glint_edge.bundles.shown import shown_items
from glint_edge.cli import console, render
from glint_edge.cli.options import BundleArgument, Json, chosen_bundle


def inspect(bundle: BundleArgument = None, json: Json = False) -> None:
    """What a bundle holds: files, methods, the state, each layer's type, bytes and error."""
    from glint_edge import api

    opened = api.inspect(chosen_bundle(bundle))
    tables = Group(render.bundle(opened), render.layers(opened))
    manifest = {**opened.manifest, "shown": shown_items(opened.catalogue)}
    console.show_result(manifest, tables, json=json)
