"""A bundle as a table: what it is, its files, and what was checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count
from typing import TYPE_CHECKING, Any

from glint_edge.tables import Table, counted, pairs

if TYPE_CHECKING:
    from glint_edge.bundles.bundle import Bundle
    from glint_edge.data.catalogue import Catalogue


def table_of(bundle: Bundle) -> Table:
    """Names and values, for people."""
    manifest, config = bundle.manifest, bundle.config
    return pairs(
        str(bundle.path),
        [
            ("model", f"GLINT-RU, {config.items:,} items, d {config.d}, {config.heads} heads"),
            ("catalogue", _catalogue(manifest.get("catalogue"))),
            *_shown_items(bundle),
            *_neighbours(bundle),
            ("data", manifest["data"]["name"] or "the maker's own"),
            ("state", f"{manifest['state']['shape'][1]:,} floats"),
            ("top-k", f"{bundle.top_k}"),
            *((name, f"{file['bytes']:,} bytes") for name, file in manifest["files"].items()),
            *(
                (f"{c['target']} {c['precision']}", _verdict(c, bundle.top_k))
                for c in manifest["checks"]
            ),
        ],
    )


def names_of(bundles: Sequence[Bundle]) -> list[str]:
    """What bundles beside one another are called; of one name, by as much of the path as tells."""
    names = [bundle.name for bundle in bundles]
    paths = [bundle.path.resolve() for bundle in bundles]
    for name in {name for name in names if names.count(name) > 1}:
        alike = [number for number, bundle in enumerate(bundles) if bundle.name == name]
        places = {paths[number] for number in alike}
        depth = next(d for d in count(1) if len({p.parts[-d:] for p in places}) == len(places))
        for number in alike:
            names[number] = "/".join(paths[number].parts[-depth:])
    seen = [names[:number].count(name) for number, name in enumerate(names)]
    return [f"{name} ({n + 1})" if n else name for name, n in zip(names, seen, strict=True)]


def shown_items(catalogue: Catalogue) -> dict[str, Any]:
    """Of how many items there is a title, a value of each field and a picture."""
    fields = {name: len(values) for name, values in catalogue.fields.items()}
    return {"titles": len(catalogue.titles), "fields": fields, "images": len(catalogue.images)}


def _shown_items(bundle: Bundle) -> list[tuple[str, str]]:
    shown = shown_items(bundle.catalogue)
    counts = {"titles": shown["titles"], **shown["fields"], "images": shown["images"]}
    what = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)
    return [("shown of items", what or "their keys")]


def _neighbours(bundle: Bundle) -> list[tuple[str, str]]:
    if (own := bundle.neighbours) is None:
        return []
    return [
        (
            "neighbours",
            f"{own.most} of each of the last {own.last} items, c {own.c:g}, γ {own.gamma:g}",
        )
    ]


def _catalogue(changes: Mapping[str, Any] | None) -> str:
    if changes is None or changes["spare"] is None:
        room = "fixed: a change converts again"
    else:
        room = counted(changes["spare"], "spare rows")
    if changes is None or changes["version"] == 1:
        return room
    done = f"{changes['added']:,} added, {changes['retired']:,} retired since training"
    return f"version {changes['version']}: {done}; {room}"


def _verdict(check: Mapping[str, Any], top_k: int) -> str:
    verdict = "good" if check["ok"] else "NOT GOOD: " + "; ".join(check["failures"])
    verdict = "; ".join([verdict, *check.get("cannot_tell", ())])
    if check["ndcg_at_10"] is None:
        short = f": NDCG@10 needs lists of 10 items, and these have {top_k}"
        return f"{verdict}; accuracy was not measured{short if top_k < 10 else ''}"
    return (
        f"{verdict}; NDCG@10 {_figure(check['ndcg_at_10'])} (float "
        f"{_figure(check['ndcg_at_10_float'])}), top-10 overlap {_figure(check['top10_overlap'])}, "
        f"{judged_over(check)}"
    )


def judged_over(check: Mapping[str, Any]) -> str:
    """What the figures of a check are of: no held-out items, which evaluate and bench read."""
    users = f"{check['users']:,} users' histories"
    return f"over prefixes of {users} on which the model was trained"


def _figure(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.4f}"
