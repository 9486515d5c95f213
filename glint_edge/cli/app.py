"""The command line: every command, and `main`, which turns errors into a line and an exit code.

Each command parses, calls one function of `glint_edge.api` and prints what it gives. It imports
what it needs when it runs, so that `--help` is quick.
"""

from __future__ import annotations

import logging
import sys
from contextlib import suppress
from importlib import metadata
from typing import Annotated

import typer

from glint_edge.cli import console
from glint_edge.cli.commands.bench import app as bench
from glint_edge.cli.commands.catalogue import app as catalogue
from glint_edge.cli.commands.device import app as device
from glint_edge.cli.commands.doctor import doctor
from glint_edge.cli.commands.embed import embed
from glint_edge.cli.commands.evaluate import evaluate
from glint_edge.cli.commands.export import export
from glint_edge.cli.commands.hub import pull, push
from glint_edge.cli.commands.import_ import import_
from glint_edge.cli.commands.inspect import inspect
from glint_edge.cli.commands.publish import publish
from glint_edge.cli.commands.recommend import recommend, similar
from glint_edge.cli.commands.shard import shard
from glint_edge.cli.commands.train import train
from glint_edge.cli.commands.tune import tune
from glint_edge.cli.endings import noted
from glint_edge.cli.manners import Interrupted, add, group
from glint_edge.cli.signals import Stopped, stopped_by_signals
from glint_edge.cli.streams import command_streams
from glint_edge.errors import GlintEdgeError
from glint_edge.refusals import refusal

log = logging.getLogger("glint_edge")

app = group(
    "Put a sequential recommender on a phone: train GLINT-RU, quantize it to int8, export it as a "
    "stream, prove it on the device's runtime.",
    root=True,
)


def _version(on: bool) -> None:
    if on:
        console.show(f"glint-edge {metadata.version('glint-edge')}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    pass


DATA, EXPORT, APP, CHECK = "Data and training", "Export", "App", "Check"

add(app, train, "glint-edge train --data taps.csv --out runs/mine", panel=DATA)
add(
    app, import_, "glint-edge import GLINTRU.pth --items items.txt --out runs/theirs",
    name="import", panel=DATA,
)  # fmt: skip
add(app, evaluate, "glint-edge evaluate runs/mine --slices --plot slices.png", panel=DATA)
add(app, tune, "glint-edge tune --data taps.csv --out studies/mine --trials 30", panel=DATA)
add(app, shard, "glint-edge shard interactions/ --out shards/ --parts 64", panel=DATA)
add(app, push, "glint-edge push runs/mine OWNER/NAME", panel=DATA)
add(app, pull, "glint-edge pull OWNER/NAME --out runs/theirs", panel=DATA)

add(app, export, "glint-edge export runs/mine --target onnx,tflite --out mine.glint", panel=EXPORT)
app.add_typer(catalogue, name="catalogue", rich_help_panel=EXPORT)

add(app, embed, "glint-edge embed mine.glint --platform web --out my-web", panel=APP)
add(app, publish, "glint-edge publish mine.glint --out public/recommender", panel=APP)
add(app, recommend, 'glint-edge recommend mine.glint 50 181 "Alien (1979)" -k 5', panel=APP)
add(app, similar, 'glint-edge similar mine.glint "Alien (1979)"', panel=APP)

app.add_typer(bench, name="bench", rich_help_panel=CHECK)
add(app, inspect, "glint-edge inspect mine.glint", panel=CHECK)
app.add_typer(device, name="device", rich_help_panel=CHECK)
add(app, doctor, "glint-edge doctor", panel=CHECK)


def main() -> None:
    """Run the command line; a known error is one line and its exit code."""
    handler = console.ConsoleHandler()
    handler.setFormatter(logging.Formatter("%(message)s"))
    log.handlers = [handler]
    log.setLevel(logging.INFO)
    try:
        with command_streams(), stopped_by_signals():
            app(prog_name="glint-edge")
    except GlintEdgeError as error:
        _fail(error, str(error), error.exit_code)
    except OSError as error:
        _fail(error, refusal(error), 2)
    except (Interrupted, KeyboardInterrupt) as error:
        _fail(error, noted("stopped", error), 130)
    except Stopped as error:
        _fail(error, noted(str(error), error), error.exit_code)


def _fail(error: BaseException, message: str, code: int) -> None:
    log.debug("the whole story:", exc_info=error)
    with suppress(OSError):  # of a full disk that stderr is a file of
        console.fail(message)
    sys.exit(code)
