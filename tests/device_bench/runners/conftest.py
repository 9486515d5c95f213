"""Fixtures of the runners' tests: a stand-in program, and jobs for it."""

import pytest

from device_bench.measure.job import Job
from device_bench.measure.sampling import Plan
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
