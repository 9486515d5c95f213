"""What a bundle's manifest, items and golden vectors say, once they agree with one another."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from glint_edge.bundles.golden import Golden
from glint_edge.config import ModelConfig
from glint_edge.data.catalogue import ITEMS_SCHEMA, Catalogue
from glint_edge.data.neighbours import Neighbours
from glint_edge.data.neighbours_file import NEIGHBOURS, read_beside
from glint_edge.errors import BundleError, ConfigError
from glint_edge.json_files import Fault, Schema

GOLDEN_SCHEMA = Schema(Path(__file__).with_name("golden.schema.json"), most_bytes=64 << 20)


def read_config(folder: Path, manifest: Mapping[str, Any]) -> ModelConfig:
    """The model's configuration, which the window and the top-k of a manifest are possible for.

    Raises:
        BundleError: they are not.
    """
    try:
        config = ModelConfig.from_dict(manifest["model"])
        config.window_items(manifest["window"])
    except ConfigError as error:
        raise BundleError(f"{folder} is inconsistent ({error}); export it again") from error
    if manifest["top_k"] > config.items:
        raise BundleError(
            f"{folder} is inconsistent (lists of {manifest['top_k']:,} items, and there are "
            f"{config.items:,}); export it again"
        )
    return config


def read_catalogue(file: Path, config: ModelConfig) -> Catalogue:
    """A model's items.json.

    Raises:
        BundleError: it is damaged, or of another model.
    """
    try:
        catalogue = Catalogue.from_dict(ITEMS_SCHEMA.read(file))
    except (Fault, ConfigError) as error:
        raise BundleError(f"{file} {error}; export the bundle again") from error
    if len(catalogue.keys) != config.items + 1:
        raise BundleError(
            f"{file} lists {len(catalogue.keys) - 1:,} items, the model has {config.items:,}; "
            "export the bundle again"
        )
    return catalogue


def read_neighbours(
    folder: Path, manifest: Mapping[str, Any], config: ModelConfig
) -> Neighbours | None:
    """A bundle's neighbours.bin; None: the manifest lists none.

    Raises:
        BundleError: it is missing, damaged, of another model or of a later version.
    """
    if NEIGHBOURS not in manifest["files"]:
        return None
    return read_beside(folder, config.items, BundleError, "export the bundle again")


def read_golden(file: Path, config: ModelConfig, top_k: int) -> Golden:
    """A bundle's golden.json.

    Raises:
        BundleError: it is damaged, or of another model.
    """
    try:
        golden = Golden.from_dict(GOLDEN_SCHEMA.read(file))
    except Fault as error:
        raise BundleError(f"{file} {error}; export the bundle again") from error
    for number, case in enumerate(golden.cases):
        lists = len(case.items) == len(case.scores) == top_k
        if not lists or max([*case.items, *case.history]) > config.items:
            raise BundleError(
                f"{file} is of another model (golden case {number}); export the bundle again"
            )
    for one in (*golden.lists, *golden.similar):
        ids = [*one.items, *(one.history or ()), one.item or 1, *map(int, one.near)]
        if not len(one.items) == len(one.scores) <= one.k or max(ids) > config.items:
            raise BundleError(
                f"{file} is of another model (its lists with filters); export the bundle again"
            )
    return golden
