"""`glint-edge bench`, and `bench scale`, `bench diff` and `bench report` beside it."""

from __future__ import annotations

from pathlib import Path

import typer

from glint_edge.cli.commands.bench.diff import diff
from glint_edge.cli.commands.bench.report import report
from glint_edge.cli.commands.bench.run import bench
from glint_edge.cli.commands.bench.scale import scale
from glint_edge.cli.manners import Group, add, group
from glint_edge.errors import ConfigError
from glint_edge.suggestions import near

DEFAULT = "run"


class _RunByDefault(Group):
    """`bench BUNDLE` is `bench run BUNDLE`: what is no sub-command's name is for `run`."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        """Put the default's name before what is for it."""
        if not args or args[0] not in self.commands:
            if (
                args
                and not Path(args[0]).exists()
                and (meant := near(args[0], list(self.commands)))
            ):
                raise ConfigError(
                    f"no bundle and no command {args[0]!r}; did you mean bench {meant[0]}?"
                )
            args = [DEFAULT, *args]
        return super().parse_args(ctx, args)


app = group("Latency, size, parity and accuracy of each artifact.", cls=_RunByDefault)
add(app, bench, "glint-edge bench mine.glint --runner python,native", name=DEFAULT)
add(app, scale, "glint-edge bench scale --items 1000,50000 --widths 64 --targets tflite")
add(app, diff, "glint-edge bench diff old.json new.json")
add(app, report, "glint-edge bench report run.json --html bench.html")
