"""The native runner for 64-bit Arm Linux, built on another machine.

What comes out is a folder with everything down to the C library, for the emulator, a board or a
phone. The runtime's libraries are those of its aarch64 wheel, fetched when the user asks.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from device_bench.native.build import (
    OWN,
    PACKAGES,
    PROGRAM,
    SOURCES,
    Toolchain,
    build,
    find_packages,
)
from device_bench.native.wheels import AARCH64, fetch_wheel
from glint_edge.errors import RunnerError
from glint_edge.extras import missing
from glint_edge.files import cache_folder

COMPILER = "aarch64-linux-gnu-g++"
PACKAGE = "g++-aarch64-linux-gnu"  # Debian's and Ubuntu's, that brings it
MACHINE = "aarch64"
SETUP = "run once: glint-edge device setup arm64"

_CMAKE_FILE = SOURCES / "cmake" / "aarch64.cmake"


def find_compiler() -> str | None:
    """Its path."""
    return shutil.which(COMPILER)


def installed_targets() -> list[str]:
    """Those that have a native runner and whose runtime is installed here."""
    return [OWN, *(target for target in PACKAGES if not missing([PACKAGES[target].module]))]


def fetch(target: str, on_step: Callable[[str], None]) -> None:
    """Bring the runtime's aarch64 libraries into the cache, by pip, unless they are there.

    Args:
        target: "executorch", …
        on_step: told what is being done.

    Raises:
        MissingExtraError: the runtime is not installed here, so its version is not known.
        RunnerError: they could not be brought.
    """
    folder = packages_of(target)
    if not folder.is_dir():
        on_step(f"fetching {folder.name} for {MACHINE}")
        fetch_wheel(folder.name, AARCH64, folder)


def build_aarch64(target: str, on_step: Callable[[str], None] = lambda step: None) -> Path:
    """Build the runner of a target, or find it built; never downloads.

    Args:
        target: "executorch", …
        on_step: told what is being done, if it takes time.

    Returns:
        A folder that may be copied anywhere; `start` says how it runs.

    Raises:
        MissingExtraError: the runtime, or what the build takes, is not installed here.
        RunnerError: it was not set up, there is no compiler, or the build failed.
    """
    packages = packages_of(target)
    if not packages.is_dir():
        raise RunnerError(f"there is no {target} runner for {MACHINE} yet; {SETUP}")
    if find_compiler() is None:
        raise RunnerError(f"{COMPILER} is not installed; Debian, Ubuntu: apt-get install {PACKAGE}")
    return build(target, Toolchain(MACHINE, _CMAKE_FILE, packages), on_step)


def start(folder: str) -> list[str]:
    """The command that runs a built folder, wherever it has been copied to.

    Its own loader is named, since a phone or an emulator has no other.
    """
    return [
        f"{folder}/lib/ld-linux-aarch64.so.1", "--library-path", f"{folder}/lib",
        f"{folder}/{PROGRAM}",
    ]  # fmt: skip


def packages_of(target: str) -> Path:
    """Where the wheel of the installed version is unpacked; the name is pip's requirement.

    The engine's own sources need no wheel.

    Raises:
        MissingExtraError: the runtime is not installed here.
        RunnerError: there is no native runner of this target.
    """
    folder, version = find_packages(target)
    return (
        folder
        if target == OWN
        else cache_folder() / MACHINE / f"{PACKAGES[target].distribution}=={version}"
    )
