"""Public logs by name: downloaded by pip once, kept in the user's cache folder.

The download is the only use of the network in this room. GLINT_EDGE_CACHE, an environment
variable, moves the cache folder.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from glint_edge.errors import DataError
from glint_edge.files import cache_folder
from glint_edge.pip import NoWheelError, download_wheel
from glint_edge.staging import staging

PATIENCE = 600.0  # seconds for another process that fetches the same

__all__ = ["NAMED", "NamedData", "download", "is_cached"]


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


def is_cached(name: str) -> bool:
    """Whether a named data set lies in the cache, undamaged."""
    folder = cache_folder() / "data" / name
    return all(_holds(folder / file, sha256) for file, (_, sha256) in NAMED[name].members.items())


def download(name: str) -> Path:
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
    with staging(folder / name, patience=PATIENCE) as temporary:
        if is_cached(name):
            return  # another process fetched it meanwhile
        wheel = _download(name, data.requirement, temporary)
        if not _holds(wheel, data.wheel_sha256):
            raise DataError(
                f"the wheel pip brought for {name} ({wheel.name}) is not the one this version "
                "knows (its sha256 differs); check pip's index, or pass a log file instead"
            )
        with zipfile.ZipFile(wheel) as archive:
            for file, (member, _) in data.members.items():
                part = temporary / file
                part.write_bytes(archive.read(member))
                part.replace(folder / file)


def _download(name: str, requirement: str, folder: Path) -> Path:
    try:
        return download_wheel(requirement, folder)
    except NoWheelError as error:
        raise DataError(
            f"pip could not download {name} ({error}); "
            "run this once where pip works and is online, or pass a log file instead"
        ) from error
