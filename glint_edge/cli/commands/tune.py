"""`glint-edge tune`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from glint_edge.cli import console, render
from glint_edge.cli.endings import keeping
from glint_edge.cli.lever_flags import with_levers
from glint_edge.cli.names import several
from glint_edge.cli.options import Items, Json, Reading
from glint_edge.levers import Setting
from glint_edge.training.search_space import OF_A_TRIAL, SPACE, USUAL

_USUAL = ", ".join(name.replace("_", "-") for name in USUAL)
_OTHERS = ", ".join(name.replace("_", "-") for name in SPACE if name not in USUAL)


@with_levers(OF_A_TRIAL)
def tune(
    reading: Reading,
    shown: Items,
    data: Annotated[
        str, typer.Option(help="ml-100k, a log of who tapped what when, or what `shard` made.")
    ],
    out: Annotated[Path, typer.Option(help="The study's folder; continues a study that exists.")],
    trials: Annotated[
        int,
        typer.Option(help="Finished trials in the end, those of earlier calls among them. One that "
                     "failed, diverged or was interrupted does not count."),
    ] = 30,
    search: Annotated[
        list[str] | None,
        typer.Option(metavar="LEVER,…", callback=several,
                     help=f"The levers to search; the others are fixed. Of: {_OTHERS}, {_USUAL}.  "
                     f"[default: those from {USUAL[0].replace('_', '-')} on that no flag fixes]"),
    ] = None,
    json: Json = False,
    **levers: Setting,
) -> None:  # fmt: skip
    """Search for good settings of the levers of `train` with Optuna; resumable.

    Prints and writes the command, and a best.toml for `train --config`, of the best trial.
    """
    from glint_edge import api
    from glint_edge.training.run_file import requested
    from glint_edge.training.run_place import kept_of_study, require_study_place

    study = requested(None, {"data": data, "out": out, **shown, **levers}, reading)
    require_study_place(Path(study.out))
    with keeping(lambda: kept_of_study(out)):
        log = study.read()
        console.say(render.data(log))
        results = api.tune(
            log, out, trials=trials, search=search, items=study.items,
            on_trial=lambda result: console.say(render.trial(result)), **study.levers,
        )  # fmt: skip
    if json:
        console.show_json({"study": str(out), "trials": [vars(result) for result in results]})
    else:
        console.show(render.trials(out, results))
        console.show(results[0].command)
