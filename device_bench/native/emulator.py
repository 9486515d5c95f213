"""A 64-bit Arm machine where there is none: QEMU runs a program of it and counts instructions.

Only Debian's qemu-user will do: qemu-user-static cannot load the plugin that counts
(native/qemu/count.c).
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from device_bench.native.build import SOURCES
from glint_edge.errors import RunnerError
from glint_edge.files import cache_folder, scratch, write_atomic

QEMU = "qemu-aarch64"
PLUGIN = (SOURCES / "qemu" / "count.c", SOURCES / "src" / "mark.h")


@dataclass(frozen=True)
class Core:
    """A processor that QEMU knows, as Linux presents it to programs.

    Runtimes choose their kernels by its features and its part number, which they read from files:
    left to themselves they would read the host's.

    Attributes:
        name: what `qemu-aarch64 -cpu` takes.
        part: its number in /proc/cpuinfo.
        features: as /proc/cpuinfo lists them.
        seen_in: machines that people have.
    """

    name: str
    part: int
    features: str
    seen_in: str

    def files(self) -> dict[str, str]:
        """What a machine with one such core has in the places that runtimes look at."""
        cpuinfo = (
            f"processor\t: 0\nBogoMIPS\t: 48.00\nFeatures\t: {self.features}\n"
            "CPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: 0x0\n"
            f"CPU part\t: {self.part:#05x}\nCPU revision\t: 0\n\n"
        )
        numbers = {name: "0\n" for name in ("kernel_max", "online", "possible", "present")}
        return {
            "proc/cpuinfo": cpuinfo,
            **{f"sys/devices/system/cpu/{name}": text for name, text in numbers.items()},
        }


_V8 = "fp asimd evtstrm aes pmull sha1 sha2 crc32"
_V8_2 = f"{_V8} atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp"
_CORES = (
    Core("cortex-a53", 0xD03, _V8, "Raspberry Pi 3, small cores of phones until 2017"),
    Core("cortex-a72", 0xD08, _V8, "Raspberry Pi 4"),
    # With instructions for products of int8 (asimddp), as phones have had since 2018.
    Core("cortex-a76", 0xD0B, _V8_2, "Raspberry Pi 5, phones of 2019"),
)
CORES: Mapping[str, Core] = {core.name: core for core in _CORES}
DEFAULT_CORE = "cortex-a76"


@dataclass(frozen=True)
class Qemu:
    """An installed emulator.

    Attributes:
        path: the executable.
        version: as it says itself, for example "7.2.22".
        has_plugins: it can load some.
    """

    path: str
    version: str
    has_plugins: bool

    @property
    def interface(self) -> int:
        """The plugin interface's version to build for: it refuses those that it has dropped."""
        return 1 if int(self.version.split(".")[0]) < 9 else 2


@cache
def find_qemu() -> Qemu | None:
    """The first on the PATH, if it runs."""
    path = shutil.which(QEMU)
    version = re.search(r"version ([\d.]+)", _said(path, "--version")) if path else None
    if path is None or version is None:
        return None
    return Qemu(path, version[1], "-plugin" in _said(path, "-help"))


def find_c_compiler() -> str | None:
    """This machine's own, which the plugin is built with."""
    return shutil.which("cc") or shutil.which("gcc")


def _said(path: str, option: str) -> str:
    return subprocess.run([path, option], capture_output=True, text=True, check=False).stdout


def counter(qemu: Qemu) -> Path:
    """The plugin that counts, built unless it is in the cache.

    Raises:
        RunnerError: there is no C compiler, or it failed.
    """
    text = b"\0".join([str(qemu.interface).encode(), *(file.read_bytes() for file in PLUGIN)])
    built = cache_folder() / "aarch64" / f"count-{hashlib.sha256(text).hexdigest()[:16]}.so"
    if not built.is_file():
        compiler = find_c_compiler()
        if compiler is None:
            raise RunnerError("no C compiler was found; Debian, Ubuntu: apt-get install gcc")
        with scratch() as folder:
            write_atomic(built, _compiled(compiler, qemu, folder / built.name))
    return built


def _compiled(compiler: str, qemu: Qemu, out: Path) -> bytes:
    command = [
        compiler, "-O2", "-fPIC", "-shared", "-fvisibility=hidden",
        f"-DINTERFACE={qemu.interface}", "-o", str(out), str(PLUGIN[0]),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it printed nothing"])[-1]
        raise RunnerError(f"{compiler} cannot compile {PLUGIN[0].name}: {last}")
    return out.read_bytes()


@dataclass(frozen=True)
class Emulation:
    """One start of the emulator.

    Attributes:
        command: what stands before the program's own.
        counts: the file that will hold what it counted.
    """

    command: tuple[str, ...]
    counts: Path

    @classmethod
    def of(cls, qemu: Qemu, core: Core, folder: Path) -> Emulation:
        """An emulator that counts.

        Args:
            qemu: one that has plugins.
            core: what the program is to find.
            folder: takes the files that stand for the machine's own, and the counts.
        """
        root, counts = folder / "machine", folder / "counts.txt"
        for name, text in core.files().items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        # A comma in a path would end it; QEMU reads two as one.
        plugin = ",out=".join(str(path).replace(",", ",,") for path in (counter(qemu), counts))
        command = (qemu.path, "-cpu", core.name, "-L", str(root), "-plugin", plugin)
        return cls(command, counts)

    def calls(self, methods: Sequence[str]) -> dict[str, list[int]]:
        """Instructions of each call, by method, when the program has ended.

        Args:
            methods: marks 2n and 2n + 1 stand before and after each call of the nth.

        Raises:
            RunnerError: the marks are not such pairs, or a method has none.
        """
        counts: dict[str, list[int]] = {method: [] for method in methods}
        # Lines "mark, instructions so far".
        marks = [tuple(map(int, line.split())) for line in self.counts.read_text().splitlines()]
        for (before, start), (after, end) in zip(marks[::2], marks[1::2], strict=False):
            number, odd = divmod(before, 2)
            if odd or after != before + 1 or number >= len(methods):
                raise RunnerError(f"the instruction counter saw mark {after} after mark {before}")
            counts[methods[number]].append(end - start)
        if len(marks) % 2 or not all(counts.values()):
            raise RunnerError("the instruction counter did not see all calls")
        return counts
