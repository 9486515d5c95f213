"""What a bench of a bundle will run, known before it begins: for a count over several bundles."""

from __future__ import annotations

from typing import TYPE_CHECKING

from device_bench.judge.rows import STOCK_RUNNER, name_of
from device_bench.measure.runtimes import REFERENCE
from device_bench.rounds import piece_of
from device_bench.runners.python import PythonRunner
from device_bench.stock.shelf import STOCKS

if TYPE_CHECKING:
    from device_bench.entries import Settings
    from glint_edge.bundles.bundle import Bundle


def pieces_of(bundle: Bundle, settings: Settings, *, with_floats: bool) -> list[str]:
    """The runs that `bench` does, should none fail, by what they are remembered by.

    Args:
        bundle: as loaded.
        settings: how it is measured.
        with_floats: whether its float model is run beside it.
    """
    runners = [
        (artifact.target, artifact.precision, runner.name, runner.device, runner.timed)
        for artifact in bundle.artifacts
        for runner in settings.runners
    ]
    if with_floats:
        python = PythonRunner()
        runners.append((REFERENCE, "fp32", python.name, python.device, python.timed))
        if settings.stock:
            runners += [(one.target, one.precision, STOCK_RUNNER, "", True) for one in STOCKS]
    config, calls, threads = bundle.config.to_dict(), settings.plan.runs, settings.threads
    return [
        piece_of(f"{name_of(target, precision, runner)} {device}", config, calls, threads,
                 first=round == 0)
        for round in range(max(settings.rounds, 1))
        for target, precision, runner, device, timed in runners
        if round == 0 or timed
    ]  # fmt: skip
