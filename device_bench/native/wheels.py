"""A runtime's libraries for another machine, out of the wheel that its makers publish for it."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

from glint_edge.errors import RunnerError
from glint_edge.files import new_folder, scratch

# Those of a common aarch64 Linux; pip does not count an older one as part of a newer.
AARCH64 = ("manylinux_2_28_aarch64", "manylinux_2_27_aarch64", "manylinux2014_aarch64")


def fetch_wheel(requirement: str, platforms: tuple[str, ...], folder: Path) -> None:
    """Let pip, and so the user's own index and proxy settings, bring a wheel, and unpack it.

    Args:
        requirement: of one version, as in "executorch==1.5.1".
        platforms: any of these tags.
        folder: is as it was, or holds the whole wheel.

    Raises:
        RunnerError: pip found none, the wheel is damaged, or the folder cannot be written.
    """
    try:
        with new_folder(folder) as work, scratch() as temporary:
            wheel = _download(requirement, platforms, temporary)
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(work)
    except zipfile.BadZipFile as error:
        raise RunnerError(f"the wheel that pip brought for {requirement} is damaged") from error
    except OSError as error:
        raise RunnerError(
            f"cannot keep {requirement} in {folder}: {error.strerror}; "
            "set GLINT_EDGE_CACHE to a folder you can write"
        ) from error


def _download(requirement: str, platforms: tuple[str, ...], folder: Path) -> Path:
    command = [
        sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check",
        "--no-input", "--no-deps", "--only-binary=:all:",
        *(f"--platform={platform}" for platform in platforms),
        f"--python-version={sys.version_info.major}.{sys.version_info.minor}",
        "-d", str(folder), requirement,
    ]  # fmt: skip  # a command line
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode or not wheels:
        said = (done.stderr.strip() or "no wheel arrived").splitlines()[-1]
        raise RunnerError(
            f"pip could not download {requirement} for {platforms[0]} ({said}); "
            "run this once where pip works and is online"
        )
    return wheels[0]
