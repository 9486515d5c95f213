"""Wheels by pip, and so by the user's own index and proxy settings."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


class NoWheelError(Exception):
    """Why pip brought none, in one line."""


def download_wheel(requirement: str, folder: Path, *options: str) -> Path:
    """Download the wheel of a requirement, without what it depends on.

    Args:
        requirement: of one version, as in "executorch==1.5.1".
        folder: where it is put; nothing else lies there.
        options: of `pip download`, such as another platform.

    Raises:
        NoWheelError: pip is not here, found none, or failed.
    """
    command = [
        sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check",
        "--no-input", "--no-deps", "--only-binary=:all:", *options, "-d", str(folder), requirement,
    ]  # fmt: skip  # a command line
    done = subprocess.run(
        command, capture_output=True, encoding="utf-8", errors="replace", check=False
    )
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode or not wheels:
        raise NoWheelError((done.stderr.strip() or "no wheel arrived").splitlines()[-1])
    return wheels[0]
