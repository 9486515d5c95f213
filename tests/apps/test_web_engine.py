"""The engine in WebAssembly, in Node.js: golden.json for equality. The pages' tests run it too."""

import json
import shutil

import pytest

from glint_edge.bundles.bundle import load_bundle
from glint_edge.engine.web import WASM
from tests.apps.web_node import run_node
from tests.small import small_bundle

ABOVE = """
import { readFileSync } from 'node:fs';
import { Recommender, replayGolden } from './src/glint-edge';
import { engine } from './src/glint-edge/engine';

const { folder, wasm, golden } = JSON.parse(readFileSync(0, 'utf-8'));
const read = async (file) => new Uint8Array(readFileSync(`${folder}/${file}`));
const source = { place: `${folder}/`, read };
const load = (from = source) => Recommender.load(from, { engine: engine(readFileSync(wasm)) });
"""


@pytest.fixture(scope="module")
def bundle(make_model, tmp_path_factory):
    if shutil.which("node") is None:
        pytest.skip("needs Node.js")
    return load_bundle(small_bundle(make_model(), tmp_path_factory.mktemp("engine"), "c"))


def run(bundle, folder, script, **values):
    told = {"folder": str(bundle.path), "wasm": str(WASM), **values}
    return run_node(folder, script, told, ABOVE)


@pytest.mark.golden
def test_golden_json_is_replayed_to_the_last_bit(bundle, tmp_path):
    replay = run(bundle, tmp_path, "return replayGolden(await load(), source);")
    golden = bundle.golden
    count = len(golden.cases) + len(golden.lists) + len(golden.similar)
    assert replay == {"cases": count, "failures": []}
    assert all(case.exact is not None for case in golden.cases)


def test_a_bit_that_differs_is_found(bundle, tmp_path):
    script = """
        const recommender = await load();
        const { runtime } = recommender.stream;
        const { recommend } = runtime;
        const list = recommend.bind(runtime);
        runtime.recommend = async (state, bias) => {
            const { ids, scores } = await list(state, bias);
            return { ids, scores: scores.map((score) => score * (1 + 2 ** -24)) };
        };
        return (await replayGolden(recommender, source)).failures;
    """
    failures = run(bundle, tmp_path, script)
    assert failures and all("its scores are not, bit for bit" in one for one in failures)


def test_histories_of_any_length_and_models_beside_each_other(bundle, tmp_path):
    script = """
        const [one, other] = [(await load()).stream, (await load()).stream];
        const long = Array.from({ length: 5000 }, (_, place) => 1 + ((place * 7) % golden));
        const whole = await one.runtime.appendMany(one.empty(), long);
        let state = await other.runtime.appendMany(other.empty(), long.slice(0, 4000));
        for (const id of long.slice(4000)) state = await other.runtime.append(state, id);
        return [[...whole], [...state], await one.top(whole), await other.top(state)];
    """
    items = bundle.config.items
    whole, steps, *lists = run(bundle, tmp_path, script, golden=items)
    assert whole == steps and whole[0] == 5000
    assert lists[0] == lists[1]


@pytest.mark.parametrize("part", ["magic", "version", "size", "width"])
def test_what_is_no_model_is_refused_in_a_sentence(bundle, tmp_path, part):
    """What is not as exported is refused by its sha256; this is of another exporter."""
    data = bytearray((bundle.path / "model.glnt").read_bytes())
    if part == "size":
        del data[len(data) // 2 :]
    else:
        data[{"magic": 0, "version": 4, "width": 9}[part]] ^= 0x7F
    (tmp_path / "model.glnt").write_bytes(data)
    script = """
        const bytes = new Uint8Array(readFileSync('model.glnt'));
        const shapes = { state: golden, chunk: 4, rows: 44, topK: 10 };
        try {
            await engine(readFileSync(wasm)).open(bytes, shapes);
        } catch (error) {
            return error.message;
        }
    """
    state = json.loads((bundle.path / "manifest.json").read_bytes())["state"]["shape"][1]
    said = run(
        bundle, tmp_path, script.replace("model.glnt", str(tmp_path / "model.glnt")), golden=state
    )
    assert said.startswith("it is ")
