"""The web library's neighbours, beside sums that are put together item by item."""

import base64
import json
import re
from dataclasses import replace

import numpy as np
import pytest

from tests.apps.test_web_filters import BUNDLE, ITEMS, KEYS, drawn_scores, expected_list
from tests.neighbours_file import WHOLE, NeighboursFile, damaged_files, drawn_file

pytestmark = pytest.mark.slow


def text_of(data):
    return base64.b64encode(data).decode()


def test_lists_are_those_of_the_scores_with_the_rises_added(node):
    rng = np.random.default_rng(11)
    drawn = [
        (drawn_file(rng, ITEMS), {
            "scores": drawn_scores(rng).tolist(), "k": int(rng.integers(1, 80)),
            "history": [*rng.choice(KEYS, rng.integers(12))],
            "words": {"without": [*rng.choice(KEYS, 3)], "boost": {KEYS[5]: 0.5}}
            if rng.random() < 0.5 else {},
        })
        for _ in range(100)
    ]  # fmt: skip
    sizes = [2, 4] * (len(drawn) // 2)
    cases = [
        case | {"neighbours": text_of(file.data(id_bytes=size))}
        for size, (file, case) in zip(sizes, drawn, strict=True)
    ]
    lists = node(
        """const short = (list) => list.map(({ key, score, because }) => [key, score, because]);
        return Promise.all(values.cases.map(async (drawn) => {
            const { recommender, calls } = load({ ...values.bundle, ...drawn });
            const { history, k, words } = drawn;
            const session = await recommender.start(history);
            const lists = [
                await session.top(k, words), await recommender.recommend(history, k, words),
                await session.top(k, { ...words, neighbours: true }),
                await session.top(k, { ...words, neighbours: null }),
                await recommender.resume(session.save()).top(k, words),
                await session.top(k, { ...words, neighbours: false }),
                await recommender.similar('k1', k, words),
            ];
            return [lists.map(short), calls];
        }));""",
        {"bundle": BUNDLE, "cases": cases},
    )
    given = 0
    for (file, case), (found, _) in zip(drawn, lists, strict=True):
        whole, *same, alone, alike = found
        assert all(one == whole for one in same[:4])
        history, words = case["history"], case["words"]
        ids = [KEYS.index(key) + 1 for key in history]
        rises = file.rises(ids)
        reasons = {KEYS[number - 1]: KEYS[why - 1] for number, (_, why) in rises.items()}
        scores = np.float32(case["scores"])
        scores[[*rises]] += np.float32([rise for rise, _ in rises.values()])
        expected = expected_list(scores, history, case["k"], words)
        assert np.allclose([one[1] for one in whole], [one[1] for one in expected], atol=1e-4)
        score_of = dict(zip(KEYS, scores[1:].tolist(), strict=False))
        score_of[KEYS[5]] += words.get("boost", {}).get(KEYS[5], 0)
        for key, score, because in whole:
            assert abs(score - score_of[key]) < 1e-4
            assert because == reasons.get(key)
            given += because is not None
        plain = expected_list(case["scores"], history, case["k"], words)
        assert [[key, score] for key, score, _ in alone] == plain
        assert all(because is None for *_, because in (*alone, *alike))
    assert given > 250


def test_without_neighbours_or_history_no_bias_is_given(node):
    file = NeighboursFile(((0.0, {}), (0.01, {2: 9}), (0.0, {})))
    scores = drawn_scores(np.random.default_rng(0)).tolist()
    calls, because, refused = node(
        """const { recommender, calls } = load({ ...values.bundle, ...values });
        const ask = async (history, options) => {
            calls.length = 0;
            await recommender.recommend(history, 3, { excludeSeen: false, ...options });
            return calls.at(-1);
        };
        const asked = [
            await ask(['k1']), await ask([]), await ask(['k2']), await ask(['k60']),
            await ask(['k1'], { neighbours: false }),
        ];
        const list = await recommender.recommend(['k3', 'k1'], 60);
        const bare = load({ ...values.bundle, scores: values.scores }).recommender;
        const plain = await bare.recommend(['k1'], 60);
        return [asked, [list, plain].map((one) => one.flatMap(({ because }) => because ?? [])), [
            await said(() => bare.recommend(['k1'], 3, { neighbours: true })),
            await said(() => bare.recommend(['k1'], 3, { neighbours: false })),
        ]];""",
        {"bundle": BUNDLE, "scores": scores, "neighbours": text_of(file.data())},
    )
    assert calls == ["list with a bias", *["list"] * 4]
    assert because == [["k1"], []]
    assert refused == [
        {"code": "argument",
         "message": "this bundle has no neighbours; export it with --neighbours 32"},
        None,
    ]  # fmt: skip


def test_what_is_no_file_of_neighbours_is_refused_in_a_line(node):
    damaged = list(damaged_files())
    long = NeighboursFile(((0.0, {}), (0.5, {65_000: 9, 65_537: 1}), *[(0.0, {})] * 65_536))
    versions, refused, taken = node(
        """return [
            await said(() => neighboursOf(values.newer, 3)),
            await Promise.all(values.damaged.map((text) => said(() => neighboursOf(text, 3)))),
            [...neighboursOf(values.long, 65537).pulls([1]).keys()],
        ];""",
        {"newer": text_of(WHOLE.data(version=2)), "long": text_of(long.data()),
         "damaged": [*map(text_of, damaged)]},
    )  # fmt: skip
    said = "neighbours.bin has version 2, this app reads 1; upgrade the app"
    assert versions == {"code": "upgrade", "message": said}
    for data, each in zip(damaged, refused, strict=True):
        assert each is not None, data.hex()
        assert each["code"] == "damaged"
        said = r"neighbours\.bin is damaged \([a-z, ]+\); export the bundle again"
        assert re.fullmatch(said, each["message"])
    assert len(damaged) > 50
    assert taken == [65_000, 65_537]


def test_a_bundle_is_read_with_its_neighbours_and_replayed(node):
    """Lists with neighbours are left where the file is not there."""
    scores = [-1e30, 4, 3, 2, 1.5, 1, -1e30]
    file = NeighboursFile(((0.0, {}), (0.001, {4: 100, 5: 250})), gamma=100.0)
    file = replace(file, rows=(*file.rows, *[(0.0, {})] * 4))
    rise = {number: rise for number, (rise, _) in file.rises([1]).items()}
    case = {"history": [], "state_sum": 0, "state_norm": 0, "items": [1, 2], "scores": [4, 3]}
    plain = {"history": [1], "k": 2, "filter": {}, "items": [1, 2], "scores": [4, 3], "near": {}}
    best = sorted(((scores[n] + rise.get(n, 0), n) for n in range(1, 6)), reverse=True)[:2]
    assert [number for _, number in best] == [5, 1]
    with_them = plain | {
        "neighbours": True, "items": [n for _, n in best], "scores": [score for score, _ in best],
    }  # fmt: skip
    near = with_them | {"scores": [best[0][0], best[1][0] + 1e-4]}
    far = with_them | {"scores": [best[0][0], best[1][0] + 1e-2]}
    golden = {
        "tolerance": {"relative_state_error": 1e-3, "score_error": 1e-5, "cosine_error": 0.01},
        "cases": [case], "lists": [plain, with_them, near, far, plain | {"neighbours": False}],
        "similar": [],
    }  # fmt: skip
    replays, forms = node(
        """const { createHash, webcrypto } = await import('node:crypto');
        globalThis.crypto ??= webcrypto;
        const { replayGolden } = await import('./src/glint-edge');
        const { readNeighbours } = await import('./src/glint-edge/neighbours');
        const sourceOf = (files) => ({ place: '', read: async (name) => files[name] });
        const listed = (files) => Object.fromEntries(Object.entries(files).map(([name, bytes]) => {
            const sha256 = createHash('sha256').update(bytes).digest('hex');
            return [name, { bytes: bytes.length, sha256 }];
        }));
        const bytesOf = (value) => new TextEncoder().encode(JSON.stringify(value));
        const replay = async (golden, more) => {
            const files = { 'golden.json': bytesOf(golden), ...more };
            const source = sourceOf(files), { items, scores } = values;
            const { recommender } = load({ items, scores, topK: 2 });
            recommender.manifest.files = listed(files);
            const near = await readNeighbours(source, recommender.manifest);
            recommender.neighbours = near;
            return replayGolden(recommender, source);
        };
        const file = { 'neighbours.bin': fromBase64(values.neighbours) };
        const { golden } = values;
        const replays = [await replay(golden, file), await replay(golden, {})];
        const forms = await Promise.all([null, 1, 'true', []].map((neighbours) => {
            const lists = [{ ...golden.lists[0], neighbours }];
            return said(() => replay({ ...golden, lists }, file));
        }));
        file['neighbours.bin'] = file['neighbours.bin'].slice(1);
        const manifest = {
            model: { items: 5 },
            files: listed({ 'neighbours.bin': fromBase64(values.neighbours) }),
        };
        forms.push(await said(() => readNeighbours(sourceOf(file), manifest)));
        return [replays, forms];""",
        {"items": {"keys": ["a", "b", "c", "d", "e"]}, "scores": scores, "golden": golden,
         "neighbours": text_of(file.data())},
    )  # fmt: skip
    assert replays[0]["cases"] == 6
    assert [failure[:14] for failure in replays[0]["failures"]] == ["golden list 3:"]
    assert replays[1] == {"cases": 3, "failures": []}
    assert all(each["code"] == "damaged" for each in forms), json.dumps(forms)
