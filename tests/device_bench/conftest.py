"""Fixtures of the bench's tests: a worker in this process, machines that lack things."""

from dataclasses import replace

import pytest

from device_bench.bench import bench
from device_bench.native import emulator
from device_bench.native.emulator import find_qemu
from glint_edge.model.stream import stream_program
from tests.device_bench.makers import (
    QUICK,
    TOP_K,
    bundle_of,
    checkpoint_of,
    golden_for,
    held_out_of,
    work_here,
)


@pytest.fixture(scope="session")
def golden(make_model):
    return golden_for(stream_program(make_model(), TOP_K))


@pytest.fixture(scope="session")
def reference(make_model, golden, tmp_path_factory):
    """A bundle without artifacts: the torch row alone, which needs no toolchain."""
    model = make_model()
    bundle = bundle_of(model, tmp_path_factory.mktemp("bundle"), [], golden)
    steps, seen = [], []
    with pytest.MonkeyPatch.context() as patch:
        work_here(patch)
        result = bench(
            bundle, checkpoint=checkpoint_of(model), held_out=held_out_of(model),
            settings=replace(QUICK, rounds=2), on_step=steps.append, on_rows=seen.append,
        )  # fmt: skip
    assert steps == [f"running torch fp32 ({n} of 2)" for n in (1, 2)]
    assert [rows[0].rounds for rows in seen] == [1, 2]
    return result


@pytest.fixture
def empty_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("GLINT_EDGE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def no_setup(monkeypatch, tmp_path):
    """A cache in which nothing was set up, and no network to fetch it from."""
    monkeypatch.setenv("GLINT_EDGE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    return tmp_path


@pytest.fixture
def install_qemu(monkeypatch, tmp_path):
    """Put a program in the emulator's place: it tells its version and help, then does as given."""

    def install(does="exit 0", version="7.2.22", shows="-plugin"):
        fake = tmp_path / "bin" / emulator.QEMU
        fake.parent.mkdir(exist_ok=True)
        fake.write_text(
            f'#!/bin/sh\ncase "$1" in --version) echo "qemu-aarch64 version {version}"; exit;; '
            f'-help) echo "{shows}"; exit;; esac\n{does}\n'
        )
        fake.chmod(0o755)
        monkeypatch.setattr(emulator.shutil, "which", _only_replacing(fake))
        find_qemu.cache_clear()
        return fake

    yield install
    find_qemu.cache_clear()


def _only_replacing(fake):
    which = emulator.shutil.which
    return lambda name, **options: str(fake) if name == fake.name else which(name, **options)
