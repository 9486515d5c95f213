"""The engine's sources as a shared library, or as one file; imports nothing of this project.

So that the build of a wheel can run it (`hatch_build.py`), before anything is installed.
"""

from __future__ import annotations

import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
HEADER, SOURCES = HERE / "include" / "glint.h", HERE / "src"
# Its name is a Python extension's, so that `importlib` says whether it is there without loading it.
LIBRARY = HERE / ("_glint.pyd" if os.name == "nt" else "_glint.abi3.so")
MODULE = "glint_edge.engine._glint"
BUILD = "python -m glint_edge.engine"  # what builds it where no wheel brought it
EXPORT = "__declspec(dllexport)" if os.name == "nt" else '__attribute__((visibility("default")))'
FLAGS = (
    "-std=c11", "-O3", "-ffp-contract=off", "-shared", "-fPIC", "-fvisibility=hidden",
    f"-DGLINT_API={EXPORT}",
)  # fmt: skip
# In this order they can be one file, which holds those that are there.
PARTS = ("open.c", "choose.c", "portable.c", "x86.c", "neon.c", "wasm.c", "stream.c", "top.c")


class NoCompilerError(Exception):
    """No C compiler is here, or it failed; one line that says which."""


def compiler() -> list[str]:
    """The command of a C compiler: $CC, or the first of those that are usual.

    Raises:
        NoCompilerError: there is none.
    """
    if named := os.environ.get("CC"):
        return shlex.split(named)
    for name in ("cc", "gcc", "clang"):
        if path := shutil.which(name):
            return [path]
    if importlib.util.find_spec("ziglang"):
        return [sys.executable, "-m", "ziglang", "cc"]
    raise NoCompilerError("no C compiler is here; install gcc or clang, or: pip install ziglang")


def build(to: Path = LIBRARY) -> Path:
    """Compile the library (seconds).

    Args:
        to: where it is put; one that is there is replaced at once.

    Raises:
        NoCompilerError: there is no compiler, or it failed.
    """
    sources = [str(path) for path in sorted(SOURCES.glob("*.c"))]
    with tempfile.TemporaryDirectory(dir=to.parent) as folder:
        built = Path(folder) / to.name
        command = [*compiler(), *FLAGS, f"-I{HEADER.parent}", *sources, "-o", str(built)]
        try:
            done = subprocess.run(
                command, capture_output=True, encoding="utf-8", errors="replace", check=False
            )
        except OSError as error:
            raise NoCompilerError(f"{command[0]} cannot be started: {error}") from error
        if done.returncode:
            lines = (done.stderr.strip() or f"exit code {done.returncode}").splitlines()
            what = next((line for line in lines if "error" in line), lines[0])
            raise NoCompilerError(f"{command[0]} failed: {what}")
        built.replace(to)
    return to


def wheel_tag() -> str:
    """Of a wheel with the library in it; for any Python: it is no extension module."""
    return f"py3-none-{sysconfig.get_platform().replace('-', '_').replace('.', '_')}"


def is_current(library: Path = LIBRARY) -> bool:
    """Whether the library is there and no source is newer."""
    if not library.is_file():
        return False
    files = [HEADER, *SOURCES.iterdir()]
    return library.stat().st_mtime >= max(path.stat().st_mtime for path in files)


def one_file() -> str:
    """All sources as one C file, which needs `glint.h` beside it and nothing else."""
    included: set[str] = set()
    return "".join(
        _inlined(SOURCES / name, included) for name in PARTS if (SOURCES / name).is_file()
    )


def _inlined(path: Path, included: set[str]) -> str:
    """A source with its own headers in their place; a header with a guard once."""
    text = path.read_text("utf-8")
    if "#ifndef GLINT_" in text.partition("*/")[2].lstrip()[:15]:
        if path.name in included:
            return ""
        if text.rstrip().endswith("#endif"):
            included.add(path.name)
    lines = []
    for line in text.splitlines(keepends=True):
        name = line.removeprefix('#include "').rstrip().removesuffix('"')
        own = line.startswith('#include "') and name != HEADER.name
        lines.append(_inlined(SOURCES / name, included) if own else line)
    return "".join(lines)
