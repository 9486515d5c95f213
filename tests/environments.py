"""Virtual environments of a test's own."""

import os
import subprocess
import sys
import venv


def make_environment(folder):
    """Make an empty one; its Python."""
    venv.create(folder)
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def install(python, *requirements):
    """Install by this environment's pip: what has no pip of its own is made in no time."""
    command = [
        sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-compile",
        "--disable-pip-version-check", *requirements,
    ]  # fmt: skip
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
