"""A bundle's lists out of a process of their own: `python -m glint_edge.runtime.apart`.

A runtime parses its file in native code: one that is damaged behind a right sha256 may end the
process. So may an application's; but a command line says which bundle it was.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from glint_edge import errors
from glint_edge.errors import BundleError, GlintEdgeError
from glint_edge.processes.child import answer, ask
from glint_edge.runtime.recommendation import Recommendation, Recommendations

SECONDS = 120.0  # a load takes milliseconds, of a catalogue of millions seconds


def list_apart(
    bundle: Path,
    method: str,
    words: Mapping[str, Any],
    *,
    target: str | None,
    window: str | None = None,
) -> Recommendations:
    """What a method of `Recommender` gives, of a bundle that a child loads for this one call.

    Args:
        bundle: its folder.
        method: "recommend" or "similar".
        words: the method's, as JSON values.
        target: as for `Recommender.load`, and so is the next.
        window: see there.

    Raises:
        BundleError: the child died or never ended.
        GlintEdgeError: what the child refused.
    """
    request = {
        "bundle": str(bundle.absolute()), "shown": str(bundle), "method": method, "words": words,
        "target": target, "window": window,
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
    listed = (Recommendation(*one) for one in answer["items"])
    return Recommendations(listed, title=answer["title"], titles=answer["titles"])


def _list(request: dict[str, Any]) -> dict[str, Any]:
    from glint_edge.runtime.recommender import Recommender

    # Errors name the bundle as it was asked for, which may be relative to another folder.
    place, shown = request["bundle"], request["shown"]
    try:
        loaded = Recommender.load(place, target=request["target"], window=request["window"])
        items = getattr(loaded, request["method"])(**request["words"])
    except GlintEdgeError as error:
        return {"refused": [type(error).__name__, str(error).replace(place, shown)]}
    rows = [
        [one.key, one.title, one.score, dict(one.fields), one.image, one.because] for one in items
    ]
    return {"items": rows, "title": items.title, "titles": items.titles}


def _again(kind: str, message: str) -> GlintEdgeError:
    """The child's error; its message is whole, so that no error's own constructor is called."""
    refusal: type[GlintEdgeError] = getattr(errors, kind, BundleError)
    error = refusal.__new__(refusal)
    Exception.__init__(error, message)
    return error


if __name__ == "__main__":
    sys.exit(answer(_list))
