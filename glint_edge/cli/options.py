"""Options that several commands share, and what several commands do first."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, TypedDict

import typer

from glint_edge.cli import console
from glint_edge.cli.names import keys, several
from glint_edge.errors import CheckFailed

if TYPE_CHECKING:
    from glint_edge.bundles.bundle import Bundle

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
Runners = Annotated[
    list[str] | None,
    typer.Option("--runner", metavar="NAME,…", callback=several,
                 help="Where to run: python, native, arm64, ssh:HOST, adb[:SERIAL].  "
                 "[default: python]"),
]  # fmt: skip

# ---- how a log is read ---------------------------------------------------------------------------

_PANEL = "Reading the log"
Format = Annotated[
    str | None,
    typer.Option(help="inter, u.data, ratings.dat, csv, tsv, parquet or lines.  [default: told "
                 "from the file]", rich_help_panel=_PANEL)
]  # fmt: skip
KCore = Annotated[
    int | None,
    typer.Option(min=0, help="Drop rarer users and items, repeatedly.", rich_help_panel=_PANEL),
]
UserColumn = Annotated[str | None, typer.Option(help="Column of the user.", rich_help_panel=_PANEL)]
ItemColumn = Annotated[str | None, typer.Option(help="Column of the item.", rich_help_panel=_PANEL)]
TimeColumn = Annotated[str | None, typer.Option(help="Column of the time.", rich_help_panel=_PANEL)]
_SPLIT = "Splitting the log"
SplitBy = Annotated[
    str | None,
    typer.Option("--split",
                 help="leave-one-out; time:2024-06-01: what each user did next after it is for the "
                 "test, the last tenth before it for validation; time:VALIDATION,TEST; or "
                 "0.8,0.1,0.1 of the interactions in time order.  [default: as the checkpoint "
                 "says, else leave-one-out]", rich_help_panel=_SPLIT),
]  # fmt: skip
ValidationFile = Annotated[
    Path | None,
    typer.Option("--validation", help="A log of one's own to validate on.", rich_help_panel=_SPLIT),
]
TestFile = Annotated[
    Path | None,
    typer.Option("--test", help="A log of one's own to test on; without --validation, each user's "
                 "last item of the log is validated on.", rich_help_panel=_SPLIT),
]  # fmt: skip

# A parameter `reading` of a command stands for all of these (`manners.add`).
READING = {
    "user_column": UserColumn,
    "item_column": ItemColumn,
    "time_column": TimeColumn,
    "format": Format,
    "k_core": KCore,
    "split": SplitBy,
    "validation": ValidationFile,
    "test": TestFile,
}


class Reading(TypedDict):
    """How a log is to be read, by the options above; None: as its checkpoint says."""

    user: str | None
    item: str | None
    time: str | None
    format: str | None
    k_core: int | None
    split: str | None
    validation: Path | None
    test: Path | None


def reading(flags: dict[str, Any]) -> Reading:
    """What the options above say, by their names."""
    return Reading(
        user=flags["user_column"], item=flags["item_column"], time=flags["time_column"],
        format=flags["format"], k_core=flags["k_core"], split=flags["split"],
        validation=flags["validation"], test=flags["test"],
    )  # fmt: skip


# ---- what is shown of the items ------------------------------------------------------------------

_ITEMS_PANEL = "What is shown of the items"
ItemsPath = Annotated[
    Path | None,
    typer.Option(help="A CSV, TSV, JSON lines or Parquet file with a row an item.",
                 rich_help_panel=_ITEMS_PANEL),
]  # fmt: skip
ItemKey = Annotated[
    str | None,
    typer.Option(help="Its column of the item's key.  [default: by its name, as sku]",
                 rich_help_panel=_ITEMS_PANEL),
]  # fmt: skip
ItemTitle = Annotated[
    str | None,
    typer.Option(help="Its column of the title.  [default: by its name, as title]",
                 rich_help_panel=_ITEMS_PANEL),
]  # fmt: skip
ItemField = Annotated[
    list[str] | None,
    typer.Option(metavar="COLUMN,…", callback=keys, rich_help_panel=_ITEMS_PANEL,
                 help="Its columns that are shown beside the title, such as a category."),
]  # fmt: skip
ItemImage = Annotated[
    str | None,
    typer.Option(help="Its column of a picture's http or https address, which apps may show.",
                 rich_help_panel=_ITEMS_PANEL),
]  # fmt: skip

# A parameter `shown` of a command stands for all of these (`manners.add`).
ITEMS = {
    "items": ItemsPath,
    "item_key": ItemKey,
    "item_title": ItemTitle,
    "item_field": ItemField,
    "item_image": ItemImage,
}


Items: TypeAlias = dict[str, Any]  # the flags above, by name


def chosen_bundle(path: Path | None) -> Path:
    """A bundle's folder; None: that of the one written last."""
    from glint_edge.cli.last_bundle import last_bundle

    if path is None:
        path = last_bundle()
        console.say(f"the last bundle written: {path}")
    return path


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
