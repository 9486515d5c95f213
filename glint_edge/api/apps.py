"""A bundle on its way into apps: looked at, built into a module, published for updates."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from glint_edge.api.arguments import AnyBundle, AnyPath, as_bundle, several
from glint_edge.api.exporting import export
from glint_edge.api.progress import OnStep, shows, silent
from glint_edge.errors import BundleError
from glint_edge.files import require_place, scratch

if TYPE_CHECKING:
    from glint_edge.bundles.bundle import Bundle

log = logging.getLogger(__name__)


@shows("on_step", "steps")
def embed(
    bundle: AnyBundle,
    platform: str,
    out: AnyPath,
    target: str | Sequence[str] | None = None,
    *,
    neighbours: bool = True,
    on_step: OnStep = silent,
) -> list[Path]:
    """Write a small module around a bundle, to be copied into an app; the files written.

    Of the bundle the module gets what it reads. An artifact that the bundle lacks is exported from
    its checkpoint, where this machine still has that; the app's bundle is then a new one.

    Args:
        bundle: loaded, or its folder.
        platform: "web", "android", "ios", "cpp" or "python".
        out: the module's folder; new or empty.
        target: whose artifact it gets, or several, of which it loads the platform's best;
            None: the best one in the bundle.
        neighbours: false: the app's lists are the model's alone, where the bundle has neighbours.
        on_step: told what is being done.
    """
    from glint_edge.apps import module

    place = module.find_platform(platform)
    module.require_new(Path(out))
    require_place(Path(out))
    opened = as_bundle(bundle)
    targets = module.targets_for(opened, place, several(target or ()))
    missing = module.lacking(opened, targets)
    if not missing:
        return module.embed(opened, place, Path(out), targets, neighbours=neighbours)
    with scratch() as folder:
        reason = module.lack(opened, place, missing)
        again = _exported_again(opened, targets, folder, reason, on_step)
        return module.embed(again, place, Path(out), targets, neighbours=neighbours)


def publish(bundle: AnyBundle, out: AnyPath) -> Path:
    """Put a bundle where apps fetch their next one over the air; its folder there.

    Args:
        bundle: loaded, or its folder.
        out: the folder in which apps look for latest.json.
    """
    require_place(Path(out), inside=True)
    from glint_edge.bundles.publish import publish as run

    return run(as_bundle(bundle), Path(out))


def inspect(bundle: AnyBundle) -> Bundle:
    """What a bundle holds, every file of it checked."""
    return as_bundle(bundle)


def _exported_again(
    bundle: Bundle, targets: Sequence[str], folder: Path, reason: str, on_step: OnStep
) -> Bundle:
    """A bundle's checkpoint exported for other targets, with the same options.

    Args:
        bundle: has a checkpoint that this machine remembers.
        targets: whose artifacts it gets.
        folder: where the new bundle is written.
        reason: why, for who is told of it.
        on_step: told what is being done.

    Raises:
        BundleError: the checkpoint is not at hand, or has not the bundle's weights.
        MissingExtraError: a target's toolchain is not installed.
    """
    from converters.catalogue.update import options_of
    from glint_edge.bundles.manifest import SUFFIX
    from glint_edge.checkpoints.of_bundle import find_checkpoint

    name, wanted = bundle.path.name, ",".join(targets)
    every = ",".join(dict.fromkeys([*(one.target for one in bundle.artifacts), *targets]))
    command = f"glint-edge export CHECKPOINT --target {every} --out {bundle.path}"
    floats = find_checkpoint(bundle)
    if floats is None:
        raise BundleError(f"{reason}, and its checkpoint is not at hand; run {command}")
    spare = bundle.spare_items
    try:
        options = options_of(bundle, folder / f"{bundle.name}{SUFFIX}", spare)
    except BundleError as error:
        raise BundleError(f"{reason}; run {command} --quantize int8-qat") from error
    log.info("%s: exporting %s from %s", reason, wanted, floats.folder)
    exported = export(
        replace(floats, catalogue=bundle.catalogue, neighbours=bundle.neighbours), options.out,
        targets=targets, quantize=options.quantize, name=bundle.name, top_k=options.top_k,
        window=options.window, spare_items=spare, chunk=options.chunk, offline=True,
        on_step=on_step,
    )  # fmt: skip
    for check in exported.manifest["checks"]:
        for failure in check["failures"]:
            log.warning("%s is not good for %s: %s", name, check["target"], failure)
    return exported
