"""`glint-edge recommend` and `glint-edge similar`: what a bundle or a checkpoint lists."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from glint_edge.cli import console
from glint_edge.cli.endings import keeping, unwritten
from glint_edge.cli.filter_flags import Filters, read_keys
from glint_edge.cli.model_words import Model, open_model
from glint_edge.cli.names import keys
from glint_edge.cli.options import Json, Reading
from glint_edge.errors import ConfigError
from glint_edge.tables import counted

Words = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[BUNDLE] KEY",
        help="Items' keys or titles, oldest first. A NAME.glint or a checkpoint's folder among "
        "them is what is asked.  [default: the bundle written last]",
    ),
]
Asked = Annotated[
    Path | None, typer.Option("--bundle", help="What is asked, said apart from the keys.")
]
K = Annotated[int, typer.Option("-k", min=1, help="Items of a list.", metavar="NUMBER")]
TargetOption = Annotated[
    str | None,
    typer.Option(
        help="Whose artifact: c, onnx, tflite or executorch.  "
        "[default: the lightest that is here and can be run]"
    ),
]
ShowFields = Annotated[
    bool, typer.Option("--show-fields", help="Also what else the bundle tells of an item.")
]


def recommend(
    reading: Reading,
    filters: Filters,
    words: Words = None,
    history: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY,…",
            callback=keys,
            help="The keys for scripts. A key with a comma stands in quotes: "
            """'"Alien, 1979",50'; or the option is given several times, each with one key.""",
        ),
    ] = None,
    history_file: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="The keys from a file, one a line or a JSON list; - is stdin."
        ),
    ] = None,
    bundle: Asked = None,
    k: K = 10,
    exclude_seen: Annotated[
        bool | None,
        typer.Option(
            "--exclude-seen/--include-seen",
            help="Leave out the history's own items, or list them too.  [default: all are left out "
            "where nobody takes an item again in the log, else the last one alone]",
        ),
    ] = None,
    neighbours: Annotated[
        bool | None,
        typer.Option(
            "--neighbours/--no-neighbours",
            help="Whether items that stand near the last ones in the log gain by it, or the model "
            "lists alone.  [default: they gain, where the bundle knows of neighbours]",
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(help="A log: the lists of each of its users are written to --out."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="With --data: a .parquet, .csv or .jsonl file.")
    ] = None,
    target: TargetOption = None,
    window: Annotated[
        str | None,
        typer.Option(
            help="Of a history longer than the model's: sliding keeps its last items, unbounded "
            "all.  [default: what the bundle was exported for]"
        ),
    ] = None,
    show_fields: ShowFields = False,
    json: Json = False,
) -> None:
    """What comes next after a history, or for every user of a log."""
    from glint_edge import api

    model = open_model(words or (), bundle)
    model.require_values(filters)
    if data is not None or out is not None:
        _require_log_alone(data, out, model, history, history_file)
        with keeping(lambda: unwritten(out)), console.users_bar() as on_users:
            file = api.recommend_all(
                model.source, data, out or "", k=k, exclude_seen=exclude_seen,
                neighbours=neighbours, target=target, window=window, on_users=on_users, **filters,
                **reading,
            )  # fmt: skip
        text = f"{file.path}: {counted(file.rows, 'items')} for {counted(file.users, 'users')}"
        console.show_result(file.to_dict(), text, json=json)
        return
    items = api.recommend(
        model.source, _history(model, history, history_file), k=k, exclude_seen=exclude_seen,
        neighbours=neighbours, target=target, window=window, **filters,
    )  # fmt: skip
    listed = [one.to_dict() for one in items]
    console.show_result({"items": listed}, items.table(fields=show_fields), json=json)


def similar(
    filters: Filters,
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="[BUNDLE] KEY",
            help="The item's key or title; a NAME.glint or a checkpoint's folder beside it is what "
            "is asked.  [default: the bundle written last]",
        ),
    ],
    bundle: Asked = None,
    k: K = 10,
    target: TargetOption = None,
    show_fields: ShowFields = False,
    json: Json = False,
) -> None:
    """The items most like one: "more like this"."""
    from glint_edge import api

    model = open_model(words, bundle)
    if len(model.words) != 1:
        raise ConfigError(
            f"similar takes one item, not {len(model.words)}; put a title in quotes, as in "
            'glint-edge similar "Star Wars (1977)"'
        )
    model.require_values(filters)
    (key,) = model.keys()
    items = api.similar(model.source, key, k=k, target=target, **filters)
    listed = [one.to_dict() for one in items]
    console.show_result({"items": listed}, items.table(fields=show_fields), json=json)


def _history(model: Model, history: list[str] | None, file: str | None) -> list[str]:
    """The keys, however they came.

    Raises:
        ConfigError: they came in two ways.
    """
    ways = (history is not None, file is not None, bool(model.words))
    if sum(ways) > 1:
        raise ConfigError(
            "the history comes in several ways; keep one of KEY …, --history and --history-file"
        )
    if file is not None:
        return read_keys("history-file", file)
    return model.keys() if history is None else history


def _require_log_alone(
    data: str | None, out: Path | None, model: Model, history: list[str] | None, file: str | None
) -> None:
    if data is None or out is None:
        there, lacks = ("--data", "--out") if out is None else ("--out", "--data")
        raise ConfigError(f"{there} goes with {lacks}: glint-edge recommend --data taps.csv "
                          "--out lists.parquet")  # fmt: skip
    if model.words or history is not None or file is not None:
        raise ConfigError("--data brings the histories; leave out KEY …, --history, --history-file")
