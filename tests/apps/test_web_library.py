"""The web module's library, called from a page with both engines."""

import struct
import zlib

import numpy as np
import pytest

from device_bench.measure.job import TopK
from glint_edge.bundles.golden_check import golden_failures
from tests.apps.web_site import serve
from tests.runtime.saved_session import saved_example

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def bundle(web_app):
    return web_app.bundle


@pytest.fixture(params=["onnx", "tflite"])
def target(request):
    return request.param


@pytest.fixture(scope="module")
def library(browser, web_app):
    """A page with the library in it, and a recommender of each engine."""
    with serve(web_app.site) as server:
        page = browser.new_page()
        page.goto(server.address + "library.html")
        page.evaluate("""async () => {
            window.loaded = {};
            for (const [name, engine] of Object.entries(engines))
                loaded[name] = await Recommender.load(place, { engine });
        }""")
        yield page
        page.close()


@pytest.mark.golden
def test_every_golden_case_replays_through_the_library(library, bundle, target):
    """By `append` and by `append_many`; compared here, not by the page's own code."""
    runs = library.evaluate(
        """async ([target, histories]) => {
            const { stream } = loaded[target], runs = { append: [], append_many: [] };
            for (const ids of histories) {
                let state = stream.empty();
                for (let n = 1; n <= ids.length; n++)
                    state = await stream.append(state, ids.slice(0, n));
                const both = { append: state, append_many: await stream.encode(ids) };
                for (const [name, state] of Object.entries(both))
                    runs[name].push({ state: [...state], ...await stream.top(state) });
            }
            return runs;
        }""",
        [target, [case.history for case in bundle.golden.cases]],
    )
    for run in runs.values():
        states = np.array([each["state"] for each in run], dtype=np.float32)
        ids = np.array([each["ids"] for each in run])
        scores = np.array([each["scores"] for each in run], dtype=np.float32)
        assert golden_failures(bundle.golden, states, TopK(ids, scores)) == ()


def test_the_librarys_own_replay_can_fail(library, target):
    replay = """async ([target, field, change]) => {
        const source = fromUrl(place);
        const golden = JSON.parse(new TextDecoder().decode(await source.read('golden.json')));
        if (field === 'items') golden.cases[4].items[change] = 1682;
        else golden.cases[4][field] += change;
        const bytes = new TextEncoder().encode(JSON.stringify(golden));
        const hash = [...new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))];
        const sha256 = hash.map((byte) => byte.toString(16).padStart(2, '0')).join('');
        const recommender = {
            stream: loaded[target].stream,
            manifest: {
                ...loaded[target].manifest,
                files: { 'golden.json': { bytes: bytes.length, sha256 } },
            },
        };
        return replayGolden(recommender, { place: '', read: async () => bytes });
    }"""
    for field, change in (("state_sum", 50), ("state_norm", 50), ("items", 0)):
        failures = library.evaluate(replay, [target, field, change])["failures"]
        assert failures and "golden case 4" in failures[0], field


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
    assert before[0].keys() == {"key", "title", "fields", "image", "score"}
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
    refused, skipped, length, same = library.evaluate(
        """async (target) => {
            const refused = [
                await refusal(() => loaded[target].start(['50', 'no such'])),
                await refusal(async () => (await loaded[target].start()).append('no such')),
            ];
            const skipping = await Recommender.load(place, {
                engine: engines[target], unknown: 'skip',
            });
            const session = await skipping.start(['x', '50', 'constructor']);
            await session.append('__proto__');
            await session.append('181');
            const same = [await session.top(9), await skipping.recommend(['50', '181'], 9)];
            await skipping.close();
            return [refused, session.skipped, session.history.length, same];
        }""",
        target,
    )
    assert [each["code"] for each in refused] == ["unknown-item"] * 2
    assert '"no such"' in refused[0]["message"]
    assert (skipped, length) == (3, 2)
    assert [item["key"] for item in same[0]] == [item["key"] for item in same[1]]


def test_seen_items_are_left_out_on_request(library, bundle, target):
    keys = list(bundle.catalogue.keys[1:4])
    whole, without, refusals = library.evaluate(
        """async ([target, keys]) => {
            const session = await loaded[target].start(keys);
            return [await session.top(50), await session.top(50, { excludeSeen: true }),
                await Promise.all([51, 0, 1.5].map((k) => refusal(() => session.top(k))))];
        }""",
        [target, keys],
    )
    assert without == [item for item in whole if item["key"] not in keys]
    assert len(without) < 50
    assert [each["code"] for each in refusals] == ["argument"] * 3
    assert "--top-k" in refusals[0]["message"]


def test_where_nobody_says_seen_items_are_left_out_as_the_log_is(library, bundle):
    key = bundle.catalogue.keys[1]
    shares = [None, 0, 0.0099, 0.01, 0.4]
    found = library.evaluate(
        """async ([key, shares]) => {
            const whole = fromUrl(place), found = [];
            const told = await whole.read('manifest.json');
            const manifest = JSON.parse(new TextDecoder().decode(told));
            for (const repeats of shares) {
                const changed = { ...manifest, data: { ...manifest.data, repeats } };
                const bytes = new TextEncoder().encode(JSON.stringify(changed));
                const read = async (name) => name === 'manifest.json' ? bytes : whole.read(name);
                const engine = engines.onnx;
                const recommender = await Recommender.load({ place, read }, { engine });
                const seen = [(await recommender.recommend([], 50))[0].key, key];
                const lists = [undefined, {}, { excludeSeen: false }, { excludeSeen: true }].map(
                    (options) => recommender.recommend(seen, 50, options));
                const has = (list) => list.some(({ key }) => seen.includes(key));
                found.push((await Promise.all(lists)).map(has));
                await recommender.close();
            }
            return found;
        }""",
        [key, shares],
    )
    kept, left_out = [True, True, True, False], [False, False, True, False]
    assert found == [kept, left_out, left_out, kept, kept]


def test_a_long_session_is_the_one_begun_from_its_last_items(library, bundle, target):
    keys = [bundle.catalogue.keys[1 + number % 300] for number in range(201)]
    together, apart, last = library.evaluate(
        """async ([target, keys]) => {
            const session = await loaded[target].start(keys.slice(0, 197));
            // Nobody waits for the one before: they take their turns.
            await Promise.all(keys.slice(197).map((key) => session.append(key)));
            const scores = (items) => items.map(({ score }) => score);
            return [await loaded[target].start(keys), session,
                await loaded[target].start(keys.slice(1))].reduce(
                async (all, each) => [...await all, scores(await each.top(50))], []);
        }""",
        [target, keys],
    )
    assert together == apart == last  # to the last digit: all three are encoded anew
