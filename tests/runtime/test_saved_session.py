"""A saved session is the same to the byte on every platform (session-v1.json), and goes on."""

import re
import struct
import zlib
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glint_edge.errors import SessionError
from glint_edge.runtime.session_bytes import pack, unpack
from tests.runtime.saved_session import saved_example
from tests.runtime.windowed import ITEMS, KEYS, N, keys

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


@pytest.mark.slow
@settings(max_examples=15, deadline=None)
@given(history=keys, more=st.sampled_from(KEYS))
def test_a_session_resumes_where_it_was_saved(recommender, history, more):
    session = recommender.start(history)
    resumed = recommender.resume(session.save())
    assert resumed.save() == session.save()
    for one in (session, resumed):
        one.append(more)
    # All that can count: the last N, and before them each other item once, as seen.
    assert resumed.history[-N:] == [*history, more][-N:]
    assert set(resumed.history) == {*history, more}
    assert resumed.top(12) == session.top(12)


def test_the_bytes_are_laid_out_as_documented():
    state, ids = np.array([1.5, -2.0, 0.25], np.float32), [3, 1, 2**31 - 1]
    digest = bytes(range(32))
    body = b"GLINTSES" + struct.pack("<II", 1, 3) + digest + struct.pack("<I3f3i", 3, *state, *ids)
    assert pack(digest.hex(), state, ids) == body + struct.pack("<I", zlib.crc32(body))
    told = unpack(pack(digest.hex(), state, ids))
    assert (told.digest, told.ids) == (digest.hex(), tuple(ids))
    assert np.array_equal(told.state, state)


@pytest.mark.slow
def test_every_flipped_byte_of_a_session_is_seen(recommender):
    saved = recommender.start(["k1", "k9"]).save()
    for place in {*range(60), *range(60, len(saved), 97), len(saved) - 1}:
        broken = bytearray(saved)
        broken[place] ^= 1
        with pytest.raises(SessionError, match="start one from the history"):
            recommender.resume(bytes(broken))


@pytest.mark.slow
@pytest.mark.parametrize("kept", [0, 4, 8, 30, 55, -1, -4])
def test_every_cut_of_a_session_is_seen(recommender, kept):
    saved = recommender.start(["k1", "k9"]).save()
    with pytest.raises(SessionError, match="start one from the history"):
        recommender.resume(saved[:kept])


@pytest.mark.slow
def test_a_session_of_another_bundle_or_format_is_refused(recommender):
    digest = recommender.bundle.digest
    state = recommender.empty()[0]
    with pytest.raises(SessionError, match="with another bundle"):
        recommender.resume(pack("00" * 32, state, [1]))
    for wrong in (pack(digest, state[:-1], [1]), pack(digest, state, [0]),
                  pack(digest, state, [ITEMS + 1]), pack(digest, state, [-1])):  # fmt: skip
        with pytest.raises(SessionError, match="damaged"):
            recommender.resume(wrong)
    later = bytearray(pack(digest, state, [1]))
    later[8] = 2
    with pytest.raises(SessionError, match="format 2, this glint-edge reads 1; upgrade"):
        recommender.resume(bytes(later))
