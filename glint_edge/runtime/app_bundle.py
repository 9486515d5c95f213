"""A bundle as an application needs it: one artifact, and its items.

`bundles/bundle.py` reads all of a bundle and holds it to its schema; this reads what runs, and
checks the size and sha256 of every file it reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from glint_edge.bundles.contents import read_catalogue, read_config, read_neighbours
from glint_edge.bundles.manifest import ITEMS, SCHEMA, check_file, read_manifest
from glint_edge.bundles.target import canonical_target
from glint_edge.config import ModelConfig
from glint_edge.data.catalogue import Catalogue
from glint_edge.data.neighbours import Neighbours
from glint_edge.data.neighbours_file import NEIGHBOURS
from glint_edge.errors import BundleError, ConfigError, MissingExtraError
from glint_edge.extras import missing
from glint_edge.runtime.engines import Engine, engines
from glint_edge.suggestions import one_of

# A later version's bundle may say more, and an application needs no more than this.
APP_SCHEMA = replace(
    SCHEMA,
    needs=("schema_version", "model", "window", "top_k", "methods", "artifacts", "files", "digest"),
)


@dataclass(frozen=True)
class AppBundle:
    """What an application needs of a bundle.

    Attributes:
        digest: the manifest's: which model this is, to the last bit.
        config: the model's.
        top_k: items that the artifact returns at once.
        rows: of its table: a bias has so many numbers.
        window: how many of a session's last items count; None: all.
        target: "c", "onnx", "tflite", "executorch" or another engine's name.
        artifact: the file that the runtime loads.
        catalogue: the user's item keys by id, and what is shown of them.
        repeats: share of the log's targets that repeat an item of their user's; None: not known.
        neighbours: the neighbours' expert; None: it has none, as a part of a bundle may not.
    """

    digest: str
    config: ModelConfig
    top_k: int
    rows: int
    window: int | None
    target: str
    artifact: Path
    catalogue: Catalogue
    repeats: float | None = None
    neighbours: Neighbours | None = None

    @property
    def most_held(self) -> int | None:
        """Items that a session's state holds before it is encoded anew; None: any number."""
        return None if self.window is None else self.config.most_held

    @property
    def keys(self) -> tuple[str, ...]:
        """The user's item keys by id; `keys[0]` is "", an unknown item."""
        return self.catalogue.keys

    @property
    def titles(self) -> Mapping[str, str]:
        """Title by key; may be empty."""
        return self.catalogue.titles

    @property
    def name(self) -> str:
        """The folder's."""
        return self.artifact.parent.name


def read_app_bundle(path: Path, target: str | None = None) -> AppBundle:
    """Read and check a bundle's manifest, items and one artifact.

    Args:
        path: the bundle's folder.
        target: whose artifact; None: the lightest that the bundle has and an installed runtime
            runs.

    Raises:
        BundleError: a file is missing, damaged or of a later version, or there is no artifact.
        ConfigError: there is no such target.
        MissingExtraError: no runtime for the bundle's artifacts is installed.
    """
    manifest = read_app_manifest(path)
    has = {artifact["target"]: artifact["file"] for artifact in manifest["artifacts"]}
    chosen = _choose(path, has, target)
    optional = {NEIGHBOURS} & set(manifest["files"])
    for name in (ITEMS, *optional, has[chosen]):
        check_listed(path, manifest, name)
    config = read_config(path, manifest)
    catalogue = read_catalogue(path / ITEMS, config)
    return AppBundle(
        digest=manifest["digest"],
        config=config,
        top_k=manifest["top_k"],
        rows=_rows_of(path, manifest),
        window=config.window_items(manifest["window"]),
        target=chosen,
        artifact=path / has[chosen],
        catalogue=catalogue,
        repeats=manifest.get("data", {}).get("repeats"),
        neighbours=read_neighbours(path, manifest, config),
    )


def read_items(path: Path) -> Catalogue:
    """A bundle's catalogue alone.

    Raises:
        BundleError: the manifest or items.json is missing, damaged or of a later version.
    """
    manifest = read_app_manifest(path)
    check_listed(path, manifest, ITEMS)
    return read_catalogue(path / ITEMS, read_config(path, manifest))


def read_app_manifest(path: Path) -> dict[str, Any]:
    """A bundle's manifest, with what an application needs of it.

    Raises:
        BundleError: it is missing, damaged, edited, or of a later version.
    """
    return read_manifest(path, APP_SCHEMA)


def check_listed(path: Path, manifest: Mapping[str, Any], name: str) -> None:
    """Hold a file of a bundle's folder to the size and sha256 in the manifest.

    Raises:
        BundleError: it is not listed, missing or damaged.
    """
    if name not in manifest["files"]:
        raise BundleError(f"{path}: the manifest does not list {name}; export it again")
    check_file(path / name, manifest["files"][name])


def _rows_of(path: Path, manifest: Mapping[str, Any]) -> int:
    """How many numbers the bias of `recommend` has.

    Raises:
        BundleError: it has none, or fewer than there are items.
    """
    inputs = manifest["methods"].get("recommend", {}).get("inputs", ())
    shapes = [tensor["shape"] for tensor in inputs if tensor["name"] == "bias"]
    if len(shapes) != 1 or len(shapes[0]) != 2 or shapes[0][1] < manifest["model"]["items"] + 2:
        raise BundleError(f"{path}: the manifest names no bias of `recommend`; export it again")
    rows: int = shapes[0][1]
    return rows


def _choose(path: Path, has: Mapping[str, str], target: str | None) -> str:
    usable = [engine for engine in _asked_for(target) if engine.name in has]
    if not usable:
        wanted = canonical_target(target) if target else " or ".join(engines())
        raise BundleError(
            f"{path} has no artifact for {wanted} (it has {', '.join(has)}); "
            f"export with --target {canonical_target(target) if target else 'onnx'}"
        )
    for engine in usable:
        if not missing(engine.packages):
            return engine.name
    raise MissingExtraError(usable[0].runtime_extra, f"running {path.name}")


def _asked_for(target: str | None) -> list[Engine]:
    if target is None:
        return list(engines().values())
    engine = engines().get(canonical_target(target))
    if engine is None:
        raise ConfigError(f"target {target!r} has no runtime here; {one_of(target, engines())}")
    return [engine]
