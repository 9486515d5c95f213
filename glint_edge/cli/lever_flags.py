"""A flag for each lever of training, of the lever's one declaration."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Annotated, Any

import typer

from glint_edge.config import LEVERS
from glint_edge.levers import Lever, Setting


def with_levers(
    defaults: Mapping[str, Setting] | None = None,
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command whose last parameter is `**levers` a flag for each of them.

    The command gets those alone that were typed: so a flag comes before a file even where it says
    what the default is.

    Args:
        defaults: those that the command has in place of the levers' own, to be shown.
    """

    def extend(command: Callable[..., None]) -> Callable[..., None]:
        @wraps(command)
        def with_flags(**values: Any) -> None:  # noqa: ANN401  # the parameters of any command
            untyped = {name for name in LEVERS if values[name] is None}
            command(**{name: value for name, value in values.items() if name not in untyped})

        signature = inspect.signature(command, eval_str=True)
        own = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
        shown = {name: lever.default for name, lever in LEVERS.items()} | dict(defaults or {})
        flags = [_flag(lever, shown[name]) for name, lever in LEVERS.items()]
        everything = [p.replace(kind=p.KEYWORD_ONLY) for p in own] + flags
        with_flags.__signature__ = signature.replace(parameters=everything)  # type: ignore[attr-defined]
        with_flags.__annotations__ = {p.name: p.annotation for p in everything}
        return with_flags

    return extend


def _flag(lever: Lever, default: Setting | None) -> inspect.Parameter:
    names = [f"--{name}" for name in (lever.flag, lever.also) if name]
    if lever.kind is bool:
        names = [f"--{lever.flag}/--no-{lever.flag}"]
        default = lever.flag if default else f"no-{lever.flag}"
    possible = "" if lever.kind is bool else f"{lever.range}; "
    option = typer.Option(
        *names,
        help=f"{lever.help}  [{possible}default: {default}]",
        rich_help_panel=lever.panel,
        autocompletion=(lambda: list(lever.choices)) if lever.choices else None,
    )
    return inspect.Parameter(
        lever.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[lever.kind | None, option],
    )
