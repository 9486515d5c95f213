"""A bundle's manifest.json, and whether the files are those it lists.

Apart from `bundle.py`, so that what only runs a bundle needs nothing but the standard
library for it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from glint_edge.config import ModelConfig
from glint_edge.errors import BundleError, ConfigError
from glint_edge.files import sha256
from glint_edge.json_files import Fault, Schema
from glint_edge.staging import recover
from glint_edge.suggestions import did_you_mean, near_paths

SCHEMA_VERSION = 2
WITHOUT_FILTERS = 1  # its artifacts have no bias
SCHEMA = Schema(Path(__file__).with_name("manifest.schema.json"))
LATEST_SCHEMA = Schema(Path(__file__).with_name("latest.schema.json"), most_bytes=1 << 20)
SUFFIX = ".glint"
MANIFEST, ITEMS, GOLDEN = "manifest.json", "items.json", "golden.json"
LATEST = "latest.json"  # beside published bundles: which one is the newest
PART_OF = "part_of"  # of the manifest in an app: what the whole bundle lists


def read_manifest(path: Path, schema: Schema = SCHEMA) -> dict[str, Any]:
    """Read the manifest of a bundle's folder.

    Args:
        path: the folder.
        schema: of all of it, or of what is needed.

    Raises:
        BundleError: it is missing, damaged, edited, or of a later version.
    """
    file = path / MANIFEST
    recover(path)
    if not file.is_file():
        hint = did_you_mean(near_paths(path), "run glint-edge export")
        raise BundleError(f"{path} is not a bundle: it has no {MANIFEST}; {hint}")
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
    if version == WITHOUT_FILTERS:
        raise BundleError(
            f"{path} was exported by an earlier glint-edge, whose lists know no filters; "
            "export it again"
        )
    try:
        schema.check(manifest)
    except Fault as error:
        raise BundleError(f"{file} {error}; copy the bundle again, or export it again") from error
    if manifest["digest"] != digest_of(manifest) or not _is_part(manifest):
        raise BundleError(
            f"{file} is damaged or was edited: its digest does not match; "
            "copy the bundle again, or export it again"
        )
    whole: dict[str, Any] = manifest
    return whole


def _is_part(manifest: Mapping[str, Any]) -> bool:
    """Whether all that is listed stands in the whole bundle's list too."""
    if PART_OF not in manifest:
        return True
    whole = manifest[PART_OF]
    return all(one in whole["artifacts"] for one in manifest["artifacts"]) and all(
        whole["files"].get(name) == listed for name, listed in manifest["files"].items()
    )


@cache
def _name() -> re.Pattern[str]:
    pattern: str = json.loads(SCHEMA.path.read_bytes())["$defs"]["name"]["pattern"]
    return re.compile(pattern.removeprefix("^").removesuffix("$"))


def require_name(name: str) -> None:
    """Refuse what cannot be a bundle's name on every platform.

    Raises:
        ConfigError: it is no such name.
    """
    if not _name().fullmatch(name):
        raise ConfigError(
            f"{name!r} cannot be a bundle's name, which is a folder's on every platform: begin and "
            "end it with a letter from a to z or a digit, with . _ + - or blanks between them, at "
            "most 64; pass --name"
        )


def plain_name(text: str) -> str:
    """A name of a bundle that is like a text."""
    return (
        re.sub(r"[^A-Za-z0-9]*([^A-Za-z0-9._+ -])[^A-Za-z0-9]*", "-", text)[:64].strip("._+ -")
        or "model"
    )


def digest_of(manifest: Mapping[str, Any]) -> str:
    """A manifest's checksum of itself: a flipped bit in a figure is still good JSON.

    A part of a bundle has the whole one's, so that sessions go on.
    """
    rest = {name: value for name, value in manifest.items() if name not in ("digest", PART_OF)}
    if isinstance(whole := manifest.get(PART_OF), Mapping):
        rest |= {name: whole[name] for name in ("artifacts", "files") if name in whole}
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
