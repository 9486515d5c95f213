"""Interaction logs as per-user item sequences, and their leave-one-out split.

    log = load("ml-100k")                  # or the path of a log, see glint_edge/data/log.py
    parts = split(log)
    parts.train_ids, parts.train_offsets   # every history without its last two items
    parts.validation().targets             # the last but one item of every user
    parts.test().targets                   # the last item of every user

Many sequences of different lengths are one flat array and the offsets at which each starts:
sequence u is `ids[offsets[u]:offsets[u + 1]]`. Nothing here loops over users.

A named data set is downloaded by pip the first time it is asked for, the only use of the network,
and kept in the user's cache folder. GLINT_EDGE_CACHE, an environment variable, moves that folder.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import platformdirs
import polars as pl

from glint_edge.data.log import FORMATS, USUAL_NAMES, Columns, read_log
from glint_edge.errors import ConfigError, DataError

__all__ = [
    "FORMATS", "NAMED", "Columns", "HeldOut", "Sequences", "Split", "cache_folder", "is_cached",
    "load", "split",
]  # fmt: skip  # a table

Ids = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Sequences:
    """What every user of a log did, in order.

    An item's id is its rank by popularity in `ids`: 1 is the most frequent item, and of equally
    frequent items the one that comes first in `ids` has the lower id.

    Attributes:
        name: the data's name: a key of `NAMED` or the file's name.
        items: an item's key in the log, by id; `items[0]` is "", padding or an unknown item.
        ids: int64 [T], all users' items, user after user, each in time order.
        offsets: int64 [U + 1], where each user's items start, and T.
        users: the users' keys in the log, in order of first appearance in the file.
        titles: titles by item key; empty where the log has none.
        dropped: how many interactions or users were left out, by reason; only what occurred.
    """

    name: str
    items: tuple[str, ...]
    ids: Ids
    offsets: Ids
    users: tuple[str, ...]
    titles: Mapping[str, str]
    dropped: Mapping[str, int]

    def __repr__(self) -> str:
        return (
            f"Sequences({self.name!r}: {len(self)} users, {self.catalogue} items, "
            f"{self.interactions} interactions)"
        )

    def __len__(self) -> int:
        """Number of users U."""
        return len(self.users)

    @property
    def catalogue(self) -> int:
        """Number of items V; ids run from 1 to V."""
        return len(self.items) - 1

    @property
    def interactions(self) -> int:
        """Number of interactions T."""
        return len(self.ids)

    @property
    def mean_length(self) -> float:
        """Interactions per user."""
        return self.interactions / len(self)

    @property
    def has_repeats(self) -> bool:
        """Whether some user has an item twice."""
        user = np.repeat(np.arange(len(self)), np.diff(self.offsets))
        known = self.ids > 0
        pairs = user[known] * (self.catalogue + 1) + self.ids[known]
        return len(np.unique(pairs)) < len(pairs)

    def history(self, user: int) -> Ids:
        """A view of user number `user`'s items, int64, in time order."""
        return self.ids[self.offsets[user] : self.offsets[user + 1]]


@dataclass(frozen=True, slots=True, eq=False)
class HeldOut:
    """One item of every user to be predicted from the items before it.

    Attributes:
        ids: int64 [T'], the histories before the targets.
        offsets: int64 [U + 1], where each history starts, and T'.
        targets: int64 [U], the item that follows each history.
    """

    ids: Ids
    offsets: Ids
    targets: Ids


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Leave-one-out: a user's last item is for the test, the one before for validation.

    Attributes:
        sequences: what was split.
        train_ids: int64 [T − 2U], every history without its last two items.
        train_offsets: int64 [U + 1], where each starts, and T − 2U.
    """

    sequences: Sequences
    train_ids: Ids
    train_offsets: Ids

    @property
    def catalogue(self) -> int:
        """Number of items V."""
        return self.sequences.catalogue

    def counts(self) -> Ids:
        """How often each item stands in the training sequences: int64 [V + 1], by id."""
        return np.bincount(self.train_ids, minlength=self.sequences.catalogue + 1)

    def validation(self) -> HeldOut:
        """Each user's last but one item after the training items."""
        whole = self.sequences
        return HeldOut(self.train_ids, self.train_offsets, whole.ids[whole.offsets[1:] - 2])

    def test(self) -> HeldOut:
        """Each user's last item after all others, the validation item among them."""
        whole = self.sequences
        return HeldOut(*_without_last(whole, 1), whole.ids[whole.offsets[1:] - 1])


def split(sequences: Sequences) -> Split:
    """Split leave-one-out.

    Raises:
        DataError: a user has fewer than three items: one to train on and two to hold out.
    """
    if np.diff(sequences.offsets).min(initial=3) < 3:
        raise DataError(
            f"{sequences.name} has users with fewer than 3 items, which cannot be split; "
            "load it with min_length=3"
        )
    return Split(sequences, *_without_last(sequences, 2))


def _without_last(sequences: Sequences, count: int) -> tuple[Ids, Ids]:
    """All sequences without their last `count` items, as ids and offsets."""
    offsets = sequences.offsets - count * np.arange(len(sequences) + 1)
    shift = np.repeat(count * np.arange(len(sequences)), np.diff(offsets))
    return sequences.ids[np.arange(offsets[-1]) + shift], offsets


def load(
    source: str | Path,
    *,
    columns: Columns = USUAL_NAMES,
    format: str | None = None,
    k_core: int = 0,
    min_length: int = 3,
) -> Sequences:
    """Read a log as sequences.

    Interactions are ordered by time and, at the same time or without times, as in the file.

    Args:
        source: a key of `NAMED`, downloaded once, or the path of a log. A file that is called like
            a named data set is reached as a `Path` or as `./ml-100k`.
        columns: which columns hold user, item and time, where the format has a header.
        format: a key of `FORMATS`; None tells it from the file.
        k_core: leave out users and items with fewer interactions than this, again and again until
            none is left; 0 keeps all.
        min_length: leave out users with fewer items than this.

    Raises:
        ConfigError: `k_core` or `min_length` is impossible.
        DataError: the log cannot be read, or nothing is left of it.
    """
    if k_core < 0:
        raise ConfigError(f"k_core must be ≥ 0, not {k_core}")
    if min_length < 1:
        raise ConfigError(f"min_length must be ≥ 1, not {min_length}")
    if isinstance(source, str) and source in NAMED:
        name, path = source, _named(source)
    else:
        name, path = Path(source).name, Path(source)
    log, titles = read_log(path, columns=columns, format=format)

    kept, dropped = _filter(log, k_core, min_length)
    if kept.is_empty():
        raise DataError(
            f"{name}: no user is left with at least {min_length} items (k_core {k_core}); "
            "lower k_core or pass a longer log"
        )
    return _sequences(name, kept, titles, dropped)


def _filter(log: pl.DataFrame, k_core: int, min_length: int) -> tuple[pl.DataFrame, dict[str, int]]:
    """Leave out duplicates, rare items and short users; how many of each, where there are any."""
    rows = len(log)
    # without times, the same user and item twice may well be two interactions
    if "time" in log.columns:
        log = log.unique(keep="first", maintain_order=True)
    duplicates = rows - len(log)
    outside = short = 0
    while True:
        core = _k_core(log, k_core)
        kept = core.filter(pl.len().over("user") >= min_length)
        outside += len(log) - len(core)
        short += core["user"].n_unique() - kept["user"].n_unique()
        # users that went for their length may leave items with fewer than k interactions
        if len(kept) == len(log):
            break
        log = kept
    reasons = {
        "exact duplicate rows": duplicates,
        f"interactions outside the {k_core}-core": outside,
        f"users with fewer than {min_length} items": short,
    }
    return kept, {reason: count for reason, count in reasons.items() if count}


def _k_core(log: pl.DataFrame, k: int) -> pl.DataFrame:
    while k > 1:
        kept = log.filter(pl.len().over("user") >= k, pl.len().over("item") >= k)
        if len(kept) == len(log):
            break
        log = kept
    return log


def _sequences(
    name: str, log: pl.DataFrame, titles: Mapping[str, str], dropped: Mapping[str, int]
) -> Sequences:
    """Number a filtered log, which is in file order."""
    log = log.with_row_index("row").with_columns(appears=pl.col("row").min().over("user"))
    log = log.sort("appears", *(["time"] if "time" in log.columns else []), "row")
    users = log.group_by("user", maintain_order=True).len()
    # stable: equally frequent items stay in order of first appearance
    items = (
        log.group_by("item", maintain_order=True)
        .len()
        .sort("len", descending=True, maintain_order=True)["item"]
    )
    ranks = pl.DataFrame({"item": items, "id": np.arange(1, len(items) + 1)})
    ids = log.join(ranks, on="item", how="left", maintain_order="left")["id"]
    return Sequences(
        name=name,
        items=("", *items),
        ids=ids.to_numpy(writable=True),
        offsets=np.concatenate([[0], users["len"].to_numpy().cumsum(dtype=np.int64)]),
        users=tuple(users["user"]),
        titles={key: titles[key] for key in items if key in titles},
        dropped=dropped,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedData:
    """A public log that travels in a Python wheel.

    Attributes:
        attribution: who made it, to be shown wherever a model trained on it is.
        requirement: what pip downloads, of one exact version.
        wheel_sha256: the wheel's checksum; no other is opened.
        members: by the name each file gets in the cache: its path in the wheel, its checksum. The
            first is the log.
    """

    attribution: str
    requirement: str
    wheel_sha256: str
    members: Mapping[str, tuple[str, str]]


NAMED: Mapping[str, NamedData] = {
    "ml-100k": NamedData(
        attribution=(
            "MovieLens 100K by GroupLens Research: F. Maxwell Harper and Joseph A. Konstan, "
            "The MovieLens Datasets: History and Context, ACM TiiS 5(4), 2015."
        ),
        requirement="recbole==1.2.1",
        wheel_sha256="9c9948202011f37eb0a7c6768129313f00d6403ad221ec940d5e2d5d5f33a407",
        members={
            "ml-100k.inter": (
                "recbole/dataset_example/ml-100k/ml-100k.inter",
                "4edb74e2a81178c2ba9ff381495f754f996c4aea351b1272ca36b43da0935eff",
            ),
            "ml-100k.item": (
                "recbole/dataset_example/ml-100k/ml-100k.item",
                "51d7cdf777ce5c0f5b32c1d947a4a81fe07d75e78abbe761e0cd4d0756064532",
            ),
        },
    ),
}


def cache_folder() -> Path:
    """The user's cache folder for this tool; GLINT_EDGE_CACHE moves it."""
    root = os.environ.get("GLINT_EDGE_CACHE") or platformdirs.user_cache_dir("glint-edge")
    return Path(root).expanduser()


def is_cached(name: str) -> bool:
    """Whether a named data set lies in the cache, undamaged."""
    folder = cache_folder() / "data" / name
    return all(_holds(folder / file, sha256) for file, (_, sha256) in NAMED[name].members.items())


def _named(name: str) -> Path:
    """The log of a named data set, fetched unless the cache holds it undamaged.

    Raises:
        DataError: it could not be downloaded, is not the file it should be, or cannot be kept.
    """
    data = NAMED[name]
    folder = cache_folder() / "data" / name
    try:
        if not is_cached(name):
            _fetch(name, data, folder)
    except OSError as error:
        raise DataError(
            f"cannot keep {name} in {folder}: {error.strerror}; "
            "set GLINT_EDGE_CACHE to a folder you can write"
        ) from error
    return folder / next(iter(data.members))


def _holds(path: Path, sha256: str) -> bool:
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == sha256


def _fetch(name: str, data: NamedData, folder: Path) -> None:
    """Download the wheel and move its files into `folder`, each complete or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    # inside `folder`: a move is atomic only within one file system
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        wheel = _download(name, data.requirement, Path(temporary))
        if not _holds(wheel, data.wheel_sha256):
            raise DataError(
                f"the wheel pip brought for {name} ({wheel.name}) is not the one this version "
                "knows (its sha256 differs); check pip's index, or pass a log file instead"
            )
        with zipfile.ZipFile(wheel) as archive:
            for file, (member, _) in data.members.items():
                part = Path(temporary) / file
                part.write_bytes(archive.read(member))
                part.replace(folder / file)


def _download(name: str, requirement: str, folder: Path) -> Path:
    """Let pip, and so the user's own index and proxy settings, download a wheel into `folder`."""
    command = [
        sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check",
        "--no-input", "--no-deps", "--only-binary=:all:", "-d", str(folder), requirement,
    ]  # fmt: skip  # a command line
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode or not wheels:
        said = (done.stderr.strip() or "no wheel arrived").splitlines()[-1]
        raise DataError(
            f"pip could not download {name} ({said}); "
            "run this once where pip works and is online, or pass a log file instead"
        )
    return wheels[0]
