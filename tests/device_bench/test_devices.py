"""`glint-edge device`: what can be run where, and what it takes."""

import json
import shutil
from dataclasses import dataclass

import pytest

from device_bench import devices
from device_bench.measure.machine import Conditions
from device_bench.runners.arm64 import Finding
from device_bench.runners.board import Board, Cpu
from device_bench.runners.host import State
from device_bench.runners.remote import RemoteRunner
from device_bench.runners.runner import runners
from glint_edge.errors import ConfigError, RunnerError

CALM = Conditions(None, None, None, None)


@dataclass(frozen=True)
class Host:
    """A board that answers, or does not."""

    machine: str = "x86_64"
    name: str = "board"
    lost: bool = False

    def state(self):
        if self.lost:
            raise RunnerError("board does not answer: is it switched on and in this network?")
        board = Board(self.machine, "Linux 6.1", "A board", (Cpu(0), Cpu(1)), CALM, ())
        return State(board, warnings=("its battery saver is on",))


@pytest.fixture
def board(monkeypatch):
    """Let every name be this board."""

    def put(**facts):
        runner = RemoteRunner("ssh", "board", Host(**facts), lambda *asked: "program")
        monkeypatch.setattr(devices, "find_runner", lambda name: runner)

    return put


def test_every_runner_is_listed_and_described():
    found = {device.name: device for device in devices.list_devices()}
    assert set(found) == set(runners()) >= {"python", "native", "arm64", "ssh"}
    assert set(found) <= set(devices.ABOUT), "an own runner lacks its description"
    assert found["python"].ready


def test_what_is_missing_is_said_with_the_remedy(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    found = {device.name: device for device in devices.list_devices()}
    assert not found["ssh"].ready
    assert "apt-get install openssh-client" in found["ssh"].text
    assert not found["native"].ready
    assert "apt-get install g++" in found["native"].text


def test_a_board_that_answers(board):
    board()
    (host, warning) = devices.check("ssh:board")
    assert (host.ok, host.text) == (True, "A board, Linux 6.1, 2 CPUs")
    assert warning == Finding("state", True, "its battery saver is on")


def test_an_arm_board_needs_the_cross_compiler(board, monkeypatch):
    monkeypatch.setattr(devices.platform, "machine", lambda: "x86_64")
    board(machine="aarch64")
    needs = {finding.what for finding in devices.check("ssh:board")}
    assert "aarch64-linux-gnu-g++" in needs
    assert not needs & {"qemu-aarch64", "C compiler"}, "a real board needs no emulator"


@pytest.mark.parametrize(
    ("facts", "words"), [({"lost": True}, "switched on"), ({"machine": "armv7l"}, "64-bit")]
)
def test_a_board_that_cannot_be_used(board, run, facts, words):
    board(**facts)
    code, _, err = run("device", "check", "ssh:board")
    assert code == 1
    assert words in " ".join(err.split())


def test_setting_up_a_board_leaves_the_programs_there(board, monkeypatch, run):
    left = []
    monkeypatch.setattr(devices, "install", lambda host, program: left.append((host.name, program)))
    monkeypatch.setattr(devices.cross, "installed_targets", lambda: ["executorch", "onnx"])
    monkeypatch.setattr(devices.platform, "machine", lambda: "x86_64")
    board()
    code, out, err = run("device", "setup", "ssh:board")
    assert code == 0, err
    assert left == [("board", "program")] * 2
    assert "bench --runner ssh:board" in " ".join(out.split())


@pytest.mark.parametrize("words", [["check", "toaster"], ["check", "ssh"], ["setup", "python"]])
def test_what_is_no_device_is_refused(run, words):
    code, _, err = run("device", *words)
    assert code == 2
    assert err.strip().startswith("error: ")


def test_the_list_is_for_programs_too(run):
    code, out, _ = run("device", "list", "--json")
    assert code == 0
    assert {d["name"] for d in json.loads(out)["devices"]} == set(runners())


def test_an_unknown_runner_names_the_known(monkeypatch):
    with pytest.raises(ConfigError, match="native"):
        devices.check("toaster")
