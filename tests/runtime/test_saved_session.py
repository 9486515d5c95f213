"""A saved session is the same to the byte on every platform: tests/runtime/session-v1.json."""

import re
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from glint_edge.runtime.session_bytes import pack, unpack
from tests.runtime.saved_session import saved_example

ROOTS = Path(str(resources.files("glint_edge.apps"))) / "platforms"
BEGIN = b"GLINTSES".hex()


def test_python_writes_and_reads_it():
    example = saved_example()
    state = np.array(example.state, np.float32)
    assert pack(example.digest, state, example.history) == example.data
    told = unpack(example.data)
    assert (told.digest, list(told.ids)) == (example.digest, example.history)
    assert np.array_equal(told.state, state)


# Those whose own tests cannot read the file: an app has them, and not this repository.
WITHIN = [
    path.relative_to(ROOTS)
    for path in sorted(ROOTS.rglob("*"))
    if path.suffix in (".cpp", ".kt", ".swift") and BEGIN in path.read_text("utf-8")
]


def test_the_modules_with_tests_of_their_own_are_found():
    assert {path.parts[0] for path in WITHIN} == {"android", "cpp", "ios"}


@pytest.mark.parametrize("path", WITHIN, ids=str)
def test_a_modules_own_tests_hold_it(path):
    example = saved_example()
    source = (ROOTS / path).read_text("utf-8")
    assert example.digest in source
    pieces = r'"\s*\+?\s*"'  # a long text in several, in C++, Kotlin and Swift
    assert example.data.hex() in re.sub(pieces, "", source)
    for number in example.history:
        assert re.search(rf"\b{number}\b", source)
