"""Where artifacts can be run from here: what each runner lacks, and how to bring it."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from device_bench.native import cross
from device_bench.native.emulator import QEMU
from device_bench.runners import arm64
from device_bench.runners.arm64 import Arm64Runner, Finding
from device_bench.runners.host import install
from device_bench.runners.native import NativeRunner
from device_bench.runners.python import PythonRunner
from device_bench.runners.remote import RemoteRunner, supported
from device_bench.runners.runner import Runner, find_runner, runners
from glint_edge.errors import ConfigError, GlintEdgeError, how_to_get
from glint_edge.extras import missing
from glint_edge.runtime.engines import engines


@dataclass(frozen=True)
class Device:
    """Somewhere to run.

    Attributes:
        name: what `--runner` takes.
        about: in words.
        ready: nothing is missing, as far as can be seen without running anything.
        text: what is missing, or what it is.
    """

    name: str
    about: str
    ready: bool
    text: str

    def to_dict(self) -> dict[str, Any]:
        """As `device list --json` prints it."""
        return asdict(self)


EMULATION = (QEMU, "C compiler")  # what the emulator needs, and a real board does not
# What the runners of this project are; another package's is described by its name alone.
ABOUT: Mapping[str, str] = {
    "python": "this machine, through the runtimes' Python bindings",
    "native": "this machine, by a C++ program of ours: as in an app",
    "arm64": "an emulated Arm core: what phones compute, in instructions",
    "ssh": "a Raspberry Pi or any Linux board: ssh:HOST, ssh:USER@HOST:PORT",
    "adb": "an Android phone: adb, or adb:SERIAL",
}


def list_devices() -> tuple[Device, ...]:
    """What each runner is, and whether it can be used; connects to nothing."""
    return tuple(_device(name) for name in runners())


def _device(name: str) -> Device:
    about = ABOUT.get(name, "brought by another package")
    if name == "ssh":
        return Device(name, about, *_client("ssh", "openssh-client"))
    if name == "adb":
        return Device(name, about, *_client("adb", "adb"))
    lacking = [finding for finding in check(name) if not finding.ok]
    text = "; ".join(f"no {finding.what}: {finding.text}" for finding in lacking)
    return Device(name, about, not lacking, text or "ready")


def _client(program: str, package: str) -> tuple[bool, str]:
    if shutil.which(program):
        return True, "ready; `glint-edge device check` asks a device"
    return False, f"no {program}: Debian, Ubuntu: apt-get install {package}"


def check(name: str) -> tuple[Finding, ...]:
    """What a runner or device needs, and what of it is there; asks the device, if it is one.

    Args:
        name: NAME or NAME:DEVICE, as `--runner` takes it.

    Raises:
        ConfigError: there is no such runner.
    """
    runner = find_runner(name)
    if isinstance(runner, PythonRunner):
        return tuple(
            Finding(engine.name, not (lacking := missing(engine.packages)),
                    how_to_get(engine.extra) if lacking else "installed")
            for engine in engines().values()
        )  # fmt: skip
    if isinstance(runner, NativeRunner):
        return _check_native()
    if isinstance(runner, Arm64Runner):
        return tuple(arm64.check())
    if isinstance(runner, RemoteRunner):
        return _check_remote(runner)
    return ()


def require_usable(
    runners: Iterable[Runner], targets: Iterable[str], on_step: Callable[[str], None]
) -> None:
    """Refuse, before any work, a device that is not there, and a runner that can run nothing.

    One that can run some of the targets is good: rows of the others say why they were not run.

    Args:
        runners: where artifacts are to be run.
        targets: of the artifacts.
        on_step: told what is being done.

    Raises:
        GlintEdgeError: the first one that is of no use, and what to do about it.
    """
    targets = list(targets)
    for runner in runners:
        if isinstance(runner, RemoteRunner):
            on_step(f"asking {runner.host.name}")
            supported(runner.host, runner.host.state().board)
        reasons: list[GlintEdgeError] = []
        for target in targets:
            try:
                runner.prepare(target, on_step)
            except GlintEdgeError as error:
                reasons.append(error)
            else:
                break
        else:
            if reasons:
                raise reasons[0]


def _check_native() -> tuple[Finding, ...]:
    compiler = next(filter(None, map(shutil.which, (os.environ.get("CXX") or "c++", "g++"))), None)
    cmake = "pip install 'glint-edge[native]'" if missing(["cmake"]) else "installed"
    return (
        Finding("C++ compiler", bool(compiler), compiler or "Debian, Ubuntu: apt-get install g++"),
        Finding("CMake", cmake == "installed", cmake),
        *(Finding(target, True, "installed") for target in cross.installed_targets()),
    )


def _check_remote(runner: RemoteRunner) -> tuple[Finding, ...]:
    """Whether the host answers, is of a kind that a program can be built for, and how it is."""
    try:
        state = runner.host.state()
        machine = supported(runner.host, state.board)
    except GlintEdgeError as error:
        return (Finding(runner.host.name, False, str(error)),)
    board = state.board
    about = ", ".join(filter(None, (board.model, board.system, f"{len(board.cpus)} CPUs")))
    needs = tuple(arm64.check()) if machine == "aarch64" != platform.machine() else ()
    return (
        Finding(runner.host.name, True, about),
        *(f for f in needs if f.what not in EMULATION),
        *(Finding("state", True, warning) for warning in state.warnings),
    )


def setup(name: str, on_step: Callable[[str], None]) -> None:
    """Bring and build what a runner needs; leave the program on a device, so that runs are quick.

    It downloads the runtimes' libraries for 64-bit Arm by pip where the device is one.

    Args:
        name: NAME or NAME:DEVICE, as `--runner` takes it.
        on_step: told what is being done.

    Raises:
        GlintEdgeError: something is missing or failed; one sentence.
    """
    runner = find_runner(name)
    if isinstance(runner, PythonRunner):
        raise ConfigError(
            "the python runner needs the runtimes' packages alone: "
            "pip install 'glint-edge[executorch]', [onnx], [litert] or [all]"
        )
    if isinstance(runner, Arm64Runner):
        arm64.setup(on_step)
    elif isinstance(runner, RemoteRunner):
        _setup_remote(runner, on_step)
    else:
        _each_target(runner, on_step)


def _each_target(runner: Runner, on_step: Callable[[str], None]) -> None:
    for target in cross.installed_targets():
        runner.prepare(target, on_step)


def _setup_remote(runner: RemoteRunner, on_step: Callable[[str], None]) -> None:
    on_step(f"asking {runner.host.name}")
    machine = supported(runner.host, runner.host.state().board)
    for target in cross.installed_targets():
        if machine == "aarch64" != platform.machine():
            cross.fetch(target, on_step)
        program = runner.build(target, machine, on_step)
        on_step(f"copying the {target} program to {runner.host.name}")
        install(runner.host, program)
