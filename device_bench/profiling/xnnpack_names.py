"""What XNNPACK calls its operators: "Fully Connected (NC, QDU8, F32, QC8W) GEMM #2"."""

from __future__ import annotations

import re

_NAME = re.compile(r"(?P<what>[^(]*?) \((?P<types>[^)]*)\)")


def kind_of(name: str) -> str:
    """What an operator does, and "int8" if it does so in integers: "Fully Connected int8".

    A name of another form is a kind of its own, without the number it may end in.
    """
    match = _NAME.match(name)
    if not match:
        return re.sub(r" #\d+$", "", name)
    integers = any(part.startswith("Q") for part in match["types"].split(", "))
    return match["what"] + (" int8" if integers else "")
