"""The web module's lists, in a browser with both engines: golden.json, and filters."""

import numpy as np
import pytest

from device_bench.measure.job import TopK
from glint_edge.bundles.golden_check import golden_failures

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def bundle(web_app):
    return web_app.bundle


@pytest.mark.golden
def test_every_golden_case_replays_through_the_library(library, bundle, target):
    """By `append` and by `append_many`; compared here, not by the page's own code."""
    runs = library.evaluate(
        """async ([target, histories]) => {
            const { stream } = loaded[target], runs = { append: [], append_many: [] };
            for (const ids of histories) {
                let state = stream.empty();
                for (let n = 1; n <= ids.length; n++)
                    state = await stream.append(state, ids.slice(0, n - 1), ids[n - 1]);
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


@pytest.mark.golden
def test_every_golden_list_comes_by_the_librarys_words(library, bundle, target):
    """With filters, and of what is like an item; compared here, not by the page's own code."""
    keys = bundle.catalogue.keys
    asked = [
        {"history": one.history and [keys[number] for number in one.history], "k": one.k,
         "key": one.item and keys[one.item], "words": words_of(one.filter),
         "neighbours": bool(one.neighbours)}
        for one in (*bundle.golden.lists, *bundle.golden.similar)
    ]  # fmt: skip
    lists = library.evaluate(
        """([target, asked]) => Promise.all(asked.map(({ history, key, k, words, neighbours }) =>
            history === null ? loaded[target].similar(key, k, words)
                : loaded[target].recommend(
                    history, k, { excludeSeen: false, neighbours, ...words })))""",
        [target, asked],
    )
    number_of = {key: number for number, key in enumerate(keys)}
    golden = bundle.golden
    expected = [
        *(
            (one, golden.score_error + (bundle.neighbours.error if one.neighbours else 0))
            for one in golden.lists
        ),
        *((one, golden.cosine_error) for one in golden.similar),
    ]
    assert len(expected) > 8 and any(one.neighbours for one, _ in expected)
    for (one, error), found in zip(expected, lists, strict=True):
        ids, scores = [number_of[each["key"]] for each in found], [each["score"] for each in found]
        assert list(one.failures(ids, scores, error)) == [], one.filter


def words_of(golden_filter):
    """In camel case."""
    names = {"exclude_seen": "excludeSeen", "most_per": "mostPer"}
    return {names.get(name, name): value for name, value in golden_filter.items()}


def test_the_librarys_own_replay_can_fail(library, target):
    replay = """async ([target, part, number, field, change]) => {
        const source = fromUrl(place);
        const golden = JSON.parse(new TextDecoder().decode(await source.read('golden.json')));
        const one = golden[part][number];
        if (field === 'items') one.items[change] = 1682;
        else if (field === 'scores') one.scores[0] += change;
        else if (field === 'k') for (const list of [one.items, one.scores]) list.length -= change;
        else one[field] += change;
        const bytes = new TextEncoder().encode(JSON.stringify(golden));
        const hash = [...new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))];
        const sha256 = hash.map((byte) => byte.toString(16).padStart(2, '0')).join('');
        const manifest = {
            ...loaded[target].manifest,
            files: { 'golden.json': { bytes: bytes.length, sha256 } },
        };
        const recommender = Object.create(loaded[target], { manifest: { value: manifest } });
        return replayGolden(recommender, { place: '', read: async () => bytes });
    }"""
    for part, field, change in (
        ("cases", "state_sum", 50), ("cases", "state_norm", 50), ("cases", "items", 0),
        *((part, field, change) for part in ("lists", "similar")
          for field, change in (("items", 0), ("scores", 1.5), ("k", 1))),
    ):  # fmt: skip
        failures = library.evaluate(replay, [target, part, 3, field, change])["failures"]
        name = f"golden {part.removesuffix('s')} 3"
        assert failures and failures[0].startswith(name), (part, field)


def test_a_list_is_the_whole_ranking_without_what_the_filters_leave_out(library, bundle, target):
    """For every k, with 200 seen items among the first 200, by both methods."""
    keys = list(bundle.catalogue.keys[1:])
    seen = library.evaluate(
        """async ([target, key]) => (await loaded[target].recommend(
            [key], 200, { excludeSeen: false })).map(({ key }) => key)""",
        [target, keys[0]],
    )
    pushed, left = {keys[1500]: 1000, keys[0]: -1000}, [keys[1500], *keys[:40], *keys[60::9]]
    asked = [
        [1, {"excludeSeen": True}], [10, {"excludeSeen": True}], [120, {"excludeSeen": True}],
        [51, {"without": keys[::2]}], [300, {"among": left}], [9, {"boost": pushed}],
        [2000, {"without": keys[::3], "among": left}],
    ]  # fmt: skip
    whole, lists, alike, all_alike = library.evaluate(
        """async ([target, seen, key, asked]) => {
            const short = (list) => list.map(({ key, score }) => [key, score]);
            const session = await loaded[target].start(seen);
            const rank = (k, words) => session.top(k, { excludeSeen: false, ...words }).then(short);
            const like = (k, words) => loaded[target].similar(key, k, words).then(short);
            const each = (call) => Promise.all(asked.map(([k, words]) => call(k, words)));
            return [await rank(9999), await each(rank), await each(like), await like(9999)];
        }""",
        [target, seen, keys[1], asked],
    )
    assert sorted(key for key, _ in whole) == sorted(keys)
    assert sorted(key for key, _ in all_alike) == sorted(key for key in keys if key != keys[1])
    for (k, words), list_, like in zip(asked, lists, alike, strict=True):
        for ranking, found in ((whole, list_), (all_alike, like)):
            hidden = {*words.get("without", ())}
            hidden.update(seen if words.get("excludeSeen") and ranking is whole else ())
            allowed = [
                (np.float32(score) + np.float32(words.get("boost", {}).get(key, 0)), key)
                for key, score in ranking
                if key not in hidden and key in words.get("among", keys)
            ]
            expected = sorted(allowed, key=lambda one: -one[0])[:k]
            assert [key for key, _ in found] == [key for _, key in expected], words
            scores = [score for score, _ in expected]
            assert np.allclose([score for _, score in found], scores, rtol=1e-6, atol=1e-6)


def test_where_nobody_says_all_seen_items_or_the_last_are_left_out_as_the_log_is(library, bundle):
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
                const [best] = await recommender.recommend([key], 1, { without: [key] });
                const seen = [key, best.key];
                const lists = [undefined, {}, { excludeSeen: false }, { excludeSeen: true }].map(
                    (options) => recommender.recommend(seen, 2000, options));
                const has = (list) => seen.filter((one) => list.some(({ key }) => key === one));
                found.push((await Promise.all(lists)).map(has));
                await recommender.close();
            }
            return found;
        }""",
        [key, shares],
    )
    (_, _, seen, _), *_ = found
    assert len(seen) == 2
    but_last, none = [seen[:1], seen[:1], seen, []], [[], [], seen, []]
    assert found == [but_last, none, none, but_last, but_last]
