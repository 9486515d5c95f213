"""`glint-edge train`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from glint_edge.cli import console, render
from glint_edge.cli.endings import keeping
from glint_edge.cli.lever_flags import with_levers
from glint_edge.cli.options import Items, Json, Reading
from glint_edge.levers import Setting


@with_levers()
def train(
    reading: Reading,
    shown: Items,
    data: Annotated[
        str | None,
        typer.Option(help="ml-100k, a log of who tapped what when, or a folder that `shard` made.  "
                     "[required, here or in --config]"),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="The run's folder.  [required, here or in --config]")
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(help="A run.toml: what it says, where no flag says otherwise. Every run "
                     "writes one into its folder."),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the run in --out.")] = False,
    device: Annotated[
        str | None, typer.Option(help="cpu, or cuda: one GPU a process.  [default: cpu]")
    ] = None,
    json: Json = False,
    **levers: Setting,
) -> None:  # fmt: skip
    """Train GLINT-RU on a log, with early stopping; writes a checkpoint folder."""
    from glint_edge import api
    from glint_edge.processes.distributed import joined
    from glint_edge.training.run_file import requested
    from glint_edge.training.run_place import kept_of

    flags = {"data": data, "out": out, "device": device, **shown, **levers}
    run = requested(config, flags, reading)
    with keeping(lambda: kept_of(Path(run.out))), joined() as group:
        console.quiet(group.rank > 0)
        run.require_place(resume=resume)
        log = run.read()
        console.say(render.data(log))
        with console.training_bar() as on_progress:
            checkpoint = api.train(
                log, run.out, items=run.items, resume=resume, device=run.device,
                on_progress=on_progress, **run.levers,
            )  # fmt: skip
    if json:
        console.show_json(checkpoint.metrics)
    else:
        console.show(render.trained(run.out, checkpoint))
