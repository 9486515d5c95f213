"""A small model, test items, and the bench of its stock rows."""

import numpy as np
import pytest

from device_bench.bench import bench
from device_bench.measure.job import Histories
from device_bench.stock.shelf import STOCKS
from glint_edge.checkpoints.checkpoint import Checkpoint
from glint_edge.data.catalogue import Catalogue
from glint_edge.data.record import DataSource
from glint_edge.data.sequences import HeldOut
from tests.device_bench.makers import work_here
from tests.device_bench.stock.stock_bench import QUICK, N, bundle_of


@pytest.fixture(scope="module")
def float_model(make_model):
    return make_model(items=60, max_length=N)


@pytest.fixture(scope="module")
def checkpoint(float_model):
    keys = ("", *(f"k{n}" for n in range(1, 61)))
    return Checkpoint(float_model, Catalogue(keys, {}), DataSource("x", "x"))


@pytest.fixture(scope="module")
def held_out():
    """Shorter than N, as long, and longer."""
    rng = np.random.default_rng(0)
    histories = [rng.integers(1, 61, n).tolist() for n in (1, 2, 5, N - 1, N, N + 1, 30)]
    packed = Histories.of(histories)
    return HeldOut(packed.ids, packed.offsets, rng.integers(1, 61, len(histories)))


@pytest.fixture
def run(checkpoint, held_out, tmp_path, empty_cache):
    def call(settings=QUICK, window="sliding", **options):
        bundle = bundle_of(checkpoint.model, tmp_path, window)
        return bench(bundle, checkpoint=checkpoint, held_out=held_out, settings=settings, **options)

    return call


@pytest.fixture
def untimed(monkeypatch):
    """Programs are run, in this process, and not timed."""
    work_here(monkeypatch, timed=False)


@pytest.fixture
def torch_alone(monkeypatch):
    monkeypatch.setattr("device_bench.bench.STOCKS", STOCKS[:1])
