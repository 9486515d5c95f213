"""A module around a bundle, for an app: its source files, with the bundle laid in as an asset.

Each platform is a folder of `platforms/`: `platform.json` says which artifacts it can
run and where the bundle goes, `module/` is what is written. A file whose name ends in `.j2` is a
template of the values in `_values`, and is left out where nothing comes of it; every other file is
copied as it stands, so that it can be read, compiled and tested where it lies. The engine's files
are written where `platform.json` has them, for an app that runs it.
"""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from glint_edge.apps.escapes import environment_for
from glint_edge.apps.wheel import version, write_wheel
from glint_edge.bundles.copies import copy_part
from glint_edge.bundles.target import canonical_target
from glint_edge.engine import library
from glint_edge.engine.web import WASM
from glint_edge.errors import BundleError, ConfigError
from glint_edge.files import new_folder
from glint_edge.suggestions import one_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from glint_edge.bundles.bundle import Artifact, Bundle

PLATFORMS = ("web", "android", "ios", "cpp", "python")
TEMPLATE = ".j2"
ENGINE = "c"  # the target whose runtime a module brings itself

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
        engine: where the engine's files go in the module, by name.
        wheel: folder of this package's wheel in the module; empty: it needs none.
    """

    name: str
    root: Path
    targets: tuple[str, ...]
    assets: str
    engine: Mapping[str, str] = field(default_factory=dict)
    wheel: str = ""


def find_platform(name: str) -> Platform:
    """Look a platform up.

    Raises:
        ConfigError: there is none of this name.
    """
    if name not in PLATFORMS:
        raise ConfigError(f"platform {name!r} is unknown; {one_of(name, PLATFORMS)}")
    root = Path(str(resources.files("glint_edge.apps"))) / "platforms" / name
    declared = json.loads((root / "platform.json").read_text("utf-8"))
    return Platform(name, root, **{**declared, "targets": tuple(declared["targets"])})


def targets_for(bundle: Bundle, platform: Platform, wanted: Sequence[str] = ()) -> list[str]:
    """Whose artifacts a module gets, the platform's best one first, which it loads.

    Args:
        bundle: need not have them.
        platform: from `find_platform`.
        wanted: targets; none: the platform's best one that the bundle has, else its best one.

    Raises:
        ConfigError: the platform cannot run one of them.
    """
    has = {artifact.target for artifact in bundle.artifacts}
    best = next((name for name in platform.targets if name in has), platform.targets[0])
    chosen = set(map(canonical_target, wanted)) or {best}
    for name in chosen:
        if name not in platform.targets:
            raise ConfigError(
                f"{platform.name} cannot run {name!r}; {one_of(name, platform.targets)}"
            )
    return sorted(chosen, key=platform.targets.index)


def lacking(bundle: Bundle, targets: Iterable[str]) -> list[str]:
    """Those of the targets of which a bundle has no artifact."""
    has = {artifact.target for artifact in bundle.artifacts}
    return [name for name in targets if name not in has]


def lack(bundle: Bundle, platform: Platform, missing: Iterable[str]) -> str:
    """What `lacking` came to, in words that more follow."""
    has = ", ".join(artifact.target for artifact in bundle.artifacts)
    no = " and no ".join(missing)
    return f"{bundle.path} has no {no} artifact for {platform.name}, but {has}"


def require_new(out: Path) -> None:
    """Refuse a folder that has something in it.

    Raises:
        ConfigError: it has.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError(f"{out} exists and is not empty; choose another --out")


def embed(
    bundle: Bundle,
    platform: Platform,
    out: Path,
    targets: Sequence[str] = (),
    *,
    neighbours: bool = True,
) -> list[Path]:
    """Write a module around a bundle.

    Args:
        bundle: a checked one.
        platform: from `find_platform`.
        out: the module's folder; it must be new or empty.
        targets: whose artifacts it gets, as for `targets_for`.
        neighbours: whether it gets the bundle's neighbours, if there are some.

    Returns:
        The files written, in `out`, in alphabetical order.

    Raises:
        ConfigError: `out` has something in it, or the platform cannot run a target.
        BundleError: the bundle has no artifact of a target, or a file of it is a link.
    """
    require_new(out)
    names = targets_for(bundle, platform, targets)
    if missing := lacking(bundle, names):
        raise BundleError(f"{lack(bundle, platform, missing)}; export with --target {missing[0]}")
    artifacts = [next(one for one in bundle.artifacts if one.target == name) for name in names]
    values = _values(bundle, platform, artifacts)
    with new_folder(out, stood=None) as work:
        for source in _files(platform.root / "module"):
            _write(source, work / source.relative_to(platform.root / "module"), values)
        if ENGINE in names:
            _write_engine(platform, work)
        if platform.wheel:
            write_wheel(work / platform.wheel)
        assets = work / platform.assets / f"{bundle.name}.glint"
        assets.mkdir(parents=True)
        copy_part(bundle, artifacts, assets, neighbours=neighbours)
    return sorted(path for path in out.rglob("*") if path.is_file())


def _write(source: Path, place: Path, values: dict[str, Any]) -> None:
    if source.suffix != TEMPLATE:
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, place)
        return
    file = place.with_suffix("")
    template = environment_for(file.suffix).from_string(source.read_text("utf-8"))
    if (text := template.render(values)).strip():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")


def _write_engine(platform: Platform, folder: Path) -> None:
    for name, place in platform.engine.items():
        file = folder / place
        file.parent.mkdir(parents=True, exist_ok=True)
        if name == "glint.c":
            file.write_text(library.one_file(), "utf-8")
        else:
            shutil.copyfile({"glint.h": library.HEADER, "glint.wasm": WASM}[name], file)


def _values(bundle: Bundle, platform: Platform, artifacts: Sequence[Artifact]) -> dict[str, Any]:
    """What a template may name; any other name is an error."""
    artifact = artifacts[0]
    return {
        "name": bundle.name,
        "assets": f"{platform.assets}/{bundle.name}.glint",
        "target": artifact.target,
        "targets": [each.target for each in artifacts],
        "precision": artifact.precision,
        "file": artifact.file,
        "runtime": {name: least for one in artifacts for name, least in one.runtime.items()},
        "digest": bundle.manifest["digest"],
        "top_k": bundle.top_k,
        "window": bundle.manifest["window"],
        "max_length": bundle.config.max_length,
        "items": bundle.config.items,
        "version": version(),
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
