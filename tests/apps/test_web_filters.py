"""The web library's filters, and lists of any length, with scores that are known."""

import numpy as np
import pytest

from tests.data.test_grouping import FIELDS as GROUPING

pytestmark = pytest.mark.slow

ITEMS, SPARE, TOP_K = 60, 3, 10
KEYS = [f"k{number}" for number in range(1, ITEMS + 1)]
LEFT_OUT = np.float32(-1e30)
FIELDS = {
    "category": {key: f"c{number % 4}" for number, key in enumerate(KEYS) if number % 7},
    "brand": {key: f"b{number % 9}" for number, key in enumerate(KEYS) if number % 2},
    "empty": {"gone": "x"},
}
BUNDLE = {"items": {"keys": KEYS, "fields": FIELDS}, "topK": TOP_K}


def drawn_scores(rng):
    """By row, of distinct items; those of rows that are no items are out."""
    scores = np.full(ITEMS + SPARE + 2, LEFT_OUT)
    scores[1 : ITEMS + 1] = rng.permutation(ITEMS) / 8 - 3
    return scores


def drawn_filter(rng):
    """Some of each, as the words have it."""

    def keys(most):
        return [*rng.choice([*KEYS, "gone", "constructor"], rng.integers(most + 1))]

    def some(**parts):
        return {name: part for name, part in parts.items() if rng.random() < 0.35}

    return some(
        excludeSeen=bool(rng.random() < 0.7),
        without=keys(20),
        among=keys(50),
        where=some(category=[*rng.choice(["c0", "c1", "none"], 2)], brand="b3"),
        boost={key: round(float(rng.normal() * 4), 3) for key in keys(10)},
        mostPer=some(category=int(rng.integers(1, 4)), brand=int(rng.integers(1, 3))),
    )


def expected_list(scores, history, k, words):
    """Keys and scores by the words' own meaning, item by item."""
    excluded = words.get("excludeSeen")
    seen = history[-1:] if excluded is None else history if excluded else ()
    counts, found = {}, []
    boosts = {key: np.float32(number) for key, number in words.get("boost", {}).items()}
    ranked = sorted(
        ((np.float32(scores[number]) + boosts.get(key, np.float32(0)), -number, key)
         for number, key in enumerate(KEYS, 1)),
        reverse=True,
    )  # fmt: skip
    for score, _, key in ranked:
        fields = {name: values[key] for name, values in FIELDS.items() if key in values}
        among, where = words.get("among"), words.get("where", {})
        if key in seen or key in words.get("without", ()):
            continue
        if among is not None and key not in among:
            continue
        if any(fields.get(name) not in np.ravel(value) for name, value in where.items()):
            continue
        limits = words.get("mostPer", {})
        kinds = [(name, fields[name]) for name in limits if name in fields]
        if any(counts.get(kind, 0) >= limits[kind[0]] for kind in kinds):
            continue
        for kind in kinds:
            counts[kind] = counts.get(kind, 0) + 1
        found.append([key, float(score)])
    return found[:k]


def test_a_list_is_exactly_what_the_filters_leave_for_every_k(node):
    rng = np.random.default_rng(7)
    cases = [
        {
            "scores": drawn_scores(rng).tolist(), "cosines": drawn_scores(rng).tolist(),
            "history": [*rng.choice(KEYS, rng.integers(30))], "k": int(rng.integers(1, 80)),
            "words": drawn_filter(rng), "item": str(rng.choice(KEYS)),
        }
        for _ in range(300)
    ]  # fmt: skip
    lists = node(
        """const short = (list) => list.map(({ key, score }) => [key, score]);
        return Promise.all(values.cases.map(async (drawn) => {
            const { history, k, words, item } = drawn;
            const { recommender } = load({ ...values.bundle, ...drawn });
            const session = await recommender.start(history), before = [...session.save()];
            const lists = [
                await session.top(k, words), await recommender.recommend(history, k, words),
                await recommender.similar(item, k, words),
            ];
            return [...lists.map(short), String(before) === String(session.save())];
        }));""",
        {"bundle": BUNDLE, "cases": cases},
    )
    lengths = set()
    for case, (top, recommended, similar, same_state) in zip(cases, lists, strict=True):
        words, k = case["words"], case["k"]
        assert top == expected_list(case["scores"], case["history"], k, words), words
        assert recommended == top
        others = words | {"excludeSeen": True}
        assert similar == expected_list(case["cosines"], [case["item"]], k, others), words
        assert same_state
        lengths.add((len(top) > TOP_K, len(top) == k))
    assert lengths == {(True, True), (True, False), (False, True), (False, False)}


def test_what_cannot_be_carried_out_is_one_sentence(node):
    fields = "; the fields are category, brand"
    refused = [
        ({"without": "k1"}, "without must be a list of texts"),
        ({"among": "k1"}, "among must be a list of texts"),
        ({"without": ["k1", 5]}, "without must be a list of texts"),
        ({"among": 5}, "among must be a list of texts"),
        ({"where": {"colour": "red"}}, f"no item has the field 'colour'{fields}"),
        ({"where": {"empty": "x"}}, f"no item has the field 'empty'{fields}"),
        ({"where": {"constructor": "x"}}, f"no item has the field 'constructor'{fields}"),
        ({"where": {"brand": 5}}, "where of brand must be a list of texts"),
        ({"where": "brand"}, "where must be an object"),
        ({"mostPer": {"colour": 1}}, f"no item has the field 'colour'{fields}"),
        *(({"mostPer": {"brand": most}}, "mostPer of brand must be a whole number from 1")
          for most in (0, -1, 1.5, "2", None)),
        *(({"boost": {"k1": number}}, 'boost of "k1" must be a number up to a million in size')
          for number in (1e6 + 1, -2e6, None, "5")),
        ({"boost": ["k1"]}, "boost must be an object"),
        ({"where": ""}, "where must be an object"),
        *(({"k": k}, "k must be a whole number from 1") for k in (0, -1, 1.5, "3")),
    ]  # fmt: skip
    answers, others = node(
        """const { recommender } = load({ ...values.bundle, scores: values.scores });
        const session = await recommender.start(['k1']);
        const bare = load({ items: { keys: ['a'] }, topK: 1, scores: [-1e30, 0, -1e30] });
        return [
            await Promise.all(values.words.map(async ({ k = 3, ...words }) => [
                await said(() => session.top(k, words)),
                await said(() => recommender.similar('k1', k, words)),
            ])),
            await Promise.all([
                () => session.top(3, { boost: { k1: NaN } }),
                () => bare.recommender.recommend([], 1, { where: { colour: 'red' } }),
                () => recommender.start('k1'),
                () => recommender.similar('gone'),
            ].map(said)),
        ];""",
        {"bundle": BUNDLE, "scores": drawn_scores(np.random.default_rng(0)).tolist(),
         "words": [words for words, _ in refused]},
    )  # fmt: skip
    for (words, message), said in zip(refused, answers, strict=True):
        for each in said:
            assert each["code"] == "argument", words
            assert each["message"].startswith(message), words
    assert [each["code"] for each in others] == ["argument"] * 3 + ["unknown-item"]
    assert others[1]["message"] == "no item has the field 'colour'; this bundle has no fields"


def test_a_list_without_filters_gives_the_runtime_no_bias(node):
    """So that it need not be filled, and an artifact that leaves nothing out is asked once."""
    calls, lists = node(
        """const { recommender, calls } = load({ ...values.bundle, scores: values.scores });
        const session = await recommender.start(['k1']), lists = [];
        for (const [k, options] of [
            [undefined, { excludeSeen: false }],
            [10, { excludeSeen: false, among: null, where: {}, mostPer: null }],
            [3, { excludeSeen: false, without: ['gone'], boost: undefined }],
            [undefined, undefined], [10, { excludeSeen: true }],
            [10, { among: [] }], [1000, { where: { brand: 'none' } }],
        ]) lists.push((await session.top(k, options)).length);
        return [calls, lists];""",
        {"bundle": BUNDLE, "scores": drawn_scores(np.random.default_rng(0)).tolist()},
    )
    assert lists == [10, 10, 3, 10, 10, 0, 0]
    assert calls == ["encode 1", *["list"] * 3, *["list with a bias"] * 4]


def test_an_artifact_that_gives_what_was_left_out_is_refused(node):
    """It would be asked for ever."""
    said = node(
        """const { recommender } = load({ ...values.bundle, scores: values.scores });
        const { runtime } = recommender.stream;
        const { recommend } = runtime;
        runtime.recommend = (state) => recommend(state, null);
        return said(() => recommender.recommend([], 11));""",
        {"bundle": BUNDLE, "scores": drawn_scores(np.random.default_rng(0)).tolist()},
    )
    assert said["code"] == "damaged" and "items that were left out" in said["message"]


def test_the_page_filters_by_the_fields_that_the_toolkit_learns(node):
    fields = [counts for counts, _ in GROUPING.values()]
    answers = node(
        """const { groups } = await import('./src/demo/filters');
        return values.fields.map((counts) => groups(new Map(Object.entries(counts))));""",
        {"fields": fields},
    )
    assert answers == [is_group for _, is_group in GROUPING.values()]


# ---- golden.json ---------------------------------------------------------------------------------


def test_a_golden_list_allows_what_rounding_can_do_and_no_more(node):
    """Another item may come in where its score is known to be as near as the tolerance."""
    scores = [-1e30, 4, 3, 2, 1.96, 1, -1e30]
    rounded = [-1e30, 4, 3, 1.97, 1.98, 1, -1e30]
    case = {"history": [], "state_sum": 0, "state_norm": 0, "items": [1, 2], "scores": [4, 3]}
    plain = {"k": 3, "filter": {"where": {"kind": ["x"]}}, "items": [1, 2, 3], "scores": [4, 3, 2]}
    near = plain | {"near": {"4": 1.96}}
    far = plain | {"near": {"4": 1.9}}
    lists = [near, far, plain | {"near": {}}, near | {"items": [1, 3, 2]},
             near | {"scores": [4, 3, 2.1]}, near | {"items": [1, 2], "scores": [4, 3]},
             {"k": 2, "filter": {"most_per": {"kind": 1}, "exclude_seen": True},
              "items": [3, 5], "scores": [2, 1], "near": {"4": 1.96}}]  # fmt: skip
    golden = {
        "tolerance": {"relative_state_error": 1e-3, "score_error": 0.05, "cosine_error": 0.01},
        "cases": [case],
        "lists": [{"history": [1, 2], **one} for one in lists] + [{"history": [], **near}],
        "similar": [{"item": 5, **near}],
    }
    failures = node(
        """const { createHash, webcrypto } = await import('node:crypto');
        globalThis.crypto ??= webcrypto;
        const { replayGolden } = await import('./src/glint-edge');
        return Promise.all([values.scores, values.rounded].map(async (scores) => {
            const { recommender } = load({ items: values.items, scores, topK: 2 });
            const bytes = new TextEncoder().encode(JSON.stringify(values.golden));
            const sha256 = createHash('sha256').update(bytes).digest('hex');
            recommender.manifest.files = { 'golden.json': { bytes: bytes.length, sha256 } };
            const source = { place: '', read: async () => bytes };
            return (await replayGolden(recommender, source)).failures;
        }));""",
        {"scores": scores, "rounded": rounded, "golden": golden,
         "items": {"keys": ["a", "b", "c", "d", "e"],
                   "fields": {"kind": {"a": "x", "b": "x", "c": "x", "d": "x"}}}},
    )  # fmt: skip
    known = [
        "golden list 3: item 2 in place 2 should be 3, and item 3 in place 3 should be 2",
        "golden list 4: the score in place 3 is 2, not 2.1",
        "golden list 5: it recommends 3 items, not 2",
    ]
    assert failures[0] == known
    assert [failure[:14].rstrip(":") for failure in failures[1]] == [
        *(f"golden list {number}" for number in (1, 2, 3, 4, 5, 7)), "golden similar",
    ]  # fmt: skip
    assert failures[1][0] == "golden list 1: item 4 in place 3 should be 3"
