"""Options that several commands share, and what several commands do first."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from glint_edge.cli import console
from glint_edge.errors import CheckFailed

if TYPE_CHECKING:
    from glint_edge.bundles.bundle import Bundle
    from glint_edge.checkpoints.checkpoint import Checkpoint
    from glint_edge.data.sequences import HeldOut
    from glint_edge.data.source import LoadOptions

log = logging.getLogger("glint_edge")


def _verbose(on: bool) -> None:
    if on:
        log.setLevel(logging.DEBUG)


Verbose = Annotated[
    bool, typer.Option("--verbose", help="Show details, and the traceback of an error.",
                       callback=_verbose)
]  # fmt: skip
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object for programs.")]
Offline = Annotated[bool, typer.Option("--offline", help="Never fetch data.")]
Threads = Annotated[int, typer.Option(min=1, help="CPU threads of each runtime.")]
CheckpointArgument = Annotated[
    Path | None, typer.Argument(help="A folder that `train` wrote.  [default: the shipped one]")
]
BundleArgument = Annotated[
    Path | None, typer.Argument(help="A NAME.glint folder.  [default: the one written last]")
]
DataOption = Annotated[
    str | None,
    typer.Option(help="ml-100k or a log file.  [default: what the model was trained on]"),
]
Format = Annotated[
    str | None,
    typer.Option(help="inter, u.data, ratings.dat, csv, tsv, parquet or lines.  [default: told "
                 "from the file]")
]  # fmt: skip
KCore = Annotated[int, typer.Option(min=0, help="Drop rarer users and items, repeatedly.")]
UserColumn = Annotated[str | None, typer.Option(help="Column of the user.")]
ItemColumn = Annotated[str | None, typer.Option(help="Column of the item.")]
TimeColumn = Annotated[str | None, typer.Option(help="Column of the time.")]


def load_options(
    user: str | None, item: str | None, time: str | None, format: str | None, k_core: int
) -> LoadOptions:
    """How a log is to be read, from the options above."""
    from glint_edge.data.columns import Columns
    from glint_edge.data.source import LoadOptions

    return LoadOptions(Columns(user=user, item=item, time=time), format, k_core)


def held_out_of(floats: Checkpoint | None, data: str | None, *, offline: bool) -> HeldOut | None:
    """Test items in the model's ids; None, having said so, if there is no model."""
    from glint_edge.data.source import find_test_items

    if floats is None:
        console.say("the float model is not at hand: no parity, no accuracy; pass --checkpoint")
        return None
    return find_test_items(floats.data, floats.catalogue, data, offline=offline)


def open_bundle(path: Path | None) -> Bundle:
    """A bundle; None: the one written last."""
    from glint_edge.bundles.bundle import load_bundle
    from glint_edge.cli.last_bundle import last_bundle

    if path is None:
        path = last_bundle()
        console.say(f"the last bundle written: {path}")
    return load_bundle(path)


def require_good(bundle: Bundle) -> None:
    """Say which of a bundle's files are out of tolerance.

    Raises:
        CheckFailed: one is.
    """
    failures = [
        f"{check['target']} {check['precision']}: {failure}"
        for check in bundle.manifest["checks"]
        for failure in check["failures"]
    ]
    if failures:
        raise CheckFailed(f"{bundle.path} is written and marked as not good: {'; '.join(failures)}")
