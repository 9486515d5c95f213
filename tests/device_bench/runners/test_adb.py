"""The adb runner, through the real adb client, against a stand-in for its server and a phone.

No phone has been at hand: what it says is written by hand, see adb_phone.json. Where adb's own
server runs and shows a phone, the last test uses that.
"""

import json
import shutil
import socket
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from device_bench.measure.job import Job
from device_bench.measure.sampling import Plan
from device_bench.native.emulator import CORES, DEFAULT_CORE, find_qemu
from device_bench.runners import arm64
from device_bench.runners.adb import attached, open_runner
from device_bench.runners.host import install
from device_bench.runners.native import NativeRunner
from glint_edge.errors import ConfigError
from tests.device_bench.runners.remote_runs import failure, inputs

ADB_PORT = 5037  # of adb's own server

pytestmark = pytest.mark.skipif(
    shutil.which("adb") is None, reason="needs the adb client (Debian: adb)"
)


def test_a_run_brings_everything_back_and_leaves_nothing(runner, job, server):
    outcome = runner.run(job(), inputs())

    assert outcome.lists.items[:, 0].tolist() == [3, 40, 7, 30]
    assert outcome.lists.scores[:, 0].tolist() == [3, 1, 3, 3], "the window was not told"
    assert outcome.golden_states[:, 0].tolist() == [8, 9]
    assert len(outcome.samples_ns["append"]) == 40
    assert outcome.peak_memory_bytes == 9_000_000
    # The stand-in's own: nothing about the phone's state is to be warned of.
    assert len(outcome.warnings) == 3
    assert "host:kill" not in server.asked


def test_the_state_of_a_phone(runner, job):
    device = runner.run(job(), inputs()).device

    state = device["before"]
    assert (state["model"], state["android"], state["abi"]) == ("Example Phone", "13", "arm64-v8a")
    assert (state["machine"], state["system"]) == ("aarch64", "Linux 5.10.107-android13-4")
    assert [cpu["capacity"] for cpu in state["cpus"]] == [250] * 4 + [620] * 2 + [1024] * 2
    assert (state["load"], state["celsius"]) == (0.42, 34.5)
    assert state["megahertz"] == pytest.approx(1237.5)
    assert state["battery"] == {"percent": 78, "celsius": 27.1, "charging": False}
    assert (state["thermal_status"], state["battery_saver"]) == (0, False)
    json.dumps(device)


@pytest.mark.parametrize(
    ("threads", "cpus", "pinned"), [(1, [6, 7], "c0"), (3, [4, 5, 6, 7], "f0")]
)
def test_it_runs_on_the_biggest_cores(runner, job, phone, threads, cpus, pinned):
    outcome = runner.run(replace(job(), threads=threads), inputs())

    assert outcome.device["pinned_cpus"] == cpus
    assert set((phone.root / "pinned").read_text().split()) == {pinned}


@pytest.mark.parametrize(
    ("command", "before", "after", "warning"),
    [
        ("dumpsys thermalservice", "Thermal Status: 0", "Thermal Status: 2",
         "it slows itself down for heat (thermal status 2, moderate): let it cool"),
        ("dumpsys battery", "temperature: 271", "temperature: 423",
         "its battery is 42 °C hot: let it cool"),
        ("dumpsys battery", "status: 3", "status: 2",
         "its battery is charging, which heats it: charge it first, or use Wi-Fi"),
        ("settings get global low_power", "0", "1", "its battery saver is on: switch it off"),
        ("dumpsys thermalservice", "mValue=31.0", "mValue=91.0", "the machine is 91 °C hot"),
    ],
)  # fmt: skip
def test_warnings_of_its_state(runner, job, phone, command, before, after, warning):
    phone.change(command, before, after)

    assert warning in runner.run(job(), inputs()).warnings


def test_a_governor_that_saves_power(runner, job, phone):
    governor = phone.root / "sys/devices/system/cpu/cpu6/cpufreq/scaling_governor"
    governor.write_text("powersave\n")

    assert any("governor is powersave" in w for w in runner.run(job(), inputs()).warnings)


def test_a_phone_that_tells_little(runner, job, phone):
    """As before Android 10, or where the user "shell" may not look."""
    for command in ("dumpsys thermalservice", "dumpsys battery"):
        phone.answer(command, "Can't find service\n")
    phone.answer("settings get global low_power", "null\n")
    shutil.rmtree(phone.root / "sys")

    device = runner.run(job(), inputs()).device

    assert device["before"]["thermal_status"] is None
    assert set(device["before"]["battery"].values()) == {None}
    assert device["before"]["battery_saver"] is False
    assert (device["before"]["cpus"], device["pinned_cpus"]) == ([], [])


@pytest.mark.parametrize(
    ("behaviour", "said"),
    [
        ({"error": "the file is of another version"}, "the file is of another version"),
        ({"signal": "SIGSEGV"}, "executorch (the phone) process died with signal 11 (SIGSEGV)"),
        ({"print": "line 1\nno operator", "exit": 3}, "code 3 and no result: no operator"),
        ({"exit": 255}, "exit code 255"),
    ],
)
def test_what_the_program_says_or_dies_of(runner, job, behaviour, said):
    assert said in failure(runner, job(**behaviour))


def test_a_program_that_was_left_there_is_used(runner, job, program, phone):
    folder = install(runner.host, program)
    assert folder == f"/data/local/tmp/glint-edge/{program.name}"
    here = Path(phone.here(folder))
    assert (here / "lib" / "libsome.so.1").stat().st_size == 100_000

    (here / "glint-runner").write_text("#!/bin/sh\necho I am the one >&2\nexit 9\n")

    assert "exit code 9 and no result: I am the one" in failure(runner, job())


@pytest.mark.parametrize("device", ["-d", "a b", " ", "a\nb"])
def test_what_names_no_phone(device):
    with pytest.raises(ConfigError, match="write adb:SERIAL"):
        open_runner(device)


def test_names_of_phones():
    runner = open_runner("192.168.1.7:5555")

    assert (runner.name, runner.device) == ("adb", "192.168.1.7:5555")
    assert runner.host.name == "phone 192.168.1.7:5555"


@pytest.fixture(scope="session")
def emulator(arm64_set_up, tmp_path_factory):
    """A command that runs 64-bit Arm programs, where their runner can be set up."""
    # A phone's /proc and /sys tell of its processor; ONNX Runtime and LiteRT crash on an x86's.
    root = tmp_path_factory.mktemp("machine")
    for name, text in CORES[DEFAULT_CORE].files().items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return f"{find_qemu().path} -cpu {DEFAULT_CORE} -L {root}"


@pytest.mark.slow
def test_the_real_program_gives_what_the_arm64_runner_does(emulator, artifacts, phone):
    """All but the phone: the program for phones, copied and started by the real client."""
    phone.emulator = emulator
    program = artifacts["int8"].program
    path = str(artifacts["int8"].path)
    job = Job(
        "executorch", path, program.config.to_dict(), program.top_k, 200, timed=False, threads=1
    )
    there = open_runner("")
    there.prepare("executorch", lambda step: None)

    actual, expected = there.run(job, inputs()), arm64.open_runner("").run(job, inputs())

    np.testing.assert_array_equal(actual.lists.items, expected.lists.items)
    np.testing.assert_allclose(actual.golden_states, expected.golden_states, atol=1e-6)
    assert actual.device["before"]["model"] == "Example Phone"


@pytest.fixture
def real_phone():
    """Its serial number; adb's server is not started for it."""
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", ADB_PORT)):
            pytest.skip("no adb server runs here; to test with a phone, run `adb devices` before")
    found = [one for one in attached() if one.state == "device"]
    if not found:
        pytest.skip("adb shows no phone")
    return found[0].serial


@pytest.mark.slow
def test_a_real_phone_gives_what_the_native_runner_does(real_phone, request):
    request.getfixturevalue("require_native")("executorch")
    artifacts = request.getfixturevalue("artifacts")  # made only where there is a phone
    program = artifacts["int8"].program
    path = str(artifacts["int8"].path)
    plan = Plan(warmup=25, runs=20, budget_ms=100.0)
    job = Job("executorch", path, program.config.to_dict(), program.top_k, 200, plan=plan)
    there = open_runner(real_phone)
    there.prepare("executorch", lambda step: None)

    actual, expected = there.run(job, inputs()), NativeRunner().run(job, inputs())

    assert np.mean(actual.lists.items == expected.lists.items) > 0.9
    assert set(actual.samples_ns) == set(expected.samples_ns)
    assert Path(path).stat().st_size < actual.peak_memory_bytes < 30e6
