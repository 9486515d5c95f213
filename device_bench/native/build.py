"""Target → a folder with the native runner for it, built once and kept in the user's cache.

The folder is self-contained, to be copied as it is: `glint-runner`, and the runtime's libraries in
`lib/`. Nothing is downloaded: headers and libraries are those of the runtime's Python package.
"""

from __future__ import annotations

import hashlib
import importlib.util
import logging
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from glint_edge.data import cache_folder
from glint_edge.errors import MissingExtraError, RunnerError
from glint_edge.files import new_folder

PROGRAM = "glint-runner"
SOURCES = Path(__file__).parent
CMAKE = (3, 28)  # the least that ExecuTorch's CMake package works with
EXTRA = "glint-edge[native]"

log = logging.getLogger("glint_edge.bench")


@dataclass(frozen=True)
class _Package:
    """The Python package that ships a runtime's libraries."""

    distribution: str
    module: str
    extra: str


PACKAGES: Mapping[str, _Package] = {
    "executorch": _Package("executorch", "executorch", "glint-edge[executorch]"),
    "onnx": _Package("onnxruntime", "onnxruntime", "glint-edge[onnx]"),
    "tflite": _Package("ai-edge-litert", "ai_edge_litert", "glint-edge[litert]"),
}


@dataclass(frozen=True)
class Toolchain:
    """What to build for, and with what.

    Attributes:
        machine: the processor's name, as `platform.machine()` spells it.
        cmake_file: a CMake toolchain file, for another machine than this one; None: this machine's
            own compiler.
        packages: a folder of that machine's Python packages, as `pip install --target` would make
            it: `executorch/` and its `.dist-info` beside each other. None: the installed ones.
    """

    machine: str
    cmake_file: Path | None = None
    packages: Path | None = None


def this_machine() -> Toolchain:
    """Its own compiler and the installed packages."""
    return Toolchain(platform.machine())


def build(
    target: str,
    toolchain: Toolchain | None = None,
    on_step: Callable[[str], None] = lambda step: None,
) -> Path:
    """Build the runner of a target, or find it built.

    Args:
        target: "executorch", …
        toolchain: what to build for; None: this machine.
        on_step: told what is being done, if it takes time.

    Returns:
        The folder with `glint-runner` and `lib/`.

    Raises:
        MissingExtraError: CMake, Ninja or the runtime's package is not installed.
        RunnerError: there is no native runner of this target, no compiler, or the build failed.
    """
    toolchain = toolchain or this_machine()
    package = PACKAGES.get(target)
    if package is None:
        raise RunnerError(
            f"there is no native runner for {target}; it runs {', '.join(sorted(PACKAGES))}"
        )
    packages, version = _find(target, package, toolchain.packages)
    name = f"{target}-{version}-{toolchain.machine}-{_key(target, version, toolchain)}"
    folder = cache_folder() / "native" / name
    if not (folder / PROGRAM).is_file():
        on_step(f"building the native {target} runner for {toolchain.machine}")
        _build(target, toolchain, packages, folder)
    return folder


def _find(target: str, package: _Package, folder: Path | None) -> tuple[Path, str]:
    """The folder of the Python packages and the runtime's version."""
    path = [str(folder)] if folder else sys.path
    for found in metadata.distributions(name=package.distribution, path=path):
        spec = None if folder else importlib.util.find_spec(package.module)
        if folder:
            return folder, found.version
        if spec and spec.submodule_search_locations:
            return Path(next(iter(spec.submodule_search_locations))).parent, found.version
    if folder:
        raise RunnerError(
            f"{folder} holds no {package.distribution}; unpack its wheel for that machine there"
        )
    raise MissingExtraError(package.extra, f"the native {target} runner")


def _key(target: str, version: str, toolchain: Toolchain) -> str:
    """Of everything that a build depends on, but for the compiler's own version."""
    digest = hashlib.sha256("\0".join((target, version, toolchain.machine)).encode())
    files = [SOURCES / "CMakeLists.txt", *sorted((SOURCES / "src").iterdir())]
    for file in (*files, *([toolchain.cmake_file] if toolchain.cmake_file else [])):
        digest.update(f"\0{file.name}\0".encode() + file.read_bytes())
    return digest.hexdigest()[:16]


def _build(target: str, toolchain: Toolchain, packages: Path, folder: Path) -> None:
    if sys.platform != "linux":
        raise RunnerError("the native runner is built on Linux; use the python runner here")
    cmake, ninja = _cmake(), _program("ninja")
    if cmake is None or ninja is None:
        raise MissingExtraError(EXTRA, "building the native runner")
    options = [f"-DGLINT_TARGET={target}", f"-DGLINT_PACKAGES={packages}"]
    if toolchain.cmake_file:
        options.append(f"-DCMAKE_TOOLCHAIN_FILE={toolchain.cmake_file}")
    else:
        _require_compiler()
    try:
        with tempfile.TemporaryDirectory(prefix="glint-edge-") as work, new_folder(folder) as made:
            steps = (
                (cmake, "-G", "Ninja", f"-DCMAKE_MAKE_PROGRAM={ninja}", *options,
                 f"-DCMAKE_INSTALL_PREFIX={made}", "-S", str(SOURCES), "-B", work),
                (cmake, "--build", work),
                (cmake, "--install", work, "--strip"),
            )  # fmt: skip
            for step in steps:
                _run(target, step)
    except OSError as error:
        raise RunnerError(
            f"cannot keep the native runner in {folder.parent} ({error.strerror}); "
            "set GLINT_EDGE_CACHE to a folder you can write"
        ) from error


def _program(name: str) -> str | None:
    """A program that a Python package brought, else one of the system's."""
    scripts = sysconfig.get_path("scripts")
    return shutil.which(name, path=os.pathsep.join([scripts, os.environ.get("PATH", "")]))


def _cmake() -> str | None:
    cmake = _program("cmake")
    if cmake is None:
        return None
    done = subprocess.run([cmake, "--version"], capture_output=True, text=True, check=False)
    version = re.search(r"(\d+)\.(\d+)", done.stdout)
    return cmake if version and tuple(map(int, version.groups())) >= CMAKE else None


def _require_compiler() -> None:
    # As CMake looks for one.
    names = (os.environ.get("CXX", ""), "c++", "g++", "clang++")
    if not any(shutil.which(name.split()[0]) for name in names if name):
        raise RunnerError(
            "no C++ compiler was found; install one (Debian: apt-get install g++) "
            "or name it in the environment variable CXX"
        )


def _run(target: str, command: Sequence[str]) -> None:
    done = subprocess.run(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    log.debug("%s", done.stdout)
    if done.returncode:
        raise RunnerError(
            f"the native {target} runner cannot be built: {_reason(done.stdout)} "
            "(--verbose shows all of it)"
        )


def _reason(output: str) -> str:
    """The last line that speaks of an error, else the last line."""
    lines = [" ".join(line.split()) for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if re.search(r"\berror\b", line, re.IGNORECASE)]
    return (errors or lines or ["it printed nothing"])[-1]
