"""Fixtures of the runners' tests: a stand-in program and jobs for it, a phone behind adb."""

import re
import subprocess

import pytest

from device_bench.measure.job import Job
from device_bench.measure.sampling import Plan
from device_bench.runners.adb import AdbHost
from device_bench.runners.remote import RemoteRunner
from tests.device_bench.runners.adb_phone import Phone
from tests.device_bench.runners.adb_server import AdbServer
from tests.device_bench.runners.remote_runs import CONFIG
from tests.device_bench.runners.stand_in import make_artifact, make_program


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    return make_program(tmp_path_factory.mktemp("program") / "executorch-1.0-any-0123")


@pytest.fixture
def job(tmp_path):
    """For the stand-in, which behaves as it is told."""

    def make(timed=True, **behaviour):
        artifact = make_artifact(tmp_path / "some model.pte", CONFIG, **behaviour)
        plan = Plan(warmup=5, runs=40, budget_ms=100.0)
        return Job("executorch", str(artifact), CONFIG.to_dict(), 10, 3, timed=timed, plan=plan)

    return make


@pytest.fixture(scope="session")
def version():
    """The client's own; a server of another one would be asked to go."""
    said = subprocess.run(["adb", "version"], capture_output=True, text=True, check=True).stdout
    return int(re.search(r"version 1\.0\.(\d+)", said)[1])


@pytest.fixture
def server(version, monkeypatch):
    server = AdbServer(version, [])
    monkeypatch.setenv("ADB_SERVER_SOCKET", server.spec)
    monkeypatch.delenv("ANDROID_SERIAL", raising=False)
    yield server
    server.die()


@pytest.fixture
def phone(server, tmp_path):
    phone = Phone(tmp_path / "phone")
    server.phones.append(phone)
    yield phone
    assert not list(phone.tmp.glob("glint-edge-*")), "something was left on the phone"


@pytest.fixture
def runner(phone, program):
    return RemoteRunner("adb", "", AdbHost(), lambda target, machine, on_step: program)
