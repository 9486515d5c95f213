"""What people see: tables on stdout, progress and messages on stderr. The only module that prints.

Programs ask for `--json` and get exactly one JSON object on stdout.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from json import dumps
from typing import Any

from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.segment import Segment
from rich.spinner import Spinner
from rich.table import Column
from rich.text import Text

from glint_edge.cli.streams import reader_left
from glint_edge.tables import CONTROLS, plain


class _Output(Console):
    """Shows what is told to it to the letter: a title's escape sequences reach no terminal."""

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """The segments, with what would steer a terminal escaped; rich's own are not text."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(plain(segment.text), segment.style)

    def on_broken_pipe(self) -> None:
        """Nobody reads on."""
        reader_left(self)


# Titles are shown as they are: `:heart:` is part of one.
out = _Output(emoji=False)
err = _Output(stderr=True, emoji=False)


class ConsoleHandler(logging.Handler):
    """Log records as lines on stderr, above a running progress bar."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print one record."""
        style = "yellow" if record.levelno >= logging.WARNING else "dim"
        err.print(Text(self.format(record), style=style), soft_wrap=True)


def quiet(on: bool) -> None:
    """Print nothing but errors: of several processes one speaks."""
    out.quiet = on
    err.quiet = on


def say(message: str) -> None:
    """One line for people, on stderr."""
    err.print(escape(message), highlight=False, soft_wrap=True)


def fail(message: str) -> None:
    """The one line of an error."""
    err.quiet = False
    err.print(Text.assemble(("error: ", "bold red"), " ".join(message.split())), soft_wrap=True)


def show(value: RenderableType) -> None:
    """A table or a line of the result, on stdout.

    Lines are left to the terminal to break, so that a long path can be copied in one piece.
    """
    if isinstance(value, str):
        out.print(escape(value), highlight=False, soft_wrap=True)
    else:
        out.print(value)


def show_result(value: Mapping[str, Any], table: RenderableType, *, json: bool) -> None:
    """A command's result on stdout: the value for programs, or the table for people."""
    if json:
        show_json(value)
    else:
        show(table)


def show_json(value: Mapping[str, Any]) -> None:
    """The result for programs, on stdout."""
    # Where the terminal's encoding lacks letters, JSON has its own way to write them.
    escaped = not out.encoding.startswith("utf")
    text = CONTROLS.sub(lambda one: f"\\u{ord(one[0]):04x}", dumps(value, ensure_ascii=escaped))
    out.out(text, highlight=False)


def show_text(text: str) -> None:
    """The result as it is, on stdout."""
    out.out(plain(text), highlight=False, end="")


class _TrainingTimeLeft(ProgressColumn):
    """Time until the last epoch, should no early stop come before."""

    def render(self, task: Task) -> Text:
        left = task.time_remaining
        if left is None:
            return Text("at most -:-- left")
        minutes, seconds = divmod(int(left), 60)
        return Text(f"at most {minutes}:{seconds:02d} left")


def _moves() -> bool:
    """Whether a bar can be drawn over: in a terminal, and in a notebook that has widgets."""
    return err.is_terminal or (err.is_jupyter and find_spec("ipywidgets") is not None)


@contextmanager
def training_bar() -> Iterator[Any]:
    """A bar over a whole training run; yields the `on_progress` that `train` takes.

    Without a terminal a line an epoch is printed instead.
    """
    last_printed = 0
    with Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=None),  # what is left of the line
        MofNCompleteColumn(table_column=Column(no_wrap=True)),
        TextColumn("{task.fields[figures]}", markup=False),
        _TrainingTimeLeft(table_column=Column(no_wrap=True)),
        console=err,
        disable=not _moves(),
    ) as progress:
        task = progress.add_task("training", total=None, figures="")

        def on_progress(state: Any) -> None:  # noqa: ANN401  # train.Progress; torch stays unimported
            nonlocal last_printed
            last, epochs = state.last, state.epochs
            best = f" · NDCG@10 {last.validation_ndcg_at_10:.4f}" if last else ""
            progress.update(
                task,
                total=epochs * state.batches,
                completed=(state.epoch - 1) * state.batches + state.batch,
                description=f"epoch {state.epoch}/{epochs}",
                figures=f"loss {state.loss:.3f}{best}",
            )
            if last and not _moves() and last.epoch > last_printed:
                last_printed = last.epoch
                say(
                    f"epoch {last.epoch}/{epochs}: loss {last.loss:.3f}, validation NDCG@10 "
                    f"{last.validation_ndcg_at_10:.4f} (best in epoch {last.best_epoch}), "
                    f"{last.seconds:.1f} s"
                )

        yield on_progress


@contextmanager
def users_bar() -> Iterator[Any]:
    """A bar over the users of a log; yields the `on_users` that `recommend_all` takes."""
    with Progress(
        TextColumn("lists of users"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=err,
        disable=not _moves(),
        transient=True,
    ) as progress:
        task = progress.add_task("", total=None)

        def on_users(done: int, users: int) -> None:
            progress.update(task, total=users, completed=done)

        yield on_users


@contextmanager
def steps() -> Iterator[Any]:
    """A spinner with the current step; yields the function that names it.

    A line stays of each step that is done; without a terminal, of each that begins.
    """
    current, since = "", time.monotonic()

    def done() -> None:
        if current and _moves():
            say(f"{current}: {time.monotonic() - since:.0f} s")

    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        TimeElapsedColumn(),
        console=err,
        disable=not _moves(),
        transient=True,
    ) as progress:
        task = progress.add_task("", total=None)

        def on_step(step: str) -> None:
            nonlocal current, since
            done()
            current, since = step, time.monotonic()
            progress.update(task, description=step)
            if not _moves():
                say(f"{step} …")

        yield on_step
        done()


class LiveResult:
    """A result that grows under the eyes of whoever waits, and the step being done below it."""

    def __init__(self, display: Live) -> None:
        self._display = display
        self._result: RenderableType = ""

    def on_step(self, step: str) -> None:
        """Name what is being done; without a terminal, as a line."""
        if not err.is_terminal:
            say(f"{step} …")
        self._display.update(Group(self._result, Spinner("dots", Text(step))), refresh=True)

    def show(self, result: RenderableType) -> None:
        """Put a newer result in place of the last."""
        self._result = result


@contextmanager
def live() -> Iterator[LiveResult]:
    """What is done and what is known so far, on stderr, gone in the end."""
    with Live(console=err, transient=True, auto_refresh=err.is_terminal) as display:
        yield LiveResult(display)
