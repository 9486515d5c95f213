"""The bench over generated models of growing size."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from glint_edge.api.arguments import several
from glint_edge.api.progress import OnStep, shows, silent
from glint_edge.errors import ConfigError

if TYPE_CHECKING:
    from device_bench.judge.rows import ScaleResult, ScaleRow
    from device_bench.results import BenchRun, RowsSoFar
    from glint_edge.bundles.target import Target

log = logging.getLogger(__name__)


@shows("on_step", "steps")
def bench_scale(
    *,
    items: Sequence[int] = (1_000, 10_000, 100_000, 1_000_000),
    widths: Sequence[int] = (64, 128),
    histories: Sequence[int] = (20, 50, 200),
    targets: Sequence[str] | None = None,
    quantize: str = "int8",
    runners: Sequence[str] = ("python",),
    rounds: int = 1,
    threads: int = 1,
    command: Sequence[str] | None = None,
    on_step: OnStep = silent,
    on_rows: Callable[[RowsSoFar], None] = lambda rows: None,
    on_partial: Callable[[BenchRun], None] = lambda run: None,
) -> BenchRun:
    """How latency, size and memory grow with catalogue, width and history; generated weights.

    Args:
        items: catalogues.
        widths: d.
        histories: items before a call, and of a cold start.
        targets: None: those installed that have the precision.
        quantize: "none", "fp16", "int8-table" or "int8".
        runners: as for `bench`.
        rounds: processes each artifact is timed in, in turn.
        threads: CPU threads of each runtime.
        command: noted in the document; None: this program's own.
        on_step: told what is being done.
        on_rows: told all rows so far.
        on_partial: given what was measured, should it end before its end.
    """
    from device_bench.devices import require_usable
    from device_bench.document import scale_document
    from device_bench.judge.rows import ScaleResult
    from device_bench.results import BenchRun, RowsSoFar
    from device_bench.runners.runner import find_runner
    from device_bench.scale import Scale
    from device_bench.scale import scale as run
    from glint_edge.bundles.precisions import precision_of
    from glint_edge.durations import Durations

    precision = precision_of(quantize, fine_tuning=False)
    where = tuple(map(find_runner, several(runners)))
    wanted = Scale(
        _scale_targets(targets, precision), sorted(set(items)), sorted(set(widths)),
        sorted(set(histories)), precision, where, threads, rounds,
    )  # fmt: skip
    require_usable(where, [target.name for target in wanted.targets], on_step)
    from converters.generated import make  # with torch

    log.info("about %.0f minutes on two cores that do nothing else", wanted.seconds() / 60)
    rows: list[ScaleRow] = []

    def run_of(result: ScaleResult) -> BenchRun:
        return BenchRun(scale_document(result, wanted, command or sys.argv), result.failures)

    def show(some: Sequence[ScaleRow]) -> None:
        rows[:] = some
        on_rows(RowsSoFar(some))

    try:
        durations = Durations("bench-scale")
        return run_of(run(wanted, make, durations=durations, on_step=on_step, on_rows=show))
    except BaseException:  # Ctrl-C, too
        if rows:
            on_partial(run_of(ScaleResult(tuple(rows))))
        raise


def _scale_targets(names: Sequence[str] | None, precision: str) -> list[Target]:
    """Those named, or those installed that have the precision."""
    from converters.targets import find_target, targets
    from glint_edge.extras import missing
    from glint_edge.runtime.engines import engines, find_engine

    if names is None:
        return [
            target
            for target in targets().values()
            if precision in target.precisions
            and target.name in engines()
            and not missing([*target.convert_packages, *engines()[target.name].packages])
        ]
    chosen = [find_target(name) for name in names]
    for target in chosen:
        find_engine(target.name)
        if precision not in target.precisions:
            raise ConfigError(
                f"{target.name} has no {precision}, it has {', '.join(target.precisions)}"
            )
    return chosen
