"""`glint-edge recommend`: what a bundle recommends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from glint_edge.cli import console, render
from glint_edge.cli.names import keys
from glint_edge.cli.options import BundleArgument, Json, open_bundle
from glint_edge.errors import UnknownItemError

if TYPE_CHECKING:
    from glint_edge.bundles.bundle import Bundle


def recommend(
    bundle: BundleArgument = None,
    history: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY,…", callback=keys,
                     help="Items' keys, oldest first. Given several times, each is one key."),
    ] = None,
    window: Annotated[
        str | None,
        typer.Option(help="Of a history longer than the model's: sliding keeps its last items, "
                     "unbounded all.  [default: what the bundle was exported for]"),
    ] = None,
    json: Json = False,
) -> None:  # fmt: skip
    """What the bundle's artifact recommends after a history."""
    from device_bench.measure.runtimes import load_runtime, recommend_history
    from glint_edge.bundles.manifest import no_history

    loaded = open_bundle(bundle)
    ids = _ids_of(loaded, history or [])
    artifact = loaded.artifacts[0]
    runtime = load_runtime(
        artifact.target, loaded.file(artifact), loaded.config, top_k=loaded.top_k
    )
    items, scores = recommend_history(runtime, ids, loaded.window_of(window))
    by_id, titles = loaded.catalogue.keys, loaded.catalogue.titles
    found = [
        {"key": by_id[item], "title": titles.get(by_id[item], ""), "score": float(score)}
        for item, score in zip(items[0].tolist(), scores[0].tolist(), strict=True)
    ]
    if json:
        console.show_json({"items": found})
        return
    seen = ", ".join(titles.get(by_id[item], by_id[item]) for item in ids)
    console.show(render.recommendations(seen, found, no_history(loaded.config)))


def _ids_of(bundle: Bundle, keys: list[str]) -> list[int]:
    known = {key: number for number, key in enumerate(bundle.catalogue.keys) if number}
    if unknown := [key for key in keys if key not in known]:
        raise UnknownItemError(
            f"item {unknown[0]!r} is not in the catalogue of {bundle.name} "
            f"({bundle.config.items} items, see items.json); leave it out"
        )
    return [known[key] for key in keys]
