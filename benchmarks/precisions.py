"""What each precision of a model costs, by target: the checks that `export` made, one file of many.

    glint-edge export --target all --quantize int8 --out ml-100k.glint
    glint-edge export --target onnx,tflite --quantize fp16 --out ml-100k-fp16.glint --name ml-100k
    python benchmarks/precisions.py ml-100k.glint … --out docs/measured/precisions.json

Nothing is run: a bundle's manifest has what its artifacts lose over the places that were ranked.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from glint_edge.files import write_json

MANIFEST = "manifest.json"


def rows_of(bundle: Path) -> list[dict[str, Any]]:
    """A row an artifact, with the bundle's name and the model's shape."""
    manifest = json.loads((bundle / MANIFEST).read_text("utf-8"))
    about = {"bundle": manifest["name"], "d": manifest["model"]["d"]}
    about["items"] = manifest["model"]["items"]
    return [{**about, **check} for check in manifest["checks"]]


def main() -> None:
    """Read all, write one file."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("bundles", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    chosen = parser.parse_args()
    write_json(chosen.out, {"rows": [row for one in chosen.bundles for row in rows_of(one)]})


if __name__ == "__main__":
    main()
