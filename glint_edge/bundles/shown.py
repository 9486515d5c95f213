"""A bundle as a table: what it is, its files, and what was checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from glint_edge.tables import Table, pairs

if TYPE_CHECKING:
    from glint_edge.bundles.bundle import Bundle


def table_of(bundle: Bundle) -> Table:
    """Names and values, for people."""
    manifest, config = bundle.manifest, bundle.config
    return pairs(
        str(bundle.path),
        [
            ("model", f"GLINT-RU, {config.items:,} items, d {config.d}, {config.heads} heads"),
            ("catalogue", _catalogue(manifest.get("catalogue"))),
            ("data", manifest["data"]["name"] or "the maker's own"),
            ("state", f"{manifest['state']['shape'][1]:,} floats"),
            ("top-k", f"{bundle.top_k}"),
            *((name, f"{file['bytes']:,} bytes") for name, file in manifest["files"].items()),
            *((f"{c['target']} {c['precision']}", _verdict(c)) for c in manifest["checks"]),
        ],
    )


def _catalogue(changes: Mapping[str, Any] | None) -> str:
    if changes is None or changes["spare"] is None:
        room = "fixed: a change converts again"
    else:
        room = f"{changes['spare']:,} spare rows"
    if changes is None or changes["version"] == 1:
        return room
    done = f"{changes['added']:,} added, {changes['retired']:,} retired since training"
    return f"version {changes['version']}: {done}; {room}"


def _verdict(check: Mapping[str, Any]) -> str:
    verdict = "good" if check["ok"] else "NOT GOOD: " + "; ".join(check["failures"])
    verdict = "; ".join([verdict, *check.get("cannot_tell", ())])
    if check["ndcg_at_10"] is None:
        return f"{verdict}; accuracy was not measured"
    return (
        f"{verdict}; NDCG@10 {_figure(check['ndcg_at_10'])} (float "
        f"{_figure(check['ndcg_at_10_float'])}), top-10 overlap {_figure(check['top10_overlap'])}, "
        f"{check['users']:,} users"
    )


def _figure(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.4f}"
