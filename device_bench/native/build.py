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
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from glint_edge.engine.library import HEADER
from glint_edge.engine.library import HERE as ENGINE
from glint_edge.errors import MissingExtraError, RunnerError
from glint_edge.files import cache_folder, new_folder, scratch

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

OWN = "c"  # the engine, whose sources are this package's


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
    packages, version = find_packages(target, toolchain.packages)
    name = f"{target}-{version}-{toolchain.machine}-{_key(target, version, toolchain)}"
    folder = cache_folder() / "native" / name
    if not (folder / PROGRAM).is_file():
        on_step(f"building the native {target} runner for {toolchain.machine}")
        _build(target, toolchain, packages, folder)
    return folder


def find_packages(target: str, folder: Path | None = None) -> tuple[Path, str]:
    """Where the libraries of a target's runtime are.

    Args:
        target: "executorch", …
        folder: of another machine's Python packages; None: the installed ones.

    Returns:
        The folder that holds the runtime's package, and the runtime's version; of the engine the
        folder of its sources, which are any machine's.

    Raises:
        MissingExtraError: it is not installed.
        RunnerError: the folder does not hold it, or there is no native runner of this target.
    """
    if target == OWN:
        return ENGINE, metadata.version("glint-edge")
    package = PACKAGES.get(target)
    if package is None:
        raise RunnerError(
            f"there is no native runner for {target}; it runs {', '.join(sorted((OWN, *PACKAGES)))}"
        )
    if folder is None:
        spec = importlib.util.find_spec(package.module)
        if spec is None or not spec.submodule_search_locations:
            raise MissingExtraError(package.extra, f"the native {target} runner")
        installed = Path(next(iter(spec.submodule_search_locations))).parent
        return installed, metadata.version(package.distribution)
    for distribution in metadata.distributions(name=package.distribution, path=[str(folder)]):
        return folder, distribution.version
    raise RunnerError(
        f"{folder} holds no {package.distribution}; unpack its wheel for that machine there"
    )


def _key(target: str, version: str, toolchain: Toolchain) -> str:
    """Of everything that a build depends on, but for the compiler's own version."""
    digest = hashlib.sha256("\0".join((target, version, toolchain.machine)).encode())
    files = [SOURCES / "CMakeLists.txt", *sorted((SOURCES / "src").glob("*.*"))]
    if target == OWN:
        files += [HEADER, *sorted((ENGINE / "src").iterdir())]
    for file in (*files, *([toolchain.cmake_file] if toolchain.cmake_file else [])):
        digest.update(f"\0{file.name}\0".encode() + file.read_bytes())
    return digest.hexdigest()[:16]


def _build(target: str, toolchain: Toolchain, packages: Path, folder: Path) -> None:
    if sys.platform != "linux":
        raise RunnerError("the native runner is built on Linux; use the python runner here")
    options = {"GLINT_TARGET": target, "GLINT_PACKAGES": str(packages)}
    if toolchain.cmake_file:
        options["CMAKE_TOOLCHAIN_FILE"] = str(toolchain.cmake_file)
    else:
        _require_compiler()
    try:
        with _alone(folder):
            if not (folder / PROGRAM).is_file():
                with new_folder(folder) as work:
                    cmake(f"native {target} runner", SOURCES, work, options)
    except OSError as error:
        raise RunnerError(
            f"cannot keep the native runner in {folder.parent} ({error.strerror}); "
            "set GLINT_EDGE_CACHE to a folder you can write"
        ) from error


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Wait for another process that builds the same; it runs what it built at once."""
    import fcntl  # not on Windows

    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f".{folder.name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def cmake(what: str, source: Path, to: Path, options: Mapping[str, str]) -> None:
    """Configure, build and install a CMake project.

    Args:
        what: its name in an error.
        source: the folder with its CMakeLists.txt.
        to: the folder it is installed in.
        options: CMake variables.

    Raises:
        MissingExtraError: CMake or Ninja is not installed.
        RunnerError: it cannot be built; the compiler's last word on it.
    """
    program, ninja = _cmake(), _program("ninja")
    if program is None or ninja is None:
        raise MissingExtraError(EXTRA, f"building the {what}")
    variables = {**options, "CMAKE_MAKE_PROGRAM": ninja, "CMAKE_INSTALL_PREFIX": str(to)}
    settings = [f"-D{name}={value}" for name, value in variables.items()]
    with scratch() as folder:
        work = str(folder)
        _run(what, [program, "-G", "Ninja", *settings, "-S", str(source), "-B", work])
        _run(what, [program, "--build", work])
        _run(what, [program, "--install", work, "--strip"])


def _program(name: str) -> str | None:
    """A program that a Python package brought, else one of the system's."""
    scripts = sysconfig.get_path("scripts")
    return shutil.which(name, path=os.pathsep.join([scripts, os.environ.get("PATH", "")]))


def _cmake() -> str | None:
    program = _program("cmake")
    if program is None:
        return None
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    version = re.search(r"(\d+)\.(\d+)", done.stdout)
    return program if version and tuple(map(int, version.groups())) >= CMAKE else None


def _require_compiler() -> None:
    # As CMake looks for one.
    names = (os.environ.get("CXX", ""), "c++", "g++", "clang++")
    if not any(shutil.which(name.split()[0]) for name in names if name):
        raise RunnerError(
            "no C++ compiler was found; install one (Debian: apt-get install g++) "
            "or name it in the environment variable CXX"
        )


def _run(what: str, command: Sequence[str]) -> None:
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
            f"the {what} cannot be built: {_reason(done.stdout)} (--verbose shows all of it)"
        )


def _reason(output: str) -> str:
    """The last line that speaks of an error, else the last line."""
    lines = [" ".join(line.split()) for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if re.search(r"\berror\b", line, re.IGNORECASE)]
    return (errors or lines or ["it printed nothing"])[-1]
