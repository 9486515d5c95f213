"""The README.md inside a bundle."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from string import Template
from typing import Any

from glint_edge.bundles.shown import judged_over

TEMPLATES = resources.files("converters").joinpath("bundle_readme")
WINDOWS = {
    "sliding": (
        "The model was trained on histories of up to {0} items: when a session\nhas taken in more, "
        "start a new state and append the last {0}."
    ),
    "unbounded": (
        "The model was trained on histories of up to {0} items; this bundle was\nmade to keep all "
        "of a longer session."
    ),
}


def bundle_readme(manifest: Mapping[str, Any]) -> str:
    """Fill the templates from a manifest; a name left open is an error here, not in the app."""
    floats = manifest["state"]["shape"][1]
    attribution = manifest["data"]["attribution"]
    values = {
        "name": manifest["name"],
        "items": f"{manifest['model']['items']:,}",
        "precision": manifest["quantization"]["precision"],
        "version": manifest["tool"]["version"],
        "created": manifest["created"],
        "data": f' from the data "{data}"' if (data := manifest["data"]["name"]) else "",
        "attribution": f"\n{attribution}" if attribution else "",
        "state": floats,
        "bytes": 4 * floats,
        "k": manifest["top_k"],
        "chunk": manifest["methods"]["append_many"]["inputs"][1]["shape"][1],
        "no_history": manifest["no_history"],
        "window": WINDOWS[manifest["window"]].format(manifest["model"]["max_length"]),
    }
    artifacts = manifest["artifacts"]
    return _fill(
        "README",
        **values,
        files="\n".join(_file_row(artifact) for artifact in artifacts),
        targets="\n\n".join(filter(None, (_section(artifact, values) for artifact in artifacts))),
        checks="\n".join(_check_line(check) for check in manifest["checks"]),
    )


def _section(artifact: Mapping[str, Any], values: Mapping[str, Any]) -> str:
    """How to load one artifact; empty for a target of another package, which we know nothing of."""
    if not TEMPLATES.joinpath(f"{artifact['target']}.md").is_file():
        return ""
    runtime = {name.replace("-", "_"): version for name, version in artifact["runtime"].items()}
    return _fill(artifact["target"], **values, **runtime, file=artifact["file"]).strip()


def _fill(template: str, **values: object) -> str:
    text = TEMPLATES.joinpath(f"{template}.md").read_text("utf-8")
    return Template(text).substitute(values)


def _file_row(artifact: Mapping[str, Any]) -> str:
    return f"| `{artifact['file']}` | the {artifact['precision']} model for {artifact['target']} |"


def _check_line(check: Mapping[str, Any]) -> str:
    name = f"{check['target']} {check['precision']}"
    if check["ndcg_at_10"] is None:
        figures = "the golden vectors alone; accuracy was not measured"
    else:
        figures = (
            f"NDCG@10 {check['ndcg_at_10']:.4f} (float {check['ndcg_at_10_float']:.4f}), top-10 "
            f"overlap with the float model {check['top10_overlap']:.4f}, largest score error "
            f"{check['max_score_error']:.2g}, {judged_over(check)}"
        )
    verdict = "good" if check["ok"] else "NOT GOOD: " + "; ".join(check["failures"])
    verdict = "; ".join([verdict, *check.get("cannot_tell", ())])
    return f"- {name}: {figures}. {verdict}."
