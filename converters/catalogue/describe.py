"""Other titles, fields and pictures in a bundle or a checkpoint, which stays the same model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from converters.catalogue.change import CatalogueChange, next_to
from converters.options import refuse_to_overwrite
from glint_edge.bundles.bundle import load_bundle, write_manifest
from glint_edge.bundles.copies import copy_listed
from glint_edge.bundles.manifest import ITEMS, MANIFEST, SUFFIX
from glint_edge.checkpoints.checkpoint import load_checkpoint, save_checkpoint
from glint_edge.data.catalogue import Catalogue
from glint_edge.data.items import ItemFile, described
from glint_edge.files import new_folder, write_json


def describe(where: Path, items: ItemFile, out: Path | None = None) -> CatalogueChange:
    """Write a bundle or a checkpoint anew, with another items.json; no artifact changes.

    Args:
        where: its folder, which stays as it is.
        items: the table.
        out: the new folder; None: NAME.v2, then .v3 …, beside `where`.

    Raises:
        ConfigError: a folder is in the way.
        DataError: the table cannot be read, is of other items, or says two things of one item.
        GlintEdgeError: the bundle or the checkpoint is missing or damaged.
    """
    if where.suffix != SUFFIX and not (where / MANIFEST).is_file():
        before = load_checkpoint(where)
        after = replace(before, catalogue=_next(before.catalogue, items))
        path, stood = next_to(where, after.catalogue.version, out, suffix="")
        with new_folder(path, stood=stood) as work:
            save_checkpoint(after, work)
        return CatalogueChange(path, load_checkpoint(path))
    bundle = load_bundle(where)
    catalogue = _next(bundle.catalogue, items)
    path, stood = next_to(where, catalogue.version, out, suffix=where.suffix)
    refuse_to_overwrite(path)
    manifest = {
        name: value for name, value in bundle.manifest.items() if name not in ("files", "digest")
    }
    if "catalogue" in manifest:  # bundles of before have none
        manifest["catalogue"] = {**manifest["catalogue"], "version": catalogue.version}
    with new_folder(path, stood=stood) as work:
        copy_listed(bundle, work)
        write_json(work / ITEMS, catalogue.to_dict())
        (work / MANIFEST).unlink()
        write_manifest(work, manifest)
    return CatalogueChange(path, None, load_bundle(path))


def _next(catalogue: Catalogue, items: ItemFile) -> Catalogue:
    return replace(described(catalogue, items), version=catalogue.version + 1)
