"""A changed catalogue on disk: the new checkpoint, and the bundle that goes with it."""

from __future__ import annotations

import filecmp
import logging
import os
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from converters.options import refuse_to_overwrite
from glint_edge.bundles.bundle import Artifact, Bundle, load_bundle
from glint_edge.bundles.golden import Golden
from glint_edge.bundles.manifest import MANIFEST, SUFFIX
from glint_edge.checkpoints.checkpoint import (
    CONFIG,
    ITEMS,
    WEIGHTS,
    Checkpoint,
    load_checkpoint,
    save_checkpoint,
)
from glint_edge.checkpoints.of_bundle import find_checkpoint
from glint_edge.data.catalogue import Catalogue
from glint_edge.data.neighbours import Neighbours
from glint_edge.data.options import LoadOptions
from glint_edge.data.prefixes import prefixes
from glint_edge.data.source import find_split, some_histories
from glint_edge.errors import BundleError, ConfigError
from glint_edge.files import new_folder, require_place
from glint_edge.staging import Identity, identity, put, staging, sweep

log = logging.getLogger("glint_edge.catalogue")  # the package's, which the command line shows

FLOATS = "checkpoint"  # in the folder where both are made
SPARE = 100  # rows kept free where a bundle must be converted again


class Judge(Protocol):
    """`device_bench.bench.check_artifacts`, which this package does not import."""

    def __call__(
        self,
        artifacts: Sequence[tuple[Artifact, Path]],
        *,
        model: Any,  # noqa: ANN401  # GlintRU; a protocol need not import torch
        top_k: int,
        window: int | None,
        held_out: Any,  # noqa: ANN401  # HeldOut | None
        golden: Golden,
        catalogue: Catalogue,
        spare_items: int | None,
        neighbours: Neighbours | None = ...,
        on_step: Callable[[str], None] = ...,
    ) -> list[dict[str, Any]]:
        """Judge each file; entries of the manifest's `checks`."""


@dataclass(frozen=True)
class CatalogueChange:
    """What a change of the catalogue came to.

    Attributes:
        path: the new bundle's folder, or the new checkpoint's where no bundle was changed.
        checkpoint: the changed float model; None: a bundle alone was changed, in what it shows.
        bundle: the changed bundle; None if it was about a checkpoint alone.
        folder: where the changed float model of a bundle lies.
        converted: the bundle had too few spare rows and was converted again.
        done: what changed: "added" and "left_out", or "retired", with keys.
    """

    path: Path
    checkpoint: Checkpoint | None
    bundle: Bundle | None = None
    folder: Path | None = None
    converted: bool = False
    done: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def version(self) -> int:
        """Of the catalogue: one more than before."""
        return self.catalogue.version

    @property
    def catalogue(self) -> Catalogue:
        """The changed one."""
        changed = self.bundle or self.checkpoint
        assert changed is not None  # it was about one of them
        return changed.catalogue

    def to_dict(self) -> dict[str, Any]:
        """As `--json` prints it."""
        plain = {**{name: list(keys) for name, keys in self.done.items()}, "version": self.version}
        if self.bundle is None:
            return {**plain, "checkpoint": str(self.path)}
        return {
            **plain, "bundle": str(self.path),
            "checkpoint": str(self.folder) if self.folder else None, "converted": self.converted,
            "spare": self.bundle.spare_items,
            "checks": self.bundle.manifest["checks"],
        }  # fmt: skip

    def __repr__(self) -> str:
        what = ", ".join(f"{len(keys)} {name}" for name, keys in self.done.items())
        return f"CatalogueChange({str(self.path)!r}, version {self.version}: {what})"


def open_either(where: Path, checkpoint: Path | None) -> tuple[Bundle | None, Checkpoint]:
    """A bundle and its float model; or no bundle and a checkpoint.

    Raises:
        ConfigError: `where` is a checkpoint, and another is named beside it.
        BundleError: the bundle is damaged, or its float model is not at hand.
    """
    if where.suffix != SUFFIX and not (where / MANIFEST).is_file():
        if checkpoint is not None:
            raise ConfigError(f"{where} is a checkpoint itself; leave out --checkpoint")
        return None, load_checkpoint(where)
    bundle = load_bundle(where)
    floats = find_checkpoint(bundle, checkpoint)
    if floats is None:
        raise BundleError(
            f"the float model that {where} was made from is not at hand, and new rows are made and "
            "checked with it; pass its folder by --checkpoint"
        )
    # A bundle may show other things of its items than its float model, and goes on to; and it may
    # have neighbours of its own.
    return bundle, replace(floats, catalogue=bundle.catalogue, neighbours=bundle.neighbours)


def write_change(
    where: Path,
    bundle: Bundle | None,
    before: Checkpoint,
    after: Checkpoint,
    *,
    judge: Judge,
    done: Mapping[str, Sequence[str]],
    out: Path | None = None,
    spare_items: int = SPARE,
    data: object = None,
    reading: LoadOptions | None = None,
    offline: bool = False,
    on_step: Callable[[str], None] = lambda step: None,
) -> CatalogueChange:
    """Write the changed checkpoint, and the bundle if it is about one, all or nothing.

    Args:
        where: the bundle's or the checkpoint's folder, which stays as it is.
        bundle: made from `before`; None: it is about the checkpoint alone.
        before: the float model.
        after: the same with another catalogue.
        judge: checks the new files.
        done: what changed, for the result.
        out: the new folder; None: NAME.v2, then .v3 …, beside `where`.
        spare_items: rows to keep free if the bundle must be converted again.
        data: test items are read from here.
        reading: how; None: as the checkpoint stores it, and so for each option.
        offline: never fetch data.
        on_step: told what is being done.

    Raises:
        ConfigError: a folder is in the way.
        GlintEdgeError: as `converters.catalogue.update.update`.
    """
    version = after.catalogue.version
    path, stood = next_to(where, version, out, suffix=where.suffix if bundle else "")
    require_place(path)
    if bundle is None:
        with new_folder(path, stood=None) as work:
            save_checkpoint(after, work)
        return CatalogueChange(path, after, done=done)
    real = Path(os.path.realpath(path))
    folder = real.with_name(f"{_plain(path)}.v{version}.checkpoint")
    if folder.exists() and not (folder / CONFIG).is_file():
        raise ConfigError(
            f"{folder} exists and is no checkpoint; remove it, or choose another --out"
        )
    from converters.catalogue.update import options_of, spare_after, top_k_after, update

    options_of(bundle, path, spare_items)
    refuse_to_overwrite(path)
    left = spare_after(bundle, after)
    converted = left is None
    if converted:
        log.info("%s has too few spare rows, or too long lists: converting again, with %d spare",
                 bundle.path, spare_items)  # fmt: skip
    parts = find_split(after.data, after.catalogue, data, reading, offline=offline)
    known = parts.validation() if parts else None
    positions = prefixes(known, after.model.config.max_length) if known else None

    def check(artifacts: Sequence[tuple[Artifact, Path]], golden: Golden) -> list[dict[str, Any]]:
        return judge(
            artifacts, model=after.model, top_k=top_k_after(bundle, after), window=bundle.window,
            held_out=positions, golden=golden, catalogue=after.catalogue,
            spare_items=spare_items if converted else left, neighbours=after.neighbours,
            on_step=on_step,
        )  # fmt: skip

    real.parent.mkdir(parents=True, exist_ok=True)
    sweep(real.parent)
    with staging(real) as part:
        save_checkpoint(after, part / FLOATS)
        folder = _place_for(part / FLOATS, folder)
        changed = update(
            bundle, before, load_checkpoint(part / FLOATS), part / real.name,
            folder=folder, check=check, spare_items=spare_items, on_step=on_step,
            probes=some_histories(known, after.model.config) if known else None,
        )  # fmt: skip
        _put_both(part, folder, real, stood)
    return CatalogueChange(path, after, replace(changed, path=path), folder, converted, done)


def next_to(
    where: Path, version: int, out: Path | None, *, suffix: str
) -> tuple[Path, Identity | None]:
    """Where a changed folder goes, and what may be replaced there: a bundle that `out` names.

    Args:
        where: the folder that was changed.
        version: of the new catalogue.
        out: the new folder; None: one beside `where`.
        suffix: of a bundle's folder; "" for a checkpoint.

    Raises:
        ConfigError: something is in the way.
    """
    path = out or where.with_name(f"{_plain(where)}.v{version}{suffix}")
    stood = identity(path)
    if stood is not None and (out is None or not suffix):
        raise ConfigError(f"{path} exists; change that one, remove it, or choose another --out")
    return path, stood


def _place_for(floats: Path, folder: Path) -> Path:
    """Where a checkpoint goes: another that is there may be some bundle's, and stays."""
    number, place = 1, folder
    while place.exists() and not _is_same(floats, place):
        number += 1
        place = folder.with_name(f"{folder.stem}-{number}{folder.suffix}")
    return place


def _is_same(one: Path, other: Path) -> bool:
    files = (WEIGHTS, ITEMS, CONFIG)
    return len(filecmp.cmpfiles(one, other, files, shallow=False)[0]) == len(files)


def _put_both(part: Path, folder: Path, path: Path, stood: Identity | None) -> None:
    """The checkpoint first: a kill between the two must not leave a bundle without its own."""
    came_before = folder.exists()
    if not came_before:
        put(part / FLOATS, folder, None)
    try:
        put(part / path.name, path, stood)
    except BaseException:
        if not came_before:
            shutil.rmtree(folder, ignore_errors=True)
        raise


def _plain(path: Path) -> str:
    """A folder's name without suffix and version: app.v2.glint → app."""
    name = path.name.removesuffix(".glint").removesuffix(".checkpoint")
    return re.sub(r"\.v\d+(-\d+)?$", "", name)
