"""A runtime's libraries for another machine, out of the wheel that its makers publish for it.

`wheels.json` has the sha256 of each wheel that is ever unpacked, by requirement and file. What it
holds runs on a user's board: no index and no proxy can put another in its place.
"""

from __future__ import annotations

import json
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

from glint_edge.errors import RunnerError
from glint_edge.files import new_folder, scratch, sha256
from glint_edge.pip import NoWheelError, download_wheel

# Those of a common aarch64 Linux; pip does not count an older one as part of a newer.
AARCH64 = ("manylinux_2_28_aarch64", "manylinux_2_27_aarch64", "manylinux2014_aarch64")

PINNED: Mapping[str, Mapping[str, str]] = json.loads(
    Path(__file__).with_name("wheels.json").read_bytes()
)


def fetch_wheel(requirement: str, platforms: tuple[str, ...], folder: Path) -> None:
    """Let pip, and so the user's own index and proxy settings, bring a wheel, and unpack it.

    Args:
        requirement: of one version, as in "executorch==1.5.1".
        platforms: any of these tags.
        folder: is as it was, or holds the whole wheel.

    Raises:
        RunnerError: no wheel of this version is known here, pip found none or brought another, or
            the folder cannot be written.
    """
    pinned = _pinned(requirement)
    try:
        with new_folder(folder) as work, scratch() as temporary:
            wheel = _download(requirement, platforms, temporary)
            if sha256(wheel) != pinned.get(wheel.name):
                raise RunnerError(
                    f"the {wheel.name} that pip brought is not the one that this glint-edge knows "
                    "(its sha256 differs), and stays packed; check pip's index"
                )
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(work)
    except zipfile.BadZipFile as error:
        raise RunnerError(f"the wheel that pip brought for {requirement} is damaged") from error
    except OSError as error:
        raise RunnerError(
            f"cannot keep {requirement} in {folder}: {error.strerror}; "
            "set GLINT_EDGE_CACHE to a folder you can write"
        ) from error


def _pinned(requirement: str) -> Mapping[str, str]:
    """sha256 of the wheels of a requirement, by file."""
    if requirement in PINNED:
        return PINNED[requirement]
    name = requirement.partition("==")[0]
    known = [f"'{each}'" for each in PINNED if each.partition("==")[0] == name]
    raise RunnerError(
        f"no wheel of {requirement} is known to this glint-edge, and an unknown one is not "
        "unpacked; upgrade glint-edge" + (f", or pip install {known[-1]}" if known else "")
    )


def _download(requirement: str, platforms: tuple[str, ...], folder: Path) -> Path:
    try:
        return download_wheel(
            requirement, folder, *(f"--platform={platform}" for platform in platforms),
            f"--python-version={sys.version_info.major}.{sys.version_info.minor}",
        )  # fmt: skip
    except NoWheelError as error:
        raise RunnerError(
            f"pip could not download {requirement} for {platforms[0]} ({error}); "
            "run this once where pip works and is online"
        ) from error
