"""The README.md inside a bundle."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from string import Template
from typing import Any


def bundle_readme(manifest: Mapping[str, Any]) -> str:
    """Fill the template from a manifest; a name left open is an error here, not in the app."""
    template = resources.files("converters").joinpath("bundle_readme.md").read_text("utf-8")
    floats = manifest["state"]["shape"][1]
    attribution = manifest["data"]["attribution"]
    return Template(template).substitute(
        name=manifest["name"],
        items=f"{manifest['model']['items']:,}",
        precision=manifest["quantization"]["precision"],
        version=manifest["tool"]["version"],
        created=manifest["created"],
        data=manifest["data"]["name"],
        attribution=f"\n{attribution}" if attribution else "",
        files="\n".join(_file_row(artifact) for artifact in manifest["artifacts"]),
        state=floats,
        bytes=4 * floats,
        k=manifest["top_k"],
        window=manifest["model"]["max_length"],
        runtime=manifest["artifacts"][0]["runtime"]["executorch"],
        checks="\n".join(_check_line(check) for check in manifest["checks"]),
    )


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
            f"{check['max_score_error']:.2g}, over {check['users']:,} held-out histories"
        )
    verdict = "good" if check["ok"] else "NOT GOOD: " + "; ".join(check["failures"])
    return f"- {name}: {figures}. {verdict}."
