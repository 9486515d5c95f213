"""A module around a bundle, for an app: its source files, with the bundle laid in as an asset.

Each platform is a folder of `platforms/`: `platform.json` says which artifacts it can
run and where the bundle goes, `module/` is what is written. A file whose name ends in `.j2` is a
template of the values in `_values`; every other file is copied as it stands, so that it can be
read, compiled and tested where it lies.
"""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from glint_edge.apps.escapes import environment_for
from glint_edge.bundles.copies import copy_listed
from glint_edge.bundles.target import canonical_target
from glint_edge.errors import BundleError, ConfigError
from glint_edge.files import new_folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from glint_edge.bundles.bundle import Artifact, Bundle

PLATFORMS = ("web", "android", "ios", "cpp", "python")
TEMPLATE = ".j2"

MOST_SERVERS = 20  # of pictures, that a policy names
_PORTS = {"http": ":80", "https": ":443"}
_HOST = re.compile(r"[a-z0-9.-]+(:\d+)?")


@dataclass(frozen=True)
class Platform:
    """What a platform's module takes.

    Attributes:
        name: "web", …
        root: its folder.
        targets: the artifacts it can run, the best one first.
        assets: folder of the bundle in the module; the bundle keeps its name there.
    """

    name: str
    root: Path
    targets: tuple[str, ...]
    assets: str


def find_platform(name: str) -> Platform:
    """Look a platform up.

    Raises:
        ConfigError: there is none of this name.
    """
    if name not in PLATFORMS:
        raise ConfigError(f"platform {name!r} is unknown; choose one of {', '.join(PLATFORMS)}")
    root = Path(str(resources.files("glint_edge.apps"))) / "platforms" / name
    declared = json.loads((root / "platform.json").read_text("utf-8"))
    return Platform(name, root, tuple(declared["targets"]), declared["assets"])


def embed(bundle: Bundle, platform: Platform, out: Path, target: str | None = None) -> list[Path]:
    """Write a module around a bundle.

    Args:
        bundle: a checked one.
        platform: from `find_platform`.
        out: the module's folder; it must be new or empty.
        target: whose artifact the module loads; None: the platform's best one in the bundle.

    Returns:
        The files written, in `out`, in alphabetical order.

    Raises:
        ConfigError: `out` has something in it, or the platform cannot run `target`.
        BundleError: the bundle has no artifact that the platform can run, or a file of it is a
            link.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError(f"{out} exists and is not empty; choose another --out")
    values = _values(bundle, platform, _choose(bundle, platform, target))
    with new_folder(out, stood=None) as work:
        for source in _files(platform.root / "module"):
            place = work / source.relative_to(platform.root / "module")
            place.parent.mkdir(parents=True, exist_ok=True)
            if place.suffix == TEMPLATE:
                file = place.with_suffix("")
                template = environment_for(file.suffix).from_string(source.read_text("utf-8"))
                file.write_text(template.render(values), "utf-8")
            else:
                shutil.copyfile(source, place)
        assets = work / platform.assets / f"{bundle.name}.glint"
        assets.mkdir(parents=True)
        copy_listed(bundle, assets)
    return sorted(path for path in out.rglob("*") if path.is_file())


def _choose(bundle: Bundle, platform: Platform, target: str | None) -> Artifact:
    has = {artifact.target: artifact for artifact in reversed(bundle.artifacts)}
    target = canonical_target(target) if target else None
    if target is not None and target not in platform.targets:
        raise ConfigError(
            f"{platform.name} cannot run {target!r}; choose one of {', '.join(platform.targets)}"
        )
    for name in [target] if target else platform.targets:
        if name in has:
            return has[name]
    wanted = target or " or ".join(platform.targets)
    raise BundleError(
        f"{bundle.path} has no artifact for {platform.name} (it has {', '.join(has)}); "
        f"export with --target {(target or platform.targets[0])}, which gives {wanted}"
    )


def _values(bundle: Bundle, platform: Platform, artifact: Artifact) -> dict[str, Any]:
    """What a template may name; any other name is an error."""
    return {
        "name": bundle.name,
        "assets": f"{platform.assets}/{bundle.name}.glint",
        "target": artifact.target,
        "precision": artifact.precision,
        "file": artifact.file,
        "runtime": dict(artifact.runtime),
        "digest": bundle.manifest["digest"],
        "top_k": bundle.top_k,
        "window": bundle.manifest["window"],
        "max_length": bundle.config.max_length,
        "items": bundle.config.items,
        "version": bundle.manifest["tool"]["version"],
        "pictures": picture_sources(bundle.catalogue.images.values()),
    }


def picture_sources(addresses: Iterable[str]) -> list[str]:
    """Where pictures come from, for a Content-Security-Policy: servers; of many, schemes."""
    parts = [urlsplit(address.lower()) for address in addresses]
    origins = {
        f"{scheme}://{host.removesuffix(_PORTS[scheme])}" if _HOST.fullmatch(host) else f"{scheme}:"
        for scheme, host in {(part.scheme, part.netloc) for part in parts}
    }
    many = len(origins) > MOST_SERVERS
    return sorted({part.scheme + ":" for part in parts} if many else origins)


def _files(folder: Path) -> Iterator[Path]:
    """Every file below a folder, but for what running the sources there leaves behind."""
    left_behind = {"__pycache__", "node_modules", "build", "dist", ".gradle", ".build"}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not left_behind & set(path.relative_to(folder).parts):
            yield path
