"""What the tests of both remote runners run, and what they wait for."""

import time

import psutil
import pytest

from device_bench.measure.job import Histories, Inputs
from glint_edge.config import ModelConfig
from glint_edge.errors import RunnerError

CONFIG = ModelConfig(items=40, d=16, heads=4)
HISTORIES = [[1, 2, 3], [40], [5, 5, 7], list(range(1, 31))]


def inputs():
    return Inputs.of(Histories.of([[7, 8], [9]]), Histories.of(HISTORIES))


def failure(runner, job):
    """The one sentence of a run that fails."""
    with pytest.raises(RunnerError) as raised:
        runner.run(job, inputs())
    assert "\n" not in str(raised.value)
    return str(raised.value)


def started(path):
    """Wait for the file that a stand-in program touches; returns its process."""
    for _ in range(400):
        if path.is_file() and (text := path.read_text()):
            return psutil.Process(int(text))
        time.sleep(0.05)
    pytest.fail("the program did not start")
