"""The ssh runner, through the real OpenSSH client, against a server started here on loopback."""

import os
import platform
import shlex
import shutil
import subprocess
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest

from device_bench.measure.job import Job
from device_bench.measure.sampling import Plan
from device_bench.runners import ssh
from device_bench.runners.host import install
from device_bench.runners.native import NativeRunner
from device_bench.runners.remote import RemoteRunner, build_for
from device_bench.runners.ssh import SshHost, open_runner
from glint_edge.errors import ConfigError
from tests.device_bench.runners.remote_runs import failure, inputs, started
from tests.device_bench.runners.ssh_server import SSHD, Server, free_port

pytestmark = pytest.mark.skipif(
    not SSHD or not shutil.which("ssh") or platform.system() != "Linux",
    reason="needs OpenSSH's client and server (Debian: openssh-client, openssh-server)",
)


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # sshd as root insists
    server = Server(tmp_path_factory.mktemp("ssh"), free_port())
    yield server
    server.kill()


@pytest.fixture
def server(keys):
    if not keys.processes():
        keys.start()
    yield keys
    assert not list(keys.remote.iterdir()), "something was left on the board"


@pytest.fixture
def host(server, tmp_path):
    return SshHost("board", config=server.client, kept=shlex.quote(str(tmp_path / "kept here")))


@pytest.fixture
def runner(host, program):
    return RemoteRunner("ssh", "board", host, lambda target, machine, on_step: program)


def test_a_run_brings_everything_back_and_leaves_nothing(runner, job):
    outcome = runner.run(job(), inputs())

    assert outcome.lists.items[:, 0].tolist() == [3, 40, 7, 30]
    assert outcome.lists.scores[:, 0].tolist() == [3, 1, 3, 3], "the window was not told"
    assert outcome.golden_states[:, 0].tolist() == [8, 9]
    np.testing.assert_array_equal(outcome.golden_cold_states, outcome.golden_states)
    assert len(outcome.samples_ns["append"]) == 40
    assert outcome.peak_memory_bytes == 9_000_000
    before = outcome.device["before"]
    assert (before["machine"], before["system"].split()[0]) == (platform.machine(), "Linux")
    assert before["load"] is not None


def test_later_rounds_time_the_same_sample(runner, job):
    outcome = runner.run(job(), inputs().timing_only())

    assert "4 in the sample" in outcome.warnings
    assert len(outcome.samples_ns["recommend"]) == 40
    assert len(outcome.lists.items) == 0


def test_a_program_that_was_left_there_is_used(host, program, runner, job):
    folder = Path(install(host, program))
    assert folder.name == program.name
    assert (folder / "lib" / "libsome.so.1").stat().st_size == 100_000

    (folder / "glint-runner").write_text("#!/bin/sh\necho I am the one >&2\nexit 9\n")

    assert "exit code 9 and no result: I am the one" in failure(runner, job())


def test_installing_replaces_older_programs_of_the_target_alone(host, program):
    kept = Path(shlex.split(host.kept)[0])
    for name in ("executorch-0.9-any-aaaa", "onnx-0.9-any-aaaa", "new"):
        (kept / name).mkdir(parents=True)

    install(host, program)

    assert sorted(p.name for p in kept.iterdir()) == [program.name, "onnx-0.9-any-aaaa"]


@pytest.mark.parametrize(
    ("behaviour", "said"),
    [
        ({"error": "the file is of another version"}, "the file is of another version"),
        ({"signal": "SIGSEGV"}, "executorch (board) process died with signal 11 (SIGSEGV)"),
        ({"print": "line 1\nno operator", "exit": 3}, "code 3 and no result: no operator"),
        ({"exit": 255}, "exit code 255"),  # which the client would say of itself, too
    ],
)  # fmt: skip
def test_what_the_program_says_or_dies_of(runner, job, behaviour, said):
    assert said in failure(runner, job(**behaviour))


def test_a_program_that_cannot_run_there(runner, job, tmp_path, program):
    other = tmp_path / "executorch-other"
    shutil.copytree(program, other)
    (other / "glint-runner").write_bytes(b"\x7fELF of another machine")

    said = failure(replace(runner, build=lambda *asked: other), job())

    assert "exit code 12" in said  # 126 or 127, by shell


def test_a_name_that_is_no_host(runner, job, server):
    config = server.write_client("nowhere", address="nowhere.invalid")

    said = failure(replace(runner, host=SshHost("board", config=config)), job())

    assert said.startswith("board is not known: check the name")


def test_a_port_where_nobody_listens(runner, job, server):
    said = failure(replace(runner, host=replace(runner.host, port=free_port())), job())

    assert "refuses connections: is its ssh server running" in said


def test_a_key_that_is_not_authorized(runner, job, server):
    config = server.write_client("wrong", key="stranger")

    said = failure(replace(runner, host=replace(runner.host, config=config)), job())

    assert said.startswith("board refused the login: see that `ssh board` gets in")


def test_a_host_key_that_has_changed(runner, job, server):
    config = server.write_client("changed", host_key="stranger.pub")

    said = failure(replace(runner, host=replace(runner.host, config=config)), job())

    assert said.startswith("board shows a host key that is new or has changed")


def test_the_server_killed_in_the_middle(runner, job, server, tmp_path):
    there = tmp_path / "there"
    killer = threading.Thread(target=lambda: (started(there), server.kill()))
    killer.start()
    begin = time.monotonic()

    said = failure(runner, job(touch=str(there), sleep=60))

    killer.join()
    assert time.monotonic() - begin < 20
    assert "the connection to board was lost" in said
    gone(there, server)


def test_a_board_that_was_unplugged(runner, job, server, tmp_path, monkeypatch):
    options = {**ssh.OPTIONS, "ServerAliveInterval": "1", "ServerAliveCountMax": "1"}
    monkeypatch.setattr(ssh, "OPTIONS", options)
    there, stopped = tmp_path / "there", []

    def unplug():
        started(there)
        stopped.extend(server.processes())
        for process in stopped:
            process.suspend()

    thread = threading.Thread(target=unplug)
    thread.start()
    # Its clean-up, too, finds nobody there.
    monkeypatch.setitem(options, "ConnectTimeout", "1")
    begin = time.monotonic()

    said = failure(runner, job(touch=str(there), sleep=60))

    thread.join()
    assert time.monotonic() - begin < 20
    assert "the connection to board was lost (Timeout, server" in said
    for process in stopped:
        process.resume()
    gone(there, server)


def gone(there, server):
    """The program was killed and its folder removed, without anyone telling so over the network."""
    pid = int(there.read_text())
    for _ in range(200):
        if not psutil.pid_exists(pid) and not list(server.remote.iterdir()):
            return
        time.sleep(0.05)
    pytest.fail("the program ran on")


@pytest.fixture
def small_disk(tmp_path):
    """Mount a file system of its own, with these options."""
    folder = tmp_path / "small"
    folder.mkdir()

    def mount(options):
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("needs root, to mount a small file system")
        return folder

    yield mount
    subprocess.run(["umount", str(folder)], capture_output=True, check=False)


def test_too_little_space(runner, job, small_disk):
    folder = small_disk("size=1m")
    host = replace(runner.host, scratch=shlex.quote(str(folder)))

    said = failure(replace(runner, host=host), job())

    assert said == f"board has 1.0 MB free in {folder}, 1.2 MB are needed; free some"
    assert not list(folder.iterdir())


def test_a_disk_that_is_full_although_it_says_otherwise(runner, job, small_disk):
    folder = small_disk("size=10m,nr_inodes=4")
    host = replace(runner.host, scratch=shlex.quote(str(folder)))

    said = failure(replace(runner, host=host), job())

    assert "board did not take the files" in said
    assert not list(folder.iterdir())


def test_no_folder_to_work_in(runner, job):
    host = replace(runner.host, scratch="/nonexistent")

    assert "board has no place to work in" in failure(replace(runner, host=host), job())


@pytest.mark.parametrize(
    ("device", "host", "port"),
    [
        ("board", "board", None),
        ("pi@board", "pi@board", None),
        ("pi@board.local:2222", "pi@board.local", 2222),
        ("[fe80::1]:22", "fe80::1", 22),
        ("192.168.1.7", "192.168.1.7", None),
    ],
)
def test_names_of_hosts(device, host, port):
    runner = open_runner(device)

    assert (runner.name, runner.device) == ("ssh", device)
    assert (runner.host.host, runner.host.port) == (host, port)


@pytest.mark.parametrize(
    "device", ["", ":22", "a b", "board:port", "-oProxyCommand=touch x", "a:1:2"]
)
def test_what_names_no_host(device):
    with pytest.raises(ConfigError, match=r"write ssh:HOST"):
        open_runner(device)


def test_a_configuration_of_its_own(server, monkeypatch):
    monkeypatch.setenv(ssh.CONFIG, str(server.client))

    done = open_runner("board").host.execute("echo $TMPDIR; exit 7")

    assert (done.code, done.text) == (7, str(server.remote))


@pytest.mark.slow
def test_the_real_program_on_a_board_gives_what_it_gives_here(require_native, artifacts, host):
    """`bench --runner ssh:board`, but for the name's configuration."""
    require_native("executorch")
    program = artifacts["int8"].program
    plan = Plan(warmup=25, runs=20, budget_ms=100.0)
    path = str(artifacts["int8"].path)
    job = Job("executorch", path, program.config.to_dict(), program.top_k, 200, plan=plan)
    there = RemoteRunner("ssh", "board", host, build_for)
    steps = []
    there.prepare("executorch", steps.append)
    actual, expected = there.run(job, inputs()), NativeRunner().run(job, inputs())
    assert steps[0] == "asking board"
    np.testing.assert_array_equal(actual.lists.items, expected.lists.items)
    np.testing.assert_array_equal(actual.golden_states, expected.golden_states)
    assert set(actual.samples_ns) == set(expected.samples_ns)
    assert actual.peak_memory_bytes < 20e6
