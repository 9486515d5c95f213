"""A 64-bit Arm machine without one: the native runner, cross-compiled, in an emulator.

The kernels are those that a phone or a board runs, NEON and all, so what they give is what is given
there. Emulated time means nothing: this runner counts instructions instead, and counts the same at
every run.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from device_bench.measure.job import TAP_BEYOND, Inputs, Job
from device_bench.native import cross
from device_bench.native.emulator import (
    CORES,
    DEFAULT_CORE,
    QEMU,
    Core,
    Emulation,
    Qemu,
    counter,
    find_c_compiler,
    find_qemu,
)
from device_bench.native.exchange import NativeResult
from device_bench.runners.native import arguments, exchange_of, run_program
from glint_edge.errors import ConfigError, RunnerError
from glint_edge.suggestions import one_of

MOST_HISTORIES = 100
TIMEOUT = 600.0  # seconds; a run takes a few
INSTALL = f"Debian, Ubuntu: apt-get install qemu-user {cross.PACKAGE} gcc"


@dataclass(frozen=True)
class Finding:
    """Something that a runner needs.

    Attributes:
        what: its name.
        ok: it is there.
        text: what was found, or what to do.
    """

    what: str
    ok: bool
    text: str

    def __str__(self) -> str:
        return f"{self.what}: {self.text}"


def check() -> list[Finding]:
    """What this runner needs, looked for without the network."""
    return [*_tools(), *(_libraries(target) for target in cross.installed_targets())]


def _tools() -> list[Finding]:
    qemu = find_qemu()
    compilers = {cross.COMPILER: cross.find_compiler(), "C compiler": find_c_compiler()}
    return [
        Finding(QEMU, qemu is not None and qemu.has_plugins, _about(qemu)),
        *(Finding(what, path is not None, path or INSTALL) for what, path in compilers.items()),
    ]


def _about(qemu: Qemu | None) -> str:
    if qemu is None:
        return INSTALL
    if not qemu.has_plugins:
        return f"{qemu.path} cannot load plugins; qemu-user can, qemu-user-static cannot"
    return f"{qemu.path}, version {qemu.version}"


def _libraries(target: str) -> Finding:
    folder = cross.packages_of(target)
    there = folder.is_dir()
    return Finding(f"{target} for {cross.MACHINE}", there, str(folder) if there else cross.SETUP)


def setup(on_step: Callable[[str], None]) -> None:
    """Fetch the libraries of all runtimes that are installed here, and build their runners.

    Args:
        on_step: told what is being done.

    Raises:
        GlintEdgeError: a tool is missing, a download or a build failed; one sentence.
    """
    if missing := [finding for finding in _tools() if not finding.ok]:
        names = ", ".join(finding.what for finding in missing)
        raise RunnerError(f"the arm64 runner lacks {names}; {missing[0].text}")
    for target in cross.installed_targets():
        cross.fetch(target, on_step)
        cross.build_aarch64(target, on_step)


@dataclass(frozen=True)
class Arm64Runner:
    """See the module.

    Attributes:
        core: the processor that is emulated.
        timeout: seconds until a run is killed.
    """

    core: Core
    name: str = "arm64"
    timed: bool = False
    most_histories: int | None = MOST_HISTORIES
    timeout: float = TIMEOUT

    @property
    def device(self) -> str:
        """The core's name."""
        return self.core.name

    def prepare(self, target: str, on_step: Callable[[str], None]) -> None:
        """Build what was not built; never downloads."""
        counter(_qemu())
        cross.build_aarch64(target, on_step)

    def run(self, job: Job, inputs: Inputs) -> NativeResult:
        """Run a job in the emulator, on one thread, and count a few calls of each method."""
        qemu = _qemu()
        program = cross.build_aarch64(job.target)
        # Threads that wait for one another execute more instructions at one time than at another.
        job = replace(job, timed=False, threads=1)
        with exchange_of(job, inputs) as exchange:
            emulation = Emulation.of(qemu, self.core, exchange.folder)
            options = arguments(job, Path(job.path).resolve())
            command = (
                *emulation.command, *cross.start(str(program)),
                *options, "--counted", str(len(exchange.sample)),
            )  # fmt: skip
            # What is set for this machine's programs, such as LD_PRELOAD, is not for the other's.
            run_program(
                f"arm64 {job.target}", command, exchange.folder, self.timeout, environment={}
            )
            result = exchange.result()
            calls = emulation.calls(result.counted)
        return replace(
            result,
            instructions={
                # A cycle of taps is called as a whole.
                method: statistics.median_low(counts) // (job.cycle if method == TAP_BEYOND else 1)
                for method, counts in calls.items()
            },
            device={"core": self.core.name, "emulator": f"{QEMU} {qemu.version}"},
            # The emulator's own, not the program's.
            load_ms=(),
            first_call_us={},
            peak_memory_bytes=None,
            steady_memory_bytes=None,
            memory_before_load_bytes=None,
            runtime_memory_bytes=None,
        )


def open_runner(device: str) -> Arm64Runner:
    """What the entry point names.

    Args:
        device: the core's name; empty for the usual one.

    Raises:
        ConfigError: no such core is known.
    """
    core = CORES.get(device or DEFAULT_CORE)
    if core is None:
        raise ConfigError(f"core {device!r} is unknown; {one_of(device, CORES)}")
    return Arm64Runner(core)


def _qemu() -> Qemu:
    qemu = find_qemu()
    if qemu is None or not qemu.has_plugins:
        raise RunnerError(f"the arm64 runner lacks {QEMU}; {_about(qemu)}")
    return qemu
