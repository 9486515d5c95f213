"""A log to a checkpoint: one training, a search for good levers, a log cut into shards."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from glint_edge.api.arguments import AnyPath
from glint_edge.api.progress import shows
from glint_edge.data.items import item_file
from glint_edge.data.options import load_options
from glint_edge.errors import ConfigError, DataError
from glint_edge.files import require_place
from glint_edge.suggestions import no_file

if TYPE_CHECKING:
    from glint_edge.checkpoints.checkpoint import Checkpoint
    from glint_edge.data.options import Reading
    from glint_edge.data.sharded.shards import ShardedLog
    from glint_edge.levers import Setting
    from glint_edge.training.epochs import Progress
    from glint_edge.training.trials import TrialResult, Trials


@shows("on_progress", "training_bar")
def train(
    log: object = None,
    out: AnyPath | None = None,
    *,
    config: AnyPath | None = None,
    items: object = None,
    resume: bool = False,
    device: str | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    **levers: Setting,
) -> Checkpoint:
    """Train GLINT-RU on a log, with early stopping; the best epoch's checkpoint.

    Args:
        log: from `load_log`, or what it takes; None: that of `config`.
        out: the run's folder; None: that of `config`.
        config: a run.toml, as each run leaves one in its folder; what else is passed here comes
            before what it says.
        items: what is shown of the items: a table with a row each, as a path or a DataFrame, or an
            `ItemFile` that says which columns, whose fields are features of training, too; None:
            that of `config`, else titles as the log has them.
        resume: continue the run in `out`.
        device: "cpu", or "cuda": one GPU a process; None: that of `config`, or the CPU.
        on_progress: called after each batch, and after each epoch.
        levers: `d`, `epochs`, `learning_rate`, …: the fields of `ModelConfig`, but `items` and
            `padding`, and of `TrainConfig`.

    Raises:
        GlintEdgeError: as `glint_edge.training.train.train`, which this calls.
    """
    from glint_edge.checkpoints.checkpoint import load_checkpoint
    from glint_edge.config import LEVERS, configs
    from glint_edge.levers import refuse_unknown
    from glint_edge.processes.distributed import joined
    from glint_edge.training.run_file import requested
    from glint_edge.training.train import train as run

    refuse_unknown("lever", levers, LEVERS)
    request = requested(config, {"out": out, "device": device, **levers})
    shown = item_file(items) or request.items
    with joined() as group:
        request.require_place(resume=resume)
        read = request.read(log, shown)
        data = read.split()
        checkpoint = run(
            data, *configs(data.item_count, request.levers), Path(request.out),
            source=read.source, items=shown, resume=resume, on_progress=on_progress, group=group,
            device=request.device,
        )  # fmt: skip
        return checkpoint if group.rank else load_checkpoint(request.out)


def tune(
    log: object,
    out: AnyPath,
    *,
    trials: int = 30,
    search: Sequence[str] | None = None,
    protocol: str | None = None,
    on_trial: Callable[[TrialResult], None] | None = None,
    items: object = None,
    **levers: Setting,
) -> Trials:
    """Search for good levers of `train` with Optuna; continues a study that exists.

    Args:
        log: as for `train`.
        out: the study's folder; `train(config="STUDY/best.toml", out=…)` trains its best trial.
        trials: finished ones in the end, earlier ones too.
        search: names of the levers to search; None: those that help most.
        protocol: "full", or "unseen": without the user's own items; None: "unseen" where nobody
            takes an item again, as `train` does.
        on_trial: called after each trial.
        items: as for `train`; of a DataFrame best.toml says nothing, so pass it to `train`, too.
        levers: those that are fixed, as for `train`; but for `epochs` (30) and `patience` (3) the
            others have its defaults.

    Returns:
        The finished trials, best first.
    """
    from glint_edge.training.run_file import Request
    from glint_edge.training.run_place import require_study_place

    require_study_place(Path(out))
    from glint_edge.training.tune import tune as run

    shown = item_file(items)
    read = Request({}).read(log, shown)
    return run(
        read.split(), read.source, Path(out),
        trials=trials, search=search, protocol=protocol, on_trial=on_trial, levers=levers,
        items=shown,
    )  # fmt: skip


def shard(
    log: AnyPath,
    out: AnyPath,
    *,
    parts: int = 16,
    held_out: int = 10_000,
    seed: int = 0,
    **reading: Unpack[Reading],
) -> ShardedLog:
    """Cut a log that is larger than memory into shards that `train` reads a few at a time.

    Args:
        log: the path of a log as for `train`, or a folder of Parquet files.
        out: a folder that does not exist yet.
        parts: shards; two at a time are in memory, and each process of a training needs one.
        held_out: users to evaluate on, at most.
        seed: of the choice of these users.
        reading: `user`, `item`, `time` and so on, as for `load_log`; but `k_core`, which needs the
            whole log.
    """
    if not Path(log).exists():  # before polars is imported
        raise DataError(no_file(log, "pass the path of an interaction log"))
    if Path(out).exists():
        raise ConfigError(f"{out} exists; choose another --out")
    require_place(Path(out))
    from glint_edge.data.sharded.sharding import make_shards

    options = load_options(**reading)
    return make_shards(
        Path(log), Path(out), options=options, parts=parts, held_out=held_out, seed=seed
    )
