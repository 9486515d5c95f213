"""What is recommended: to one user, beside one item, to every user of a log."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Unpack

from glint_edge.api.arguments import AnyBundle, AnyPath, as_checkpoint
from glint_edge.api.catalogue import catalogue_of
from glint_edge.api.progress import shows
from glint_edge.data.options import load_options
from glint_edge.errors import ConfigError, UnknownItemError
from glint_edge.files import require_place
from glint_edge.keys import Key, text_of_key, texts_of_keys

if TYPE_CHECKING:
    from glint_edge.checkpoints.checkpoint import Checkpoint
    from glint_edge.data.list_file import ListFile
    from glint_edge.data.options import Reading
    from glint_edge.runtime.recommendation import Recommendations
    from glint_edge.runtime.recommender import Recommender


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
        exclude_seen: leave out the history's own items, or none of them; None: all of them where
            nobody takes an item again in the log of the training, else the last one.
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


@shows("on_users", "users_bar")
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

    checkpoint = as_checkpoint(bundle)  # type: ignore[arg-type]  # a Bundle has a folder
    batches = CheckpointLists(checkpoint, words, exclude_seen, window, neighbours)
    return write_every_list(batches, log, options, Path(out), k, on_users)


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
