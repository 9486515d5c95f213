"""The bundle: a folder `NAME.glint/` with everything an app needs, and the proof that it works.

    manifest.json   what the files are and how to call them; validated against
                    manifest.schema.json and, file by file, against sha256 on every load
    model.pte …     the artifacts, one a target
    items.json      the user's own item keys by id, and what is shown of them
    golden.json     histories with the states, items and scores they must give (golden.py)
    neighbours.bin  the neighbours' expert, if it has one (data/neighbours.py)
    README.md       how to load it in an app

Nothing in a bundle is code to be run by this tool.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glint_edge.bundles.contents import (
    read_catalogue,
    read_config,
    read_golden,
    read_neighbours,
)
from glint_edge.bundles.golden import Golden
from glint_edge.bundles.manifest import (
    GOLDEN,
    ITEMS,
    MANIFEST,
    SCHEMA,
    SCHEMA_VERSION,
    check_file,
    digest_of,
    read_manifest,
)
from glint_edge.config import ModelConfig
from glint_edge.data.catalogue import Catalogue
from glint_edge.data.neighbours import Neighbours
from glint_edge.errors import BundleError
from glint_edge.files import sha256, write_json
from glint_edge.json_files import Fault
from glint_edge.model.state import state_layout, state_size

README = "README.md"


@dataclass(frozen=True)
class Artifact:
    """One file that a runtime loads.

    Attributes:
        target: "executorch", …
        precision: "fp32", "fp16", "int8-table" or "int8".
        file: its name in the bundle.
        runtime: the least version of each runtime that is known to run it.
    """

    target: str
    precision: str
    file: str
    runtime: Mapping[str, str]


@dataclass(frozen=True, repr=False)
class Bundle:
    """A loaded bundle; every file of it has been checked.

    Attributes:
        path: the folder.
        manifest: manifest.json as it stands.
        config: the model's.
        top_k: items that `recommend` returns.
        artifacts: the files a runtime loads.
        catalogue: item keys, and what is shown of the items.
        golden: the golden vectors.
        neighbours: the neighbours' expert; None: it has none.
    """

    path: Path
    manifest: Mapping[str, Any]
    config: ModelConfig
    top_k: int
    artifacts: tuple[Artifact, ...]
    catalogue: Catalogue
    golden: Golden
    neighbours: Neighbours | None = None

    @property
    def window(self) -> int | None:
        """How many of a session's last items count; None: all."""
        return self.window_of(None)

    def window_of(self, name: str | None) -> int | None:
        """The same for a window by name; None: the bundle's own.

        Raises:
            ConfigError: there is no such window, or the model knows its last N items alone.
        """
        return self.config.window_items(name or self.manifest["window"])

    @property
    def spare_items(self) -> int | None:
        """Rows of the table that are free for more items; None: the catalogue is fixed."""
        spare: int | None = self.manifest.get("catalogue", {}).get("spare")
        return spare

    @property
    def name(self) -> str:
        """The bundle's name, without its suffix."""
        return str(self.manifest["name"])

    def __repr__(self) -> str:
        what = ", ".join(f"{one.target} {one.precision}" for one in self.artifacts)
        good = all(check["ok"] for check in self.manifest["checks"])
        verdict = "" if good else ", NOT GOOD"
        return f"Bundle({str(self.path)!r}: {what}, {self.config.items:,} items{verdict})"

    def _repr_html_(self) -> str:
        from glint_edge.bundles.shown import table_of

        return table_of(self)._repr_html_()

    def file(self, artifact: Artifact) -> Path:
        """Where an artifact lies."""
        return self.path / artifact.file


def load_bundle(path: str | Path) -> Bundle:
    """Read a bundle and check every file in it.

    Raises:
        BundleError: the folder, its manifest or a file is missing, damaged or of another version.
    """
    path = Path(path)
    manifest = read_manifest(path)
    for name, expected in manifest["files"].items():
        check_file(path / name, expected)
    missing = {ITEMS, GOLDEN, *(a["file"] for a in manifest["artifacts"])} - set(manifest["files"])
    if missing:
        raise BundleError(f"{path / MANIFEST} does not list {min(missing)}; export it again")
    if not manifest["artifacts"]:
        raise BundleError(f"{path / MANIFEST} lists no artifact; export it again")
    config = read_config(path, manifest)
    catalogue = read_catalogue(path / ITEMS, config)
    golden = read_golden(path / GOLDEN, config, manifest["top_k"])
    if manifest["state"]["shape"] != [1, state_size(config)]:
        raise BundleError(f"{path / MANIFEST} has a state of another model; export it again")
    return Bundle(
        path=path,
        manifest=manifest,
        config=config,
        top_k=manifest["top_k"],
        artifacts=tuple(Artifact(**artifact) for artifact in manifest["artifacts"]),
        catalogue=catalogue,
        golden=golden,
        neighbours=read_neighbours(path, manifest, config),
    )


def write_manifest(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Add the size and sha256 of every file in `folder`, validate, and write manifest.json."""
    files = {
        file.name: {"bytes": file.stat().st_size, "sha256": sha256(file)}
        for file in sorted(folder.iterdir())
        if file.name != MANIFEST
    }
    whole = {"schema_version": SCHEMA_VERSION, **manifest, "files": files}
    whole["digest"] = digest_of(whole)
    try:
        SCHEMA.check(whole)
    except Fault as error:
        raise BundleError(f"the manifest of {whole.get('name')!r} {error}; change that") from error
    write_json(folder / MANIFEST, whole)


def state_of(config: ModelConfig) -> dict[str, Any]:
    """The manifest's description of the state."""
    fields = [vars(field) for field in state_layout(config)]
    return {"dtype": "float32", "shape": [1, state_size(config)], "fields": fields}


def methods_of(config: ModelConfig, top_k: int, chunk: int, rows: int) -> dict[str, Any]:
    """The manifest's description of the methods: names, dtypes and shapes, in call order."""
    state = {"name": "state", "dtype": "float32", "shape": [1, state_size(config)]}
    item = {"name": "item", "dtype": "int64", "shape": [1]}
    items = {"name": "items", "dtype": "int64", "shape": [1, chunk]}
    count = {"name": "count", "dtype": "int64", "shape": [1]}
    bias = {"name": "bias", "dtype": "float32", "shape": [1, rows]}
    best = [
        {"name": "items", "dtype": "int64", "shape": [1, top_k]},
        {"name": "scores", "dtype": "float32", "shape": [1, top_k]},
    ]
    return {
        "append": {"inputs": [state, item], "outputs": [state]},
        "append_many": {"inputs": [state, items, count], "outputs": [state]},
        "recommend": {"inputs": [state, bias], "outputs": best},
        "similar": {"inputs": [item, bias], "outputs": best},
    }
