"""Phones that are not there, refuse, or are gone in the middle: one line each."""

import re
import shutil
import socket
import threading
import time
from dataclasses import replace

import psutil
import pytest

from device_bench.runners import adb
from device_bench.runners.adb import AdbHost, Attached, attached, open_runner
from glint_edge.errors import RunnerError
from tests.device_bench.runners.adb_phone import Phone
from tests.device_bench.runners.remote_runs import failure, inputs, started

pytestmark = pytest.mark.skipif(
    shutil.which("adb") is None, reason="needs the adb client (Debian: adb)"
)


def test_no_client(runner, job, monkeypatch):
    monkeypatch.setenv("PATH", "/nonexistent")

    assert failure(runner, job()) == "adb is not installed; Debian, Ubuntu: apt-get install adb"


def test_no_phone(runner, job, server, phone):
    server.phones.clear()

    assert failure(runner, job()).startswith("the phone is not there: plug it in, and switch on")
    assert attached() == []


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("unauthorized", "the phone does not trust this machine yet: unlock it and allow USB"),
        ("offline", "the phone is offline: unlock it, or plug it in again"),
        ("authorizing", "the phone is being authorized: unlock it, allow USB debugging"),
        ("no permissions", "the phone may not be used by this user: Debian, Ubuntu: apt-get"),
    ],
)
def test_a_phone_that_cannot_be_used(runner, job, phone, state, said):
    phone.state = state

    assert failure(runner, job()).startswith(said)
    assert attached() == [Attached(phone.serial, state, "")]


def test_several_phones(runner, job, server, phone, tmp_path):
    server.phones.append(Phone(tmp_path / "second", serial="192.168.1.7:5555"))

    said = failure(runner, job())

    assert said == (
        "several phones are attached; name one: adb:0123456789ABCDEF or adb:192.168.1.7:5555"
    )
    named = replace(runner, host=AdbHost("192.168.1.7:5555"))
    assert named.run(job(), inputs()).lists.items[0, 0] == 3
    assert attached()[1] == Attached("192.168.1.7:5555", "device", "Example Phone")


def test_a_serial_number_that_is_not_attached(runner, job):
    said = failure(replace(runner, host=AdbHost("nobody")), job())

    assert said == "phone nobody is not attached: `adb devices` lists what is"


def test_too_little_space(runner, job, phone):
    phone.change("df", "71900000", "     500")

    said = failure(runner, job())

    assert said == "the phone has 0.5 MB free in /data/local/tmp, 1.2 MB are needed; free some"


def test_a_disk_that_is_full_although_it_says_otherwise(runner, job, phone):
    phone.refusal = "write failed: No space left on device"

    assert failure(runner, job()) == "the phone has no space left in /data/local/tmp: free some"


def test_a_folder_that_takes_nothing(runner, job, phone):
    phone.refusal = "couldn't create file: Permission denied"

    assert re.fullmatch(
        r"the phone did not take the files: failed to copy .* Permission denied",
        failure(runner, job()),
    )


def test_results_that_are_not_there(runner, phone, tmp_path):
    with pytest.raises(RunnerError, match=r"the phone did not give the results: .* No such file"):
        runner.host.get(["nothing"], "/data/local/tmp", tmp_path)


@pytest.mark.parametrize("machine", ["armv7l", "x86_64"])
def test_a_processor_that_is_not_64_bit_arm(phone, machine):
    phone.answer("uname -m", f"{machine}\n")

    with pytest.raises(RunnerError, match=rf"is {machine}.* 64-bit"):
        open_runner("").prepare("executorch", lambda step: None)


def test_android_6(runner, job, phone):
    phone.features = "cmd"

    said = failure(runner, job())

    assert said == "the phone does not answer as Android 7 and later do; use a newer one"


def gone(there, phone):
    """The program was killed and its folder removed, without anyone telling so over adb."""
    pid = int(there.read_text())
    for _ in range(200):
        if not psutil.pid_exists(pid) and not list(phone.tmp.iterdir()):
            return
        time.sleep(0.05)
    pytest.fail("the program ran on")


def test_the_server_killed_in_the_middle(runner, job, server, phone, tmp_path):
    there = tmp_path / "there"
    killer = threading.Thread(target=lambda: (started(there), server.die()))
    killer.start()
    begin = time.monotonic()

    said = failure(runner, job(touch=str(there), sleep=60))

    killer.join()
    assert time.monotonic() - begin < 20
    assert said == "the connection to the phone was lost; is it still plugged in?"
    gone(there, phone)
    assert failure(runner, job()).startswith("the phone is out of reach, since no adb server")


def test_a_program_that_takes_too_long(runner):
    with pytest.raises(RunnerError, match=r"^the phone was stopped: no answer within 1 seconds$"):
        runner.host.execute("cat", timeout=1.0)  # until its stdin ends


def test_a_server_that_says_nothing(monkeypatch, tmp_path):
    """It takes connections; the client then waits for ever."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("ADB_SERVER_SOCKET", f"tcp:127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setattr(adb, "COPYING", 1.0)

        with pytest.raises(RunnerError, match=r"adb did not end within 1 seconds; run `adb kill-"):
            AdbHost().get(["x"], "/data/local/tmp", tmp_path)
