"""Options that several commands share, and what several commands do first."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, cast

import typer

from glint_edge.cli import console
from glint_edge.cli.names import keys, several
from glint_edge.data.options import Reading as Reading
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

_READING, _SPLIT = "Reading the log", "Splitting the log"


def flag(
    kind: Any,  # noqa: ANN401  # any type
    help: str,
    *names: str,
    panel: str = _READING,
    **settings: Any,  # noqa: ANN401  # typer's
) -> Any:  # noqa: ANN401  # an annotation
    """An option of a panel; `kind`: its type, or None."""
    option = typer.Option(*names, help=help, rich_help_panel=panel, show_default=False, **settings)
    return Annotated[kind | None, option]


# A parameter `reading` of a command stands for all of these (`manners.add`). What functions call
# them: `glint_edge.data.options.Reading`.
READING = {
    "user_column": flag(str, "Column of the user."),
    "item_column": flag(str, "Column of the item; in a list, as items.item_id, several a row."),
    "time_column": flag(str, "Column of the time."),
    "session_column": flag(str, "Column of the session, which stands in where the user is "
                            "missing; else such rows are left out."),
    "event_column": flag(str, "Column of the kind of event, for --only and --event."),
    "rating_column": flag(str, "Column of the rating, for --min-rating."),
    "only": flag(list[str], "Kinds of events to keep.", metavar="KIND,…", callback=several),
    "event": flag(str, "How much a target of each kind of event counts in the loss and in the "
                   "figures, as in view=1,cart=2,buy=4; others are left out.", metavar="KIND=N,…"),
    "min_rating": flag(float, "Leave out lower ratings.", metavar="NUMBER"),
    "collapse_repeats": flag(bool, "Take an item several times in a row for once.",
                              "--collapse-repeats/--no-collapse-repeats"),
    "session_gap": flag(str, "Cut a user's items into sessions where so much time passes: 30m, "
                         "2h, 1d.", metavar="TIME"),
    "keep_missing": flag(bool, "Take NULL, nan, NA and the like for keys; else such rows are "
                          "left out.", "--keep-missing/--no-keep-missing"),
    "header": flag(bool, "Whether the first row names the columns; without one they are chosen "
                    "by number, as in --user-column 1.  [default: told from the row]",
                    "--header/--no-header"),
    "format": flag(str, "inter, u.data, ratings.dat, csv, tsv, jsonl, parquet or lines.  "
                    "[default: told from the file]"),
    "k_core": flag(int, "Drop rarer users and items, repeatedly.", min=0, metavar="NUMBER"),
    "min_length": flag(int, "Leave out users with fewer items.  [default: 3, or 2 where the log "
                        "is split by time or by files]", min=1, metavar="NUMBER"),
    "split": flag(
        str, "leave-one-out; time:2024-06-01: what each user did next after it is for the test, "
        "the last tenth before it for validation; time:VALIDATION,TEST; or 0.8,0.1,0.1 of the "
        "interactions in time order.  [default: as the checkpoint says, else leave-one-out]",
        panel=_SPLIT,
    ),
    "validation": flag(Path, "A log of one's own to validate on.", panel=_SPLIT),
    "test": flag(Path, "A log of one's own to test on; without --validation, each user's last "
                  "item of the log is validated on.", panel=_SPLIT),
}  # fmt: skip  # a table


def reading(flags: dict[str, Any]) -> Reading:
    """What the options above say, by the names that functions give them."""
    names = {"event": "weights"}
    return cast(
        Reading, {names.get(n, n.removesuffix("_column")): value for n, value in flags.items()}
    )


# ---- what is shown of the items ------------------------------------------------------------------

_ITEMS = "What is shown of the items"

# A parameter `shown` of a command stands for all of these (`manners.add`).
ITEMS = {
    "items": flag(Path, "A CSV, TSV, JSON or Parquet file with a row an item.",
                   panel=_ITEMS),
    "item_key": flag(str, "Its column of the item's key.  [default: by its name, as sku]",
                      panel=_ITEMS),
    "item_title": flag(str, "Its column of the title.  [default: by its name, as title]",
                        panel=_ITEMS),
    "item_field": flag(list[str], "Its columns that are shown beside the title, such as a "
                        "category; train makes features of them, too.",
                        panel=_ITEMS, metavar="COLUMN,…", callback=keys),
    "item_separator": flag(str, "What stands between several values of a field, as in "
                            "Action|Comedy. Without, a text is one value; a list is several.",
                            panel=_ITEMS, metavar="TEXT"),
    "item_image": flag(str, "Its column of a picture's http or https address, which apps may "
                        "show; of a list, the first.", panel=_ITEMS),
}  # fmt: skip  # a table


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
