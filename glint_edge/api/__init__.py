"""What `glint-edge` does, as functions: the command line and Python users call the same.

The one file that may import all four packages. Each function imports what it needs when it is
called, so that importing this costs nothing. Notes go to the `glint_edge` logger. How far a slow
function is goes to the `on_step`, `on_progress` or `on_rows` it is passed; without one it is shown,
where somebody looks: in a terminal and in a notebook.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, TypeAlias, TypeVar, Unpack

from glint_edge.data.items import described, item_file
from glint_edge.data.log import Log, load_log
from glint_edge.data.options import load_options
from glint_edge.data.sequencing.splits import LEAVE_ONE_OUT, PARTS
from glint_edge.errors import (
    BundleError,
    CheckpointError,
    ConfigError,
    DataError,
    UnknownItemError,
)
from glint_edge.extras import require_extra
from glint_edge.files import new_folder, require_place, scratch
from glint_edge.keys import Key, text_of_key, texts_of_keys
from glint_edge.model.state import CHUNK
from glint_edge.suggestions import no_file

if TYPE_CHECKING:
    # `as`: who calls these functions takes the names of what they give from here.
    from converters.catalogue.change import CatalogueChange as CatalogueChange
    from converters.export import Check, FineTuned
    from converters.options import ExportOptions
    from device_bench.bench import Settings
    from device_bench.devices import Device as Device
    from device_bench.judge.rows import BenchResult, Row, ScaleResult, ScaleRow
    from device_bench.results import BenchDiff, RowsSoFar
    from device_bench.results import BenchRun as BenchRun
    from device_bench.runners.arm64 import Finding as Finding
    from glint_edge.bundles.bundle import Artifact, Bundle
    from glint_edge.bundles.golden import Golden
    from glint_edge.bundles.target import Target
    from glint_edge.checkpoints.checkpoint import Checkpoint
    from glint_edge.data.catalogue import Catalogue as Catalogue
    from glint_edge.data.list_file import ListFile as ListFile
    from glint_edge.data.neighbours import Neighbours
    from glint_edge.data.options import LoadOptions, Reading
    from glint_edge.data.sequences import HeldOut, Split
    from glint_edge.data.sharded.shards import ShardedLog
    from glint_edge.diagnosis import Report
    from glint_edge.evaluation.appraisal import Appraisal
    from glint_edge.levers import Setting
    from glint_edge.runtime.recommendation import Recommendations
    from glint_edge.runtime.recommender import Recommender
    from glint_edge.training.epochs import Progress
    from glint_edge.training.trials import TrialResult, Trials

AnyPath: TypeAlias = str | Path
AnyCheckpoint: TypeAlias = "Checkpoint | str | Path | None"
AnyBundle: TypeAlias = "Bundle | str | Path"
OnStep: TypeAlias = Callable[[str], None]

STOCK = "stock"  # what `compare` takes
SPARE = 100
SHORTEST_LIST = 10  # that a bundle's is cut to as items are retired

log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")


def _silent(step: str) -> None:
    pass


def _shows(parameter: str, bar: str) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Fill a callback that is not passed with a bar of the console, where somebody looks."""

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        @wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> T:
            terminal = sys.stderr is not None and sys.stderr.isatty()
            if parameter in kwargs or not (terminal or "ipykernel" in sys.modules):
                return function(*args, **kwargs)
            from glint_edge.cli import console

            with getattr(console, bar)() as callback:
                kwargs[parameter] = callback
                return function(*args, **kwargs)

        return call

    return decorate


# ---- data and training --------------------------------------------------------------------------


@_shows("on_progress", "training_bar")
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
        on_progress: called after each batch.
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
        read = request.read(log)
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
    from glint_edge.training.run_place import require_study_place

    require_study_place(Path(out))
    from glint_edge.training.tune import tune as run

    read = load_log(log)
    return run(
        read.split(), read.source, Path(out),
        trials=trials, search=search, protocol=protocol, on_trial=on_trial, levers=levers,
        items=item_file(items),
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


@_shows("on_step", "steps")
def evaluate(
    checkpoint: AnyCheckpoint = None,
    other: AnyCheckpoint = None,
    *,
    data: object = None,
    part: str = "test",
    protocol: str | None = None,
    k: int = 10,
    seed: int = 0,
    plot: AnyPath | None = None,
    on_step: OnStep = _silent,
    **reading: Unpack[Reading],
) -> Appraisal:
    """Recall, MRR and NDCG of a float checkpoint on held-out items, beside its baselines.

    Args:
        checkpoint: loaded, or its folder; None: the shipped one.
        other: another, trained on the same data: both are measured on the same users.
        data: what `load_log` takes or returned; None: what the model was trained on.
        part: "test" or "validation".
        protocol: "full" ranks the whole catalogue; "unseen" leaves out the user's own items;
            "sampled-pop100" ranks among 100 popular negatives. They do not compare. None: "unseen"
            where nobody takes an item again, else "full".
        k: the cut of every figure.
        seed: of the sampled negatives.
        plot: also draw the slices into this .png or .svg file.
        on_step: told what is being done.
        reading: how `data` is read and split: `user`, `time`, `split` and so on, as for `load_log`;
            the rest as the checkpoint stores it. A `split` that is a part is the `part`.
    """
    if (split := reading.get("split")) in PARTS:  # as the option was called before
        part = str(split)
        reading["split"] = None
    options = load_options(**reading)
    options.require_possible()
    if plot is not None:
        from glint_edge.evaluation.slice_plot import check_plot, draw_slices

        check_plot(Path(plot))
    loaded = _checkpoint(checkpoint)
    from glint_edge.evaluation.appraisal import appraise_checkpoint

    appraisal = appraise_checkpoint(
        loaded, other=None if other is None else _checkpoint(other),
        data=data, options=options, part=part, protocol=protocol, k=k, seed=seed, on_step=on_step,
    )  # fmt: skip
    if plot is not None:
        draw_slices(Path(plot), appraisal.slices)
    return appraisal


# ---- export, catalogue and apps -----------------------------------------------------------------


@_shows("on_step", "steps")
def export(
    checkpoint: AnyCheckpoint = None,
    out: AnyPath | None = None,
    *,
    targets: Sequence[str] = ("executorch",),
    quantize: str = "int8",
    name: str | None = None,
    top_k: int | None = None,
    window: str = "sliding",
    opset: int | None = None,
    spare_items: int | None = None,
    chunk: int = CHUNK,
    neighbours: int | None = None,
    data: object = None,
    reading: LoadOptions | None = None,
    items: object = None,
    offline: bool = False,
    on_step: OnStep = _silent,
) -> Bundle:
    """Quantize, convert, check and write a bundle; a failed check is in the manifest's `checks`.

    Args:
        checkpoint: loaded, or its folder; None: the shipped one.
        out: NAME.glint; None: the data's name, in this folder.
        targets: "executorch", "onnx", "tflite", "c"; or "all".
        quantize: "none", "fp16", "int8-table", "int8" or "int8-qat".
        name: the bundle's; None: that of `out`.
        top_k: items that `recommend` returns at once; None: 50, or as many as are on offer.
        window: "sliding" or "unbounded": what a session longer than the model's N does.
        opset: the ONNX operator set.
        spare_items: rows to keep free for items to come; None: the catalogue is fixed.
        chunk: most items that one call of `append_many` takes.
        neighbours: so many of each item are counted in the data anew, and kept where they help; 0:
            the bundle has none; None: those of the checkpoint.
        data: what `load_log` takes or returned, for the positions that the files are judged by;
            None: what the model was trained on.
        reading: how it is read; None: as the checkpoint stores it, and so for each option.
        items: as for `train`; None: what the checkpoint has.
        offline: never fetch data.
        on_step: told what is being done.

    Raises:
        ConfigError: an option is impossible, or `out` is in the way.
        MissingExtraError: a target's toolchain is not installed.
        ConversionError: the toolchain failed.
    """
    from converters.options import ExportOptions, refuse_to_overwrite
    from glint_edge.bundles.manifest import SUFFIX, plain_name
    from glint_edge.data.prefixes import prefixes
    from glint_edge.data.source import find_split, some_histories

    # Before the model is read, which takes seconds: all that can be refused without it.
    folder = Path(out or f"{name or 'model'}{SUFFIX}")
    options = ExportOptions(
        _several(targets), quantize, top_k, folder, window, opset, name, spare_items, chunk
    )
    options.targets()
    shown = item_file(items)
    if out or name:
        refuse_to_overwrite(folder)
    require_place(folder)
    loaded = _checkpoint(checkpoint)
    if loaded.folder is None:
        raise CheckpointError("a bundle names its checkpoint's folder; save_checkpoint it first")
    if not (out or name):
        options = replace(options, out=Path(plain_name(Path(loaded.data.name).stem) + SUFFIX))
    options.require_possible_for(loaded.model.config)
    refuse_to_overwrite(options.out)
    source = loaded.folder
    loaded = replace(loaded, catalogue=described(loaded.catalogue, shown))
    from converters.export import export as run

    parts = find_split(loaded.data, loaded.catalogue, data, reading, offline=offline)
    known = parts.validation() if parts else None
    if neighbours is not None:
        loaded = replace(loaded, neighbours=_neighbours(loaded, parts, neighbours, on_step))
    return run(
        loaded, options,
        folder=source,
        histories=some_histories(known, loaded.model.config),
        check=_check(
            loaded, prefixes(known, loaded.model.config.max_length) if known else None, options,
            on_step,
        ),
        fine_tuned=_fine_tuned(loaded, options, data, reading, on_step, offline=offline),
        on_step=on_step,
    )  # fmt: skip


def recommend(
    bundle: AnyBundle | Checkpoint | None,
    history: Sequence[Key] = (),
    *,
    k: int | None = 10,
    exclude_seen: bool | None = None,
    without: Iterable[Key] = (),
    among: Iterable[Key] | None = None,
    where: Mapping[str, str | Sequence[str]] | None = None,
    boost: Mapping[Key, float] | None = None,
    most_per: Mapping[str, int] | None = None,
    neighbours: bool | None = None,
    target: str | None = None,
    window: str | None = None,
) -> Recommendations:
    """What a bundle's artifact, or a checkpoint's model, recommends after a history.

    A bundle is run in a process of its own, which takes a second: a damaged artifact may end it.
    `load` is for many calls.

    Args:
        bundle: loaded, or its folder; also a checkpoint.
        history: item keys, oldest first.
        k: so many; None: as many as a bundle's artifact returns at once.
        exclude_seen: leave out the history's own items; None: where nobody takes an item again in
            the log of the training.
        without: keys to leave out. Those that are not in the catalogue say nothing, as in the next.
        among: keys to choose from; None: all.
        where: by field, the value, or values of which one must be the item's.
        boost: by key, what is added to the item's score.
        most_per: by field, how many items of one value there may be at most.
        neighbours: whether the scores of the last items' neighbours gain by it; None: where the
            bundle or the checkpoint has some.
        target: whose artifact; None: the lightest that an installed runtime runs.
        window: "sliding" or "unbounded"; None: what the bundle was exported for.

    Raises:
        UnknownItemError: a key of the history is not in the catalogue.
        ConfigError: k is below 1, or a filter says nothing that can be followed.
    """
    words = {
        "history": texts_of_keys(history), "exclude_seen": exclude_seen, "neighbours": neighbours,
        **_words(without, among, where, boost, most_per),
    }  # fmt: skip
    return _list(bundle, "recommend", words, k, target=target, window=window)


def similar(
    bundle: AnyBundle | Checkpoint | None,
    key: Key,
    *,
    k: int | None = 10,
    without: Iterable[Key] = (),
    among: Iterable[Key] | None = None,
    where: Mapping[str, str | Sequence[str]] | None = None,
    boost: Mapping[Key, float] | None = None,
    most_per: Mapping[str, int] | None = None,
    target: str | None = None,
) -> Recommendations:
    """The items most like one, by the cosine of what the model knows of them; not itself.

    Args:
        bundle: as for `recommend`, and so are the others.
        key: the item's.
        k: see there.
        without: see there.
        among: see there.
        where: see there.
        boost: see there; a cosine is between -1 and 1.
        most_per: see there.
        target: see there.

    Raises:
        UnknownItemError: the key is not in the catalogue.
        ConfigError: k is below 1, or a filter says nothing that can be followed.
    """
    words = {"key": text_of_key(key), **_words(without, among, where, boost, most_per)}
    return _list(bundle, "similar", words, k, target=target)


@_shows("on_users", "users_bar")
def recommend_all(
    bundle: AnyBundle | Checkpoint | None,
    log: object,
    out: AnyPath,
    *,
    k: int = 10,
    exclude_seen: bool | None = None,
    without: Iterable[Key] = (),
    among: Iterable[Key] | None = None,
    where: Mapping[str, str | Sequence[str]] | None = None,
    boost: Mapping[Key, float] | None = None,
    most_per: Mapping[str, int] | None = None,
    neighbours: bool | None = None,
    target: str | None = None,
    window: str | None = None,
    on_users: Callable[[int, int], None] = lambda done, users: None,
    **reading: Unpack[Reading],
) -> ListFile:
    """Write what every user of a log is recommended, a row an item: user, rank, item, score.

    Where lists are made with neighbours also because: the key of the user's item that an item is
    there because of, as in `recommend`.

    A checkpoint's lists are made many at a time, a bundle's one after the other. They are written
    as they are made, so that any number of users takes the same memory beside the log.

    Args:
        bundle: as for `recommend`, and so are the filters.
        log: what `load_log` takes or returned. Of a user's items, those that the model does not
            know are skipped; whose are all unknown is recommended what comes after no history.
        out: a .parquet, .csv or .jsonl file, with a column title where the catalogue has titles.
        k: items of each list.
        exclude_seen: see `recommend`.
        without: see there.
        among: see there.
        where: see there.
        boost: see there.
        most_per: see there.
        neighbours: see there.
        target: see there.
        window: see there.
        on_users: told how many users are done, and how many there are.
        reading: how the log is read: `user`, `item`, `time` and so on, as for `load_log`; the rest
            as a checkpoint stores it, but every user is kept, however few items are theirs.

    Raises:
        ConfigError: an option is impossible, or `out` is no such file.
        DataError: the log cannot be read, or shares no item with the catalogue.
    """
    from glint_edge.data.list_file import check_list_file
    from glint_edge.data.named import NAMED
    from glint_edge.data.record import is_sharded, require_plain
    from glint_edge.runtime.source import bundle_folder

    check_list_file(Path(out))
    require_place(Path(out))
    words = _words(without, among, where, boost, most_per)
    if k < 1:
        raise ConfigError(f"k is at least 1, not {k}")
    options = load_options(**reading)
    options.require_possible()
    if isinstance(log, str | Path) and log not in NAMED and not is_sharded(log):
        require_plain(Path(log), NAMED)
    from glint_edge.runtime.every_user import BundleLists, write_every_list

    if (folder := bundle_folder(bundle)) is not None:
        # In a child first: what is damaged ends that.
        tried = {"history": [], "neighbours": neighbours, **words}
        _list(folder, "recommend", tried, 1, target=target, window=window)
        loaded = load(folder, target=target, window=window, unknown="skip")
        more = {"exclude_seen": exclude_seen, "neighbours": neighbours}
        maker = BundleLists(loaded, words | more)
        return write_every_list(maker, log, options, Path(out), k, on_users)
    if target not in (None, "torch"):
        raise ConfigError(f"a checkpoint runs on torch alone; export it for {target} first")
    from glint_edge.runtime.batches_torch import CheckpointLists

    checkpoint = _checkpoint(bundle)  # type: ignore[arg-type]  # a Bundle has a folder
    batches = CheckpointLists(checkpoint, words, exclude_seen, window, neighbours)
    return write_every_list(batches, log, options, Path(out), k, on_users)


def catalogue_of(bundle: AnyBundle | Checkpoint | None) -> Catalogue:
    """What a bundle or a checkpoint knows of its items: their keys, titles and fields."""
    from glint_edge.runtime.app_bundle import read_items
    from glint_edge.runtime.source import bundle_folder

    folder = bundle_folder(bundle)
    if folder is not None:
        return read_items(folder)
    return _checkpoint(bundle).catalogue  # type: ignore[arg-type]  # a Bundle has a folder


def load(
    path: AnyBundle | Checkpoint | None = None,
    *,
    target: str | None = None,
    window: str | None = None,
    unknown: Literal["refuse", "skip"] = "refuse",
    threads: int | None = None,
) -> Recommender:
    """What recommends, from a bundle as from a checkpoint; arguments of `Recommender.load`."""
    from glint_edge.runtime.recommender import Recommender

    return Recommender.load(path, target=target, window=window, unknown=unknown, threads=threads)


@_shows("on_step", "steps")
def add_items(
    where: AnyPath,
    keys: Sequence[Key] = (),
    *,
    titles: Sequence[str] = (),
    like: Sequence[Key] | None = None,
    vectors: AnyPath | None = None,
    log: object = None,
    strength: float = 0.8,
    within: int = 5,
    items: object = None,
    out: AnyPath | None = None,
    checkpoint: AnyPath | None = None,
    spare_items: int = SPARE,
    data: object = None,
    offline: bool = False,
    on_step: OnStep = _silent,
    **reading: Unpack[Reading],
) -> CatalogueChange:
    """Add items that came after training: like known ones, by vectors, of a log, or of a table.

    Args:
        where: a bundle's or a checkpoint's folder; it stays as it is.
        keys: the new items'.
        titles: theirs, in the same order.
        like: keys of known items that the one new item is like: its vector is their mean.
        vectors: a .npy file with a row for each of `keys`.
        log: add all new items of this log, each as the mean of the known items near it.
        strength: how long a mean is made, relative to the vectors it is of.
        within: with `log`: so many places in a history are near.
        items: what is shown of the new ones, as for `train`; `titles` come before it. Without
            `like`, `vectors` and `log` also what they are made of: `keys`, or all that the
            catalogue does not have, by their fields, or where none of these is known, by the words
            of their titles.
        out: the new folder; None: NAME.v2, then .v3 …, beside `where`.
        checkpoint: the float model a bundle was made from; None: as its manifest says.
        spare_items: rows to keep free if a bundle must be converted again.
        data: test items are read from here.
        offline: never fetch data.
        on_step: told what is being done.
        reading: how `log` and `data` are read: `user`, `item`, `time` and so on, as for `load_log`;
            the rest as the checkpoint stores it, but `k_core`, which is 0 for `log`.
    """
    from converters.catalogue.change import open_either, write_change
    from device_bench.bench import check_artifacts
    from glint_edge.data.source import read_beside

    _require_out(out)
    ways = sum(way is not None for way in (like, vectors, log))
    if ways > 1 or (ways == 0 and items is None):
        raise ConfigError(
            "say what the new items are like: one of --like, --vector and --log, or --items alone"
        )
    if log is not None and (keys or titles):
        raise ConfigError("--log brings its own items and titles; leave out --item and --title")
    shown = item_file(items)
    bundle, before = open_either(Path(where), Path(checkpoint) if checkpoint else None)
    from glint_edge.checkpoints import changes  # with torch: after what is refused without it

    left_out: list[str] = []
    options = load_options(**reading)
    if log is not None:
        # Two items of a user are enough to tell that they are near each other.
        new_log = replace(
            options, k_core=options.k_core or 0, min_length=2,
            split=LEAVE_ONE_OUT, validation=None, test=None,
        )  # fmt: skip
        seen = log if isinstance(log, Log) else read_beside(before.data, log, new_log)
        new, left_out = changes.items_of_log(before, seen.whole, within=within, strength=strength)
    elif shown is not None and not ways:
        from glint_edge.checkpoints.new_items import as_learned, items_of_table

        shown = as_learned(shown, before)
        new, left_out = items_of_table(
            before, shown, texts_of_keys(keys), titles, strength=strength
        )
    else:
        rows = changes.read_rows(Path(vectors)) if vectors is not None else None
        near = texts_of_keys(like) if like is not None else None
        new = changes.named_items(
            before, texts_of_keys(keys), titles, like=near, vectors=rows, strength=strength
        )
    after = changes.add_items(before, new)
    new_keys = {each.key for each in new}
    catalogue = described(after.catalogue, shown, new_keys)
    named = dict(zip(texts_of_keys(keys), titles, strict=False))
    return write_change(
        Path(where), bundle, before,
        replace(after, catalogue=replace(catalogue, titles={**catalogue.titles, **named})),
        judge=check_artifacts, done={"added": [each.key for each in new], "left_out": left_out},
        out=Path(out) if out else None, spare_items=spare_items, data=data, reading=options,
        offline=offline,
        on_step=on_step,
    )  # fmt: skip


def describe_items(where: AnyPath, items: object, *, out: AnyPath | None = None) -> CatalogueChange:
    """Change what is shown of items; the model, its lists and a bundle's artifacts stay.

    Args:
        where: a bundle's or a checkpoint's folder; it stays as it is.
        items: as for `train`; what it does not name stays as it is.
        out: the new folder; None: NAME.v2, then .v3 …, beside `where`.
    """
    from converters.catalogue.describe import describe

    _require_out(out)
    shown = item_file(items)
    if shown is None:
        raise ConfigError("--items is missing; pass a table with a row an item")
    return describe(Path(where), shown, Path(out) if out else None)


@_shows("on_step", "steps")
def retire_items(
    where: AnyPath,
    keys: Sequence[Key],
    *,
    out: AnyPath | None = None,
    checkpoint: AnyPath | None = None,
    spare_items: int = SPARE,
    data: object = None,
    reading: LoadOptions | None = None,
    offline: bool = False,
    on_step: OnStep = _silent,
) -> CatalogueChange:
    """Never recommend items again; histories may still hold them, and no id changes.

    Args:
        where: a bundle's or a checkpoint's folder; it stays as it is.
        keys: the items'.
        out: as for `add_items`, and so are the others.
        checkpoint: see there.
        spare_items: see there.
        reading: how `data` is read; None: as the checkpoint stores it, and so for each option.
        data: see there.
        offline: see there.
        on_step: see there.
    """
    from converters.catalogue.change import open_either, write_change
    from device_bench.bench import check_artifacts

    _require_out(out)
    bundle, before = open_either(Path(where), Path(checkpoint) if checkpoint else None)
    from glint_edge.checkpoints.changes import retire_items as retire

    gone, least = texts_of_keys(keys), min(bundle.top_k, SHORTEST_LIST) if bundle else 1
    return write_change(
        Path(where), bundle, before, retire(before, gone, least=least),
        judge=check_artifacts, done={"retired": gone}, out=Path(out) if out else None,
        spare_items=spare_items, data=data, reading=reading,
        offline=offline, on_step=on_step,
    )  # fmt: skip


@_shows("on_step", "steps")
def embed(
    bundle: AnyBundle,
    platform: str,
    out: AnyPath,
    target: str | Sequence[str] | None = None,
    *,
    neighbours: bool = True,
    on_step: OnStep = _silent,
) -> list[Path]:
    """Write a small module around a bundle, to be copied into an app; the files written.

    Of the bundle the module gets what it reads. An artifact that the bundle lacks is exported from
    its checkpoint, where this machine still has that; the app's bundle is then a new one.

    Args:
        bundle: loaded, or its folder.
        platform: "web", "android", "ios", "cpp" or "python".
        out: the module's folder; new or empty.
        target: whose artifact it gets, or several, of which it loads the platform's best;
            None: the best one in the bundle.
        neighbours: false: the app's lists are the model's alone, where the bundle has neighbours.
        on_step: told what is being done.
    """
    from glint_edge.apps import module

    place = module.find_platform(platform)
    module.require_new(Path(out))
    require_place(Path(out))
    opened = _bundle(bundle)
    targets = module.targets_for(opened, place, _several(target or ()))
    missing = module.lacking(opened, targets)
    if not missing:
        return module.embed(opened, place, Path(out), targets, neighbours=neighbours)
    with scratch() as folder:
        reason = module.lack(opened, place, missing)
        again = _exported_again(opened, targets, folder, reason, on_step)
        return module.embed(again, place, Path(out), targets, neighbours=neighbours)


def publish(bundle: AnyBundle, out: AnyPath) -> Path:
    """Put a bundle where apps fetch their next one over the air; its folder there.

    Args:
        bundle: loaded, or its folder.
        out: the folder in which apps look for latest.json.
    """
    require_place(Path(out), inside=True)
    from glint_edge.bundles.publish import publish as run

    return run(_bundle(bundle), Path(out))


def inspect(bundle: AnyBundle) -> Bundle:
    """What a bundle holds, every file of it checked."""
    return _bundle(bundle)


# ---- checkpoints that come and go ---------------------------------------------------------------


def import_recbole(model: AnyPath, out: AnyPath, items: AnyPath | None = None) -> Checkpoint:
    """Make a checkpoint folder of one that the authors' code saved; runs no code in it.

    Args:
        model: MODEL.pth, as RecBole saved it.
        out: the checkpoint's folder; new or empty.
        items: the items' keys in RecBole's order, one a line; None: the file's own, else the ids.
    """
    _require_new(Path(out))
    if not Path(model).is_file():  # before torch is imported
        raise CheckpointError(no_file(model, "give a RecBole .pth"))
    from glint_edge.checkpoints.checkpoint import load_checkpoint, save_checkpoint
    from glint_edge.checkpoints.recbole import import_recbole as run

    with new_folder(Path(out), stood=None) as work:
        save_checkpoint(run(Path(model), Path(items) if items else None), work)
    return load_checkpoint(out)


def push(checkpoint: AnyCheckpoint, repository: str, *, public: bool = False) -> str:
    """Upload a checkpoint to the Hugging Face Hub, items' keys included; the commit's address."""
    require_extra(("huggingface_hub",), "glint-edge[hub]", "the Hugging Face Hub")
    loaded = _checkpoint(checkpoint)
    from glint_edge.checkpoints import hub

    return hub.push(loaded, repository, private=not public)


def pull(repository: str, out: AnyPath) -> Checkpoint:
    """Download OWNER/NAME or OWNER/NAME@REVISION from the Hugging Face Hub into a new folder."""
    from glint_edge.checkpoints import hub
    from glint_edge.checkpoints.checkpoint import load_checkpoint, save_checkpoint

    _require_new(Path(out))
    with new_folder(Path(out), stood=None) as work:
        save_checkpoint(load_checkpoint(hub.fetch(repository)), work)
    return load_checkpoint(out)


# ---- measuring ----------------------------------------------------------------------------------


@_shows("on_step", "steps")
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
    on_step: OnStep = _silent,
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
    from device_bench.bench import Settings
    from device_bench.devices import require_usable
    from device_bench.document import document
    from device_bench.measure.runtimes import require_runtime
    from device_bench.results import BenchRun
    from device_bench.runners.runner import find_runner
    from glint_edge.bundles.shown import names_of

    if compare not in (None, STOCK):
        raise ConfigError(f"--compare {compare!r} is unknown; it takes {STOCK}")
    settings = Settings(
        threads, rounds, runners=tuple(map(find_runner, _several(runners))), profile=profile,
        stock=compare == STOCK,
    )  # fmt: skip
    # All that is asked for is looked at before minutes are spent on the first.
    floats = Path(checkpoint) if checkpoint else None
    opened = [_bundle(bundle) for bundle in bundles]
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


@_shows("on_step", "steps")
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
    on_step: OnStep = _silent,
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
    where = tuple(map(find_runner, _several(runners)))
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


def list_devices() -> tuple[Device, ...]:
    """Every runner, and whether it can be used; connects to nothing."""
    from device_bench.devices import list_devices as run

    return run()


@_shows("on_step", "steps")
def setup_device(name: str, *, on_step: OnStep = _silent) -> None:
    """Bring and build what a runner needs, for the runtimes that are installed here."""
    from device_bench.devices import setup

    setup(name, on_step)


def check_device(name: str) -> tuple[Finding, ...]:
    """What a runner needs, and whether it is there, asking the device if it is one."""
    from device_bench.devices import check

    return check(name)


def doctor() -> Report:
    """Which targets work here, and what to install for the others."""
    from converters.targets import ATTRIBUTES, GROUP, targets
    from device_bench.runners.runner import GROUP as RUNNERS
    from glint_edge.diagnosis import diagnose
    from glint_edge.extras import brought
    from glint_edge.runtime import engines

    groups = ((GROUP, ATTRIBUTES), (engines.GROUP, engines.ATTRIBUTES), (RUNNERS, ()))
    return diagnose(
        targets(),
        {f"{group} {name}": why
         for group, attributes in groups
         for name, why in brought(group, attributes).broken.items()},
    )  # fmt: skip


# ---- between the packages -----------------------------------------------------------------------


def _words(
    without: Iterable[Key],
    among: Iterable[Key] | None,
    where: Mapping[str, str | Sequence[str]] | None,
    boost: Mapping[Key, float] | None,
    most_per: Mapping[str, int] | None,
) -> dict[str, Any]:
    """A filter's words, checked, as JSON values."""
    from glint_edge.runtime.filters import Filter

    return asdict(Filter(without, among, where or {}, boost or {}, most_per or {}))


def _list(
    bundle: AnyBundle | Checkpoint | None,
    method: str,
    words: dict[str, Any],
    k: int | None,
    *,
    target: str | None,
    window: str | None = None,
) -> Recommendations:
    """What a method of `Recommender` gives, of a bundle in a child."""
    from glint_edge.runtime.source import bundle_folder

    folder = bundle_folder(bundle)
    try:
        if folder is not None:
            from glint_edge.runtime.apart import list_apart

            return list_apart(folder, method, words | {"k": k}, target=target, window=window)
        loaded = load(bundle, target=target, window=window)
        items: Recommendations = getattr(loaded, method)(**words, k=k)
    except UnknownItemError:
        from glint_edge.data.search import require_known

        require_known(catalogue_of(bundle), words.get("history") or [words["key"]])
        raise
    return items


def _checkpoint(value: AnyCheckpoint) -> Checkpoint:
    from glint_edge.checkpoints.checkpoint import Checkpoint, load_checkpoint

    if isinstance(value, Checkpoint):
        return value
    if value is None:
        log.info("the shipped checkpoint: GLINT-RU on MovieLens-100K")
    return load_checkpoint(value)


def _bundle(value: AnyBundle) -> Bundle:
    from glint_edge.bundles.bundle import Bundle, load_bundle

    return value if isinstance(value, Bundle) else load_bundle(value)


def _several(names: Sequence[str]) -> tuple[str, ...]:
    """Names; one text is one name, or several with commas between them."""
    return tuple(names.split(",")) if isinstance(names, str) else tuple(names)


def _require_out(out: AnyPath | None) -> None:
    if out is not None:
        require_place(Path(out))


def _require_new(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(f"{folder} exists and is not empty; choose another --out")
    require_place(folder)


def _exported_again(
    bundle: Bundle, targets: Sequence[str], folder: Path, reason: str, on_step: OnStep
) -> Bundle:
    """A bundle's checkpoint exported for other targets, with the same options.

    Args:
        bundle: has a checkpoint that this machine remembers.
        targets: whose artifacts it gets.
        folder: where the new bundle is written.
        reason: why, for who is told of it.
        on_step: told what is being done.

    Raises:
        BundleError: the checkpoint is not at hand, or has not the bundle's weights.
        MissingExtraError: a target's toolchain is not installed.
    """
    from converters.catalogue.update import options_of
    from glint_edge.bundles.manifest import SUFFIX
    from glint_edge.checkpoints.of_bundle import find_checkpoint

    name, wanted = bundle.path.name, ",".join(targets)
    every = ",".join(dict.fromkeys([*(one.target for one in bundle.artifacts), *targets]))
    command = f"glint-edge export CHECKPOINT --target {every} --out {bundle.path}"
    floats = find_checkpoint(bundle)
    if floats is None:
        raise BundleError(f"{reason}, and its checkpoint is not at hand; run {command}")
    spare = bundle.spare_items
    try:
        options = options_of(bundle, folder / f"{bundle.name}{SUFFIX}", spare)
    except BundleError as error:
        raise BundleError(f"{reason}; run {command} --quantize int8-qat") from error
    log.info("%s: exporting %s from %s", reason, wanted, floats.folder)
    exported = export(
        replace(floats, catalogue=bundle.catalogue, neighbours=bundle.neighbours), options.out,
        targets=targets, quantize=options.quantize, name=bundle.name, top_k=options.top_k,
        window=options.window, spare_items=spare, chunk=options.chunk, offline=True,
        on_step=on_step,
    )  # fmt: skip
    for check in exported.manifest["checks"]:
        for failure in check["failures"]:
            log.warning("%s is not good for %s: %s", name, check["target"], failure)
    return exported


def _check(
    checkpoint: Checkpoint, positions: HeldOut | None, options: ExportOptions, on_step: OnStep
) -> Check:
    from device_bench.bench import check_artifacts

    def check(artifacts: Sequence[tuple[Artifact, Path]], golden: Golden) -> list[dict[str, Any]]:
        model = checkpoint.model
        return check_artifacts(
            artifacts, model=model, top_k=options.top_k_for(model),
            window=model.config.window_items(options.window), held_out=positions,
            golden=golden, catalogue=checkpoint.catalogue, spare_items=options.spare_items,
            neighbours=checkpoint.neighbours, on_step=on_step,
        )  # fmt: skip

    return check


def _neighbours(
    checkpoint: Checkpoint, parts: Split | ShardedLog | None, k: int, on_step: OnStep
) -> Neighbours | None:
    """The k neighbours of each item, counted anew; None: none, or they do not help.

    Raises:
        ConfigError: k is none that `train` takes.
        DataError: there are no data to count in.
    """
    from glint_edge.config import LEVERS
    from glint_edge.evaluation.neighbours import fitting_neighbours
    from glint_edge.evaluation.protocols import chosen_protocol

    LEVERS["neighbours"].check(k)
    if k == 0:
        return None
    if parts is None:
        raise DataError("neighbours are counted in a log; pass it by --data")
    on_step(f"counting {k} neighbours of each item")
    return fitting_neighbours(
        checkpoint.model, parts, k, repeats=checkpoint.data.repeats,
        protocol=chosen_protocol(None, checkpoint.data, parts),
    )  # fmt: skip


def _fine_tuned(
    checkpoint: Checkpoint,
    options: ExportOptions,
    data: object,
    reading: LoadOptions | None,
    on_step: OnStep,
    *,
    offline: bool,
) -> FineTuned | None:
    """The model after quantization-aware training, where it was asked for."""
    if not options.fine_tuning:
        return None
    from converters.export import FineTuned
    from glint_edge.config import TrainConfig
    from glint_edge.data.source import find_training_data
    from quantization.qat.fine_tune import fine_tune

    sequences = find_training_data(
        checkpoint.data, checkpoint.catalogue, data, reading, offline=offline
    )
    on_step("training with int8's rounding inside")
    model, report = fine_tune(checkpoint.model, sequences, checkpoint.training or TrainConfig())
    log.info(
        "validation NDCG@10: float %.4f, int8 %.4f, int8 after %d of %d epochs %.4f (%.0f s)",
        report.ndcg_float, report.ndcg_before, report.best_epoch, report.epochs,
        report.ndcg_after, report.seconds,
    )  # fmt: skip
    return FineTuned(model, report.to_dict())


def _bench_in_turn(
    jobs: Sequence[tuple[Bundle, Checkpoint | None, HeldOut | None, HeldOut | None]],
    names: Sequence[str],
    settings: Settings,
    on_step: OnStep,
    on_rows: Callable[[RowsSoFar], None],
    on_partial: Callable[[Sequence[BenchResult]], None],
) -> list[BenchResult]:
    """Bench one bundle after the other; what is known when one fails is not lost."""
    from device_bench.bench import bench as run
    from device_bench.judge.rows import BenchResult
    from device_bench.results import RowsSoFar
    from glint_edge.durations import Durations

    durations = Durations("bench")
    results: list[BenchResult] = []
    rows: list[Row] = []

    def show(some: Sequence[Row]) -> None:
        rows[:] = some
        on_rows(RowsSoFar(some, names[len(results)]))

    def step(text: str) -> None:
        on_step(f"{names[len(results)]}: {text}" if len(jobs) > 1 else text)

    for name, (bundle, floats, held_out, positions) in zip(names, jobs, strict=True):
        rows.clear()
        try:
            result = run(
                bundle, checkpoint=floats, held_out=held_out, prefixes=positions,
                settings=settings, durations=durations, on_step=step, on_rows=show,
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
