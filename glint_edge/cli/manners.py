"""How every command behaves: `-h`, an example in its help, `--verbose`, flags without a type."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from typing import Any, TypeAlias

import typer
from typer.core import TyperCommand, TyperGroup

from glint_edge.cli.filter_flags import FILTERS, filters
from glint_edge.cli.options import ITEMS, READING, Verbose, reading
from glint_edge.cli.streams import BROKEN_PIPE

Function: TypeAlias = Callable[..., None]

HELP = {"help_option_names": ["--help", "-h"]}  # the first is the one that errors name


class Command(TyperCommand):
    """A command whose help shows no type beside a flag."""

    def get_params(self, ctx: typer.Context) -> list[Any]:  # type: ignore[override]
        """The parameters, `--help` among them."""
        return _plain(super().get_params(ctx))


class Interrupted(BaseException):
    """Ctrl-C; of `KeyboardInterrupt` typer makes an exit without a word.

    Its notes are those of that.
    """

    def __init__(self, *notes: str) -> None:
        super().__init__()
        for note in notes:
            self.add_note(note)


@contextmanager
def _own_endings() -> Iterator[None]:
    """Of two things that typer ends a program for, what this command line makes."""
    try:
        yield
    except KeyboardInterrupt as error:
        raise Interrupted(*getattr(error, "__notes__", ())) from error
    except BrokenPipeError as error:
        raise SystemExit(BROKEN_PIPE) from error


class Group(TyperGroup):
    """A group of commands whose help shows no type beside a flag."""

    def make_context(self, *args: Any, **kwargs: Any) -> typer.Context:  # noqa: ANN401  # typer's
        """Parse; help is shown here."""
        with _own_endings():
            return super().make_context(*args, **kwargs)  # type: ignore[return-value]

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]  # noqa: ANN401  # a command's
        """Run a command."""
        with _own_endings():
            return super().invoke(ctx)

    def get_params(self, ctx: typer.Context) -> list[Any]:  # type: ignore[override]
        """The parameters, `--help` among them."""
        return _plain(super().get_params(ctx))


def _plain(parameters: Iterable[Any]) -> list[Any]:
    parameters = list(parameters)
    for parameter in parameters:
        if getattr(parameter, "is_flag", False):
            parameter.metavar = ""
    return parameters


def group(help: str, *, cls: type[Group] = Group, root: bool = False) -> typer.Typer:
    """A group of commands; `root`: of all of them."""
    return typer.Typer(
        cls=cls,
        help=help,
        no_args_is_help=True,
        add_completion=root,
        context_settings=HELP,
        pretty_exceptions_enable=False,
        rich_markup_mode="markdown",
    )


def add(
    app: typer.Typer,
    function: Function,
    example: str,
    *,
    name: str | None = None,
    panel: str | None = None,
) -> None:
    """Make a function a command.

    Args:
        app: the group that it joins.
        function: its parameters are the command's; a parameter `reading` stands for the flags that
            say how a log is read, and takes what they say; a parameter `filters`, for those that
            say what may stand in a list, and takes the filter's words; a parameter `shown`, for
            those that say what is shown of the items, which it takes by their names.
        example: a command line, for the help.
        name: the command's; None: the function's.
        panel: of the group's help.
    """
    command = app.command(name, cls=Command, epilog=f"Example: `{example}`", rich_help_panel=panel)
    command(_with_shared_flags(function))


# By parameter of a function, the flags that it stands for, and what becomes of what they say.
SHARED: Mapping[str, tuple[Mapping[str, Any], Callable[[dict[str, Any]], Any]]] = {
    "filters": (FILTERS, filters),
    "reading": (READING, reading),
    "shown": (ITEMS, dict),
}


def _with_shared_flags(function: Function) -> Function:
    signature = inspect.signature(function, eval_str=True)
    taken = {name: SHARED[name] for name in SHARED if name in signature.parameters}
    parameters = [
        parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for name, parameter in signature.parameters.items()
        if name not in taken
    ]
    shared = {name: each for flags, _ in taken.values() for name, each in flags.items()}
    parameters += [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=False if name == "verbose" else None,
            annotation=annotation,
        )
        for name, annotation in {**shared, "verbose": Verbose}.items()
    ]

    @wraps(function)
    def command(**values: Any) -> None:  # noqa: ANN401  # the parameters of any command
        del values["verbose"]  # its callback has done what it asks for
        for parameter, (flags, made_of) in taken.items():
            values[parameter] = made_of({name: values.pop(name) for name in flags})
        function(**values)

    command.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    return command
