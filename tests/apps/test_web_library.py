"""The web module's library, called from a page with both engines."""

import struct
import zlib

import numpy as np
import pytest

from tests.runtime.saved_session import saved_example

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def bundle(web_app):
    return web_app.bundle


def test_items_have_the_fields_and_pictures_of_the_file(library):
    """As every platform shows them: `tests/cli/commands/test_items.py` in Python."""
    items = library.evaluate(
        """() => new Catalogue({
            keys: ['a', 7, '__proto__'],
            titles: { a: 'A' },
            fields: { kind: { a: 'Book', 7: 'Film' }, brand: { a: 'Acme' } },
            images: { 7: 'https://cdn.example/7.png' },
        }).items"""
    )
    assert items == [
        {"key": "a", "title": "A", "fields": {"kind": "Book", "brand": "Acme"}, "image": None},
        {"key": "7", "title": None, "fields": {"kind": "Film"},
         "image": "https://cdn.example/7.png"},
        {"key": "__proto__", "title": None, "fields": {}, "image": None},
    ]  # fmt: skip


def session_bytes(bundle, state, ids, *, digest=None, magic=b"GLINTSES", version=1):
    """A saved session by the documented layout, written here anew."""
    digest = bytes.fromhex(digest or bundle.manifest["digest"])
    body = magic + struct.pack("<II", version, len(ids)) + digest + struct.pack("<I", len(state))
    body += struct.pack(f"<{len(state)}f", *state) + struct.pack(f"<{len(ids)}i", *ids)
    return [*body, *struct.pack("<I", zlib.crc32(body))]


def test_a_saved_session_has_the_documented_bytes_and_resumes(library, bundle, target):
    keys = list(bundle.catalogue.keys[1:6])
    saved, before, after, state = library.evaluate(
        """async ([target, keys]) => {
            const session = await loaded[target].start(keys), bytes = session.save();
            const again = loaded[target].resume(bytes);
            await session.append(keys[0]); await again.append(keys[0]);
            const state = await loaded[target].stream.encode([1, 2, 3, 4, 5]);
            return [[...bytes], await session.top(50), await again.top(50), [...state]];
        }""",
        [target, keys],
    )
    assert saved == session_bytes(bundle, state, [1, 2, 3, 4, 5])
    assert before == after
    assert before[0].keys() == {"key", "title", "fields", "image", "score", "because"}
    assert (before[0]["fields"], before[0]["image"]) == ({}, None)


def test_a_saved_session_is_the_one_of_every_platform(library):
    example = saved_example()
    saved, found = library.evaluate(
        """([digest, state, ids, bytes]) => {
            const saved = encodeSession({ digest, state: Float32Array.from(state), ids });
            const found = decodeSession(Uint8Array.from(bytes), { digest, state: 3, items: 70000 });
            return [[...saved], { ...found, state: [...found.state] }];
        }""",
        [example.digest, example.state, example.history, [*example.data]],
    )
    assert bytes(saved) == example.data
    state = np.array(example.state, np.float32).tolist()
    assert found == {"digest": example.digest, "state": state, "ids": example.history}


def test_bytes_that_are_not_this_models_are_refused(library, bundle, target):
    size = bundle.manifest["state"]["shape"][1]
    good = session_bytes(bundle, [0.5] * size, [1, 2])
    cases = {
        "damaged": [
            [], good[:-1], good[:40], [*good[:60], good[60] ^ 1, *good[61:]],
            session_bytes(bundle, [0.5] * size, [1], magic=b"GLINTSEX"),
            session_bytes(bundle, [0.5] * (size - 1), [1]),
            session_bytes(bundle, [0.5] * size, [0]), session_bytes(bundle, [0.5] * size, [1683]),
        ],
        "upgrade": [session_bytes(bundle, [0.5] * size, [1], version=2)],
        "other-model": [session_bytes(bundle, [0.5] * size, [1], digest="ab" * 32)],
    }  # fmt: skip
    resume = "([target, bytes]) => refusal(() => loaded[target].resume(Uint8Array.from(bytes)))"
    assert library.evaluate(resume, [target, good]) is None
    for code, wrong in cases.items():
        for each in wrong:
            refusal = library.evaluate(resume, [target, each])
            assert refusal["code"] == code, refusal
            assert "history" in refusal["message"]


def test_unknown_keys_are_refused_or_skipped_and_counted(library, target):
    refused, lengths, same = library.evaluate(
        """async (target) => {
            const refused = [
                await refusal(() => loaded[target].start(['50', 'no such'])),
                await refusal(async () => (await loaded[target].start()).append('no such')),
                await refusal(() => loaded[target].similar('no such')),
            ];
            const skipping = await Recommender.load(place, {
                engine: engines[target], unknown: 'skip',
            });
            const session = await skipping.start(['x', '50', 'constructor']);
            await session.append('__proto__');
            await session.append('181');
            const same = [await session.top(9), await skipping.recommend(['50', '181'], 9)];
            const like = await skipping.similar('x');
            await skipping.close();
            return [refused, [session.skipped, session.history.length, like.length], same];
        }""",
        target,
    )
    assert [each["code"] for each in refused] == ["unknown-item"] * 3
    assert '"no such"' in refused[0]["message"]
    assert lengths == [3, 2, 0]
    assert [item["key"] for item in same[0]] == [item["key"] for item in same[1]]


def test_a_long_session_is_the_one_begun_from_its_last_items(library, bundle, target):
    """Once it holds a quarter more than the window; tests/apps/test_web_filters.py has the rest."""
    most = bundle.config.max_length
    keys = [bundle.catalogue.keys[1 + number % 300] for number in range(most + most // 4 + 1)]
    together, apart, last, before = library.evaluate(
        """async ([target, keys, most]) => {
            const session = await loaded[target].start(keys.slice(0, most - 3));
            // Nobody waits for the one before: they take their turns.
            await Promise.all(keys.slice(most - 3, -1).map((key) => session.append(key)));
            const before = session.save();
            await session.append(keys.at(-1));
            const scores = (items) => items.map(({ score }) => score);
            return Promise.all([
                await loaded[target].start(keys), session,
                await loaded[target].start(keys.slice(-most)), loaded[target].resume(before),
            ].map(async (each) => scores(await each.top(50, { excludeSeen: false }))));
        }""",
        [target, keys, most],
    )
    assert together == apart == last  # to the last digit: all three are encoded anew
    assert before != last
