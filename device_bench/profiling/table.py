"""A profile for the terminal: what kinds of operators each method's time goes to."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from device_bench.profiling.profile import Kind, Method, Profile
from glint_edge.tables import Table, columns, counted

TOP = 8  # rows a method; the others are one row
NAME, BAR = 34, 12  # at most; the table is then 80 characters wide at most
EIGHTHS = " ▏▎▍▌▋▊▉█"
HEADER = ("operators", "calls", "µs", "share", "")


def render_profile(title: str, profile: Profile, *, top: int = TOP) -> RenderableType:
    """A table a method, and what its figures hold.

    Args:
        title: of the artifact, such as "executorch int8".
        profile: of it.
        top: kinds of operators a method.
    """
    return Group(
        Text(f"{title}: where a call's time goes", style="bold"),
        *(_of_method(method, top) for method in profile.methods),
        Text(f"{profile.runtime}: {profile.note}", style="dim"),
    )


def heading(method: Method) -> str:
    """A method's times: "append: 7.1 µs, 4.5 in operators (profiled: 123.4)"."""
    times = f"{method.name}: {method.method_us:,.1f} µs"
    if method.profiled_us is None:
        return times
    return f"{times}, {method.operators_us:,.1f} in operators (profiled: {method.profiled_us:,.1f})"


def short(provider: str) -> str:
    """`CPUExecutionProvider` as "CPU"; others as they are."""
    return provider.removesuffix("ExecutionProvider")


def _of_method(method: Method, top: int) -> Table | Text:
    if not method.operators:
        return Text(heading(method))
    kinds = method.kinds()
    rows = [(_name(kind), str(kind.calls), kind.us, kind.share) for kind in kinds[:top]]
    if others := kinds[top:]:
        calls = sum(kind.calls for kind in others)
        us, share = sum(kind.us for kind in others), sum(kind.share for kind in others)
        rows.append((counted(len(others), "other kinds"), str(calls), us, share))
    rest = method.rest_us / method.whole_us
    rows.append(("in no operator", "", method.rest_us, rest))
    most = max(share for *_, share in rows)
    return columns(
        heading(method),
        HEADER,
        [
            (name, calls, f"{us:,.1f}", f"{share:.0%}", _bar(share / most))
            for name, calls, us, share in rows
        ],
    )


def _name(kind: Kind) -> str:
    name = f"{short(kind.provider)}: {kind.name}"
    return name if len(name) <= NAME else name[: NAME - 1] + "…"


def _bar(share: float) -> str:
    full, part = divmod(round(share * BAR * 8), 8)
    return "█" * full + EIGHTHS[part].strip()
