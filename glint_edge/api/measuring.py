"""Bundles on the bench, and what it measured: compared, or read again."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from glint_edge.api.arguments import AnyBundle, AnyPath, as_bundle, several
from glint_edge.api.progress import OnStep, shows, silent
from glint_edge.errors import ConfigError

if TYPE_CHECKING:
    from device_bench.entries import Settings
    from device_bench.judge.rows import BenchResult, Row
    from device_bench.results import BenchDiff, BenchRun, RowsSoFar
    from glint_edge.bundles.bundle import Bundle
    from glint_edge.checkpoints.checkpoint import Checkpoint
    from glint_edge.data.options import LoadOptions
    from glint_edge.data.sequences import HeldOut

log = logging.getLogger(__name__)

STOCK = "stock"  # what `compare` takes


@shows("on_step", "steps")
def bench(
    *bundles: AnyBundle,
    runners: Sequence[str] = ("python",),
    rounds: int = 3,
    compare: str | None = None,
    data: object = None,
    reading: LoadOptions | None = None,
    checkpoint: AnyPath | None = None,
    threads: int = 1,
    profile: bool = False,
    offline: bool = False,
    command: Sequence[str] | None = None,
    on_step: OnStep = silent,
    on_rows: Callable[[RowsSoFar], None] = lambda rows: None,
    on_partial: Callable[[BenchRun], None] = lambda run: None,
) -> BenchRun:
    """Latency, size, parity and accuracy of each artifact of one or several bundles.

    Args:
        bundles: loaded, or their folders.
        runners: where to run: "python", "native", "arm64", "ssh:HOST", "adb[:SERIAL]".
        rounds: processes each row is timed in, in turn with the others.
        compare: "stock": also what one would do without this tool, on the same weights.
        data: what `load_log` takes or returned, for the test items; None: what the model was
            trained on.
        reading: how it is read; None: as the checkpoint stores it, and so for each option.
        checkpoint: the float model; None: the one that the manifest names.
        threads: CPU threads of each runtime.
        profile: also where the time goes, by operator.
        offline: never fetch data.
        command: noted in the document; None: this program's own.
        on_step: told what is being done.
        on_rows: told a bundle's rows so far.
        on_partial: given what was measured, should it end before its end.
    """
    from device_bench.devices import require_usable
    from device_bench.document import document
    from device_bench.entries import Settings
    from device_bench.measure.runtimes import require_runtime
    from device_bench.results import BenchRun
    from device_bench.runners.runner import find_runner
    from glint_edge.bundles.shown import names_of

    if compare not in (None, STOCK):
        raise ConfigError(f"--compare {compare!r} is unknown; it takes {STOCK}")
    settings = Settings(
        threads, rounds, runners=tuple(map(find_runner, several(runners))), profile=profile,
        stock=compare == STOCK,
    )  # fmt: skip
    # All that is asked for is looked at before minutes are spent on the first.
    floats = Path(checkpoint) if checkpoint else None
    opened = [as_bundle(bundle) for bundle in bundles]
    targets = list(dict.fromkeys(a.target for one in opened for a in one.artifacts))
    for target in targets:
        require_runtime(target)
    require_usable(settings.runners, targets, on_step)
    jobs = [
        (one, *_bench_inputs(one, floats, data, reading, settings, offline=offline))
        for one in opened
    ]

    def run_of(results: Sequence[BenchResult]) -> BenchRun:
        failures = tuple(f"{r.name}: {failure}" for r in results for failure in r.failures)
        return BenchRun(document(results, settings, command or sys.argv), failures)

    def keep(some: Sequence[BenchResult]) -> None:
        on_partial(run_of(some))

    return run_of(_bench_in_turn(jobs, names_of(opened), settings, on_step, on_rows, keep))


def bench_diff(old: AnyPath | BenchRun, new: AnyPath | BenchRun) -> BenchDiff:
    """Compare two runs of `bench`: results, or what `write` wrote of them."""
    from device_bench.judge.diff import diff
    from device_bench.results import BenchDiff

    changes = diff(bench_report(old).to_dict(), bench_report(new).to_dict())
    return BenchDiff(changes.changes, changes.notes)


def bench_report(result: AnyPath | BenchRun) -> BenchRun:
    """A run again that `write` wrote: to be shown, or written as a page."""
    from device_bench.results import BenchRun

    return result if isinstance(result, BenchRun) else BenchRun.read(Path(result))


def _bench_in_turn(
    jobs: Sequence[tuple[Bundle, Checkpoint | None, HeldOut | None, HeldOut | None]],
    names: Sequence[str],
    settings: Settings,
    on_step: OnStep,
    on_rows: Callable[[RowsSoFar], None],
    on_partial: Callable[[Sequence[BenchResult]], None],
) -> list[BenchResult]:
    """Bench one bundle after the other; what is known when one fails is not lost."""
    from device_bench.ahead import pieces_of
    from device_bench.bench import bench as run
    from device_bench.judge.rows import BenchResult
    from device_bench.results import RowsSoFar
    from device_bench.rounds import Beside
    from glint_edge.durations import Durations

    durations = Durations("bench")
    results: list[BenchResult] = []
    rows: list[Row] = []

    def show(some: Sequence[Row]) -> None:
        rows[:] = some
        on_rows(RowsSoFar(some, names[len(results)]))

    def step(text: str) -> None:
        on_step(f"{names[len(results)]}: {text}" if len(jobs) > 1 else text)

    ahead = [
        pieces_of(bundle, settings, with_floats=floats is not None) for bundle, floats, *_ in jobs
    ]
    for name, (bundle, floats, held_out, positions) in zip(names, jobs, strict=True):
        rows.clear()
        done = len(results)
        beside = Beside(sum(map(len, ahead[:done])), list(chain(*ahead[done + 1 :])))
        try:
            result = run(
                bundle, checkpoint=floats, held_out=held_out, prefixes=positions,
                settings=settings, durations=durations, beside=beside, on_step=step, on_rows=show,
            )  # fmt: skip
        except BaseException:  # Ctrl-C, too
            measured = tuple(row for row in rows if row.append_us or row.failures)
            if results or measured:
                on_partial([*results, BenchResult(name, measured, settings.threads, "")])
            raise
        results.append(replace(result, name=name))
    return results


def _bench_inputs(
    bundle: Bundle,
    checkpoint: Path | None,
    data: object,
    reading: LoadOptions | None,
    settings: Settings,
    *,
    offline: bool,
) -> tuple[Checkpoint | None, HeldOut | None, HeldOut | None]:
    """What a bundle is compared with: the float model, test items, and what it is judged by."""
    from glint_edge.checkpoints.of_bundle import find_checkpoint
    from glint_edge.data.prefixes import prefixes
    from glint_edge.data.source import find_split

    floats = find_checkpoint(bundle, checkpoint)
    if settings.stock and floats is None:
        raise ConfigError(
            f"--compare {STOCK} exports the float model again, which is not at hand; "
            "pass --checkpoint"
        )
    if floats is None:
        log.info("the float model is not at hand: no parity, no accuracy; pass --checkpoint")
        return None, None, None
    parts = find_split(floats.data, floats.catalogue, data, reading, offline=offline)
    if parts is None:
        return floats, None, None
    return floats, parts.test(), prefixes(parts.validation(), bundle.config.max_length)
