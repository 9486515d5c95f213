"""One saved session, to the byte: what Python, the web module and the others all write and read."""

import json
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class SavedExample:
    """What tests/runtime/session-v1.json holds.

    Attributes:
        digest: of the bundle, hexadecimal.
        state: floats; the last is not exact in float32.
        history: item ids, oldest first.
        data: the session's bytes.
    """

    digest: str
    state: list[float]
    history: list[int]
    data: bytes


def saved_example():
    values = json.loads((Path(__file__).with_name("session-v1.json")).read_bytes())
    return SavedExample(
        values["digest"], values["state"], values["history"], bytes.fromhex(values["bytes"])
    )
