"""Is this installation whole: targets, versions, and names that two packages claim."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata

from glint_edge.bundles.target import Target
from glint_edge.data.named import NAMED, is_cached
from glint_edge.errors import how_to_get
from glint_edge.extras import missing
from glint_edge.files import cache_folder
from glint_edge.runtime.engines import engines

# The wheel's four top-level packages. Another distribution with one of these names would
# overwrite ours in site-packages, and pip would not say so.
OURS = ("glint_edge", "quantization", "converters", "device_bench")


@dataclass(frozen=True)
class TargetReport:
    """One target: whether it can be used, versions of its packages, what to install otherwise."""

    name: str
    usable: bool
    versions: Mapping[str, str]
    advice: str


@dataclass(frozen=True)
class Report:
    """What `glint-edge doctor` prints."""

    python: str
    machine: str
    versions: Mapping[str, str]
    cache: str
    cached: Mapping[str, bool]
    targets: tuple[TargetReport, ...]
    conflicts: tuple[str, ...]
    broken: tuple[str, ...]

    def to_dict(self) -> dict[str, object]:
        """For `--json`."""
        return {**vars(self), "targets": [vars(target) for target in self.targets]}

    def target_rows(self) -> list[tuple[str, str, str]]:
        """Name, yes or no, versions or advice."""
        return [
            (target.name, "yes" if target.usable else "no", target.advice or _join(target.versions))
            for target in self.targets
        ]

    def installation_rows(self) -> list[tuple[str, str]]:
        """Names and values, for people."""
        cached = ", ".join(f"{n}: {'yes' if c else 'no'}" for n, c in self.cached.items())
        return [
            ("python", f"{self.python} on {self.machine}"),
            ("packages", _join(self.versions)),
            ("cache", self.cache),
            ("data in it", cached),
            ("conflicts", "; ".join(self.conflicts) or "none"),
            *(("cannot be used", one) for one in self.broken),
        ]


def diagnose(targets: Mapping[str, Target], broken: Mapping[str, str]) -> Report:
    """Look, without importing anything heavy and without the network.

    Args:
        targets: by name.
        broken: why what another package brings cannot be used, by its group and name.
    """
    return Report(
        python=platform.python_version(),
        machine=f"{platform.system()} {platform.machine()}",
        versions=_versions(("glint-edge", "torch", "numpy", "polars")),
        cache=str(cache_folder()),
        cached={name: is_cached(name) for name in NAMED},
        targets=tuple(_target(target) for target in targets.values()),
        conflicts=tuple(_conflicts()),
        broken=tuple(f"{name}: {why}; upgrade or uninstall it" for name, why in broken.items()),
    )


def _target(target: Target) -> TargetReport:
    engine = engines().get(target.name)
    runs = engine.packages if engine else ()
    packages = tuple(dict.fromkeys((*target.convert_packages, *runs)))
    absent = missing(packages)
    advice = f"{', '.join(absent)} missing: {how_to_get(target.extra)}" if absent else ""
    versions = _versions(packages) or _versions(("glint-edge",))  # the engine is this package's
    return TargetReport(target.name, not absent, versions, advice)


def _versions(packages: tuple[str, ...]) -> dict[str, str]:
    versions = {}
    for package in packages:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue  # not installed: `advice` says so
    return versions


def _conflicts() -> list[str]:
    owners = metadata.packages_distributions()
    return [
        f"the package {name!r} is claimed by {', '.join(sorted(set(owners[name])))}: "
        "install glint-edge in an environment of its own"
        for name in OURS
        if len(set(owners.get(name, ()))) > 1
    ]


def _join(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())
