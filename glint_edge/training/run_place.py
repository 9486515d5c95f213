"""Where a run or a study is to be written; imports no torch, so that it is looked at first."""

from __future__ import annotations

from pathlib import Path

from glint_edge.errors import ConfigError
from glint_edge.extras import require_extra
from glint_edge.files import require_place
from glint_edge.tables import counted
from glint_edge.training.run_file import RUN_FILE

CONFIG = "config.json"  # of a checkpoint: the run is finished
LOCK = ".lock"  # there while a process trains
RESUME, METRICS = "resume.safetensors", "metrics.jsonl"
JOURNAL, BEST = "journal.log", "best.json"  # of a study
TUNE = "glint-edge[tune]"


def require_free(folder: Path, resume: bool) -> None:
    """Refuse a run's folder in which something else stands.

    Raises:
        ConfigError: a run would be overwritten, or there is none to resume.
    """
    if resume and not (folder / RESUME).is_file():
        raise ConfigError(f"{folder} holds no unfinished run; leave out --resume to start one")
    if not resume and folder.exists() and not _is_free(folder):
        unfinished = (folder / RESUME).is_file()
        way_out = "add --resume to continue it" if unfinished else "choose another --out"
        raise ConfigError(f"{folder} exists and is not empty; {way_out}")


def _is_free(folder: Path) -> bool:
    # A run that ended in its first epoch left its run.toml alone.
    left = (RUN_FILE, LOCK)
    return folder.is_dir() and all(path.name in left for path in folder.iterdir())


def require_study_place(folder: Path) -> None:
    """Refuse a study that could not be searched or written.

    Raises:
        MissingExtraError: Optuna is not installed.
        ConfigError: the folder cannot be written.
    """
    require_extra(("optuna",), TUNE, "tuning")
    require_place(folder, inside=True)


def kept_of_study(folder: Path) -> str:
    """What a search that was stopped leaves, and how it goes on."""
    if not (folder / BEST).is_file():
        return "no trial was finished, so nothing is kept: start it again"
    return f"the trials that were finished are kept in {folder}: the same command goes on"


def kept_of(folder: Path) -> str:
    """What a training that was stopped leaves, and how it goes on."""
    if not (folder / RESUME).is_file():
        if (folder / CONFIG).is_file():
            return f"the run was finished: {folder}"
        return "no epoch was complete, so nothing is kept: start it again"
    try:
        epochs = len((folder / METRICS).read_bytes().splitlines())
    except OSError:  # a kill came between the two files
        epochs = 0
    done = f"{counted(epochs, 'epochs')} of it" if epochs else "what it learned"
    again = f"glint-edge train --config {folder / RUN_FILE} --resume"
    return f"{done} {'is' if epochs < 2 else 'are'} kept in {folder}: {again}"
