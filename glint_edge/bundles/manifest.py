"""A bundle's manifest.json, and whether the files are those it lists.

Apart from `bundle.py`, so that what only runs a bundle needs nothing but the standard
library for it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from glint_edge.config import ModelConfig
from glint_edge.errors import BundleError
from glint_edge.files import sha256
from glint_edge.json_files import Fault, Schema

SCHEMA_VERSION = 1
SCHEMA = Schema(Path(__file__).with_name("manifest.schema.json"))
LATEST_SCHEMA = Schema(Path(__file__).with_name("latest.schema.json"), most_bytes=1 << 20)
SUFFIX = ".glint"
MANIFEST, ITEMS, GOLDEN = "manifest.json", "items.json", "golden.json"
LATEST = "latest.json"  # beside published bundles: which one is the newest


def read_manifest(path: Path, schema: Schema = SCHEMA) -> dict[str, Any]:
    """Read the manifest of a bundle's folder.

    Args:
        path: the folder.
        schema: of all of it, or of what is needed.

    Raises:
        BundleError: it is missing, damaged, edited, or of a later version.
    """
    file = path / MANIFEST
    if not file.is_file():
        raise BundleError(f"{path} is not a bundle: it has no {MANIFEST}; run glint-edge export")
    try:
        manifest = schema.load(file)
    except Fault as error:
        raise BundleError(f"{file} {error}; export it again") from error
    version = manifest.get("schema_version") if isinstance(manifest, dict) else None
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise BundleError(
            f"{path} has schema version {version}, this glint-edge reads {SCHEMA_VERSION}; "
            "upgrade glint-edge"
        )
    try:
        schema.check(manifest)
    except Fault as error:
        raise BundleError(f"{file} {error}; copy the bundle again, or export it again") from error
    if manifest["digest"] != digest_of(manifest):
        raise BundleError(
            f"{file} is damaged or was edited: its digest does not match; "
            "copy the bundle again, or export it again"
        )
    whole: dict[str, Any] = manifest
    return whole


def digest_of(manifest: Mapping[str, Any]) -> str:
    """A manifest's checksum of itself: a flipped bit in a figure is still good JSON."""
    rest = {name: value for name, value in manifest.items() if name != "digest"}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def no_history(config: ModelConfig) -> str:
    """What `recommend` gives without a history, which is ids 1 … k, in words."""
    if config.padding == "masked":  # trained here, where ids are ranks by popularity
        return "the most popular items"
    return "the first items of the imported catalogue"


def check_file(file: Path, expected: Mapping[str, Any]) -> None:
    """Hold a file to the size and sha256 that its manifest gives it.

    Raises:
        BundleError: it is missing or another.
    """
    if not file.is_file():
        raise BundleError(f"{file} is missing; copy the whole bundle, or export it again")
    size = file.stat().st_size
    if size != expected["bytes"]:
        raise BundleError(
            f"{file} has {size:,} bytes, its manifest says {expected['bytes']:,}; "
            "copy the bundle again, or export it again"
        )
    if sha256(file) != expected["sha256"]:
        raise BundleError(
            f"{file} is damaged: its sha256 is not its manifest's; "
            "copy the bundle again, or export it again"
        )
