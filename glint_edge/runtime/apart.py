"""A bundle's recommendations out of a process of their own: `python -m glint_edge.runtime.apart`.

A runtime parses its file in native code: one that is damaged behind a right sha256 may end the
process. So may an application's; but a command line says which bundle it was.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from glint_edge import errors
from glint_edge.errors import BundleError, GlintEdgeError
from glint_edge.processes.child import answer, ask
from glint_edge.runtime.recommendation import Recommendation, Recommendations

SECONDS = 120.0  # a load takes milliseconds, of a catalogue of millions seconds


def recommend_apart(
    bundle: Path,
    history: Sequence[str],
    *,
    k: int | None,
    exclude_seen: bool | None,
    target: str | None,
    window: str | None,
) -> Recommendations:
    """`Recommender.recommend` of a bundle's folder, loaded in a child for this one call.

    Raises:
        BundleError: the child died or never ended.
        GlintEdgeError: what the child refused.
    """
    request = {
        "bundle": str(bundle.absolute()), "history": list(history), "k": k,
        "exclude_seen": exclude_seen, "target": target, "window": window, "shown": str(bundle),
    }  # fmt: skip
    try:
        answer = ask(
            __name__, request, what=f"the process that runs {bundle}", seconds=SECONDS,
            error=BundleError,
        )  # fmt: skip
    except BundleError as error:
        raise BundleError(f"{error}; its artifact may be damaged: export it again") from error
    if "refused" in answer:
        raise _again(*answer["refused"])
    return Recommendations((Recommendation(*one) for one in answer["items"]), title=answer["title"])


def _recommend(request: dict[str, Any]) -> dict[str, Any]:
    from glint_edge.runtime.recommender import Recommender

    # Errors name the bundle as it was asked for, which may be relative to another folder.
    place, shown = request["bundle"], request["shown"]
    try:
        loaded = Recommender.load(place, target=request["target"], window=request["window"])
        items = loaded.recommend(
            request["history"], request["k"], exclude_seen=request["exclude_seen"]
        )
    except GlintEdgeError as error:
        return {"refused": [type(error).__name__, str(error).replace(place, shown)]}
    rows = [[one.key, one.title, one.score, dict(one.fields), one.image] for one in items]
    return {"items": rows, "title": items.title}


def _again(kind: str, message: str) -> GlintEdgeError:
    """The child's error; its message is whole, so that no error's own constructor is called."""
    refusal: type[GlintEdgeError] = getattr(errors, kind, BundleError)
    error = refusal.__new__(refusal)
    Exception.__init__(error, message)
    return error


if __name__ == "__main__":
    sys.exit(answer(_recommend))
