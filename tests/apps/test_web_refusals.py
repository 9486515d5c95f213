"""The web module's library, with runtimes and files that give something else than was exported."""

import base64
import json

import pytest

from tests.apps.web_site import serve
from tests.bundles_changed import ALL_REFUSED, TAKEN, changed_files, documents_of

pytestmark = pytest.mark.slow

# An engine whose runtime is changed before it is used.
CHANGED = """() => {
    window.changed = (target, change) => ({
        target,
        open: async (...words) => {
            const runtime = await engines[target].open(...words), own = {};
            for (const name of ['append', 'appendMany', 'recommend', 'similar', 'close'])
                own[name] = (...words) => runtime[name](...words);
            return Object.assign(own, change(own));
        },
    });
}"""


@pytest.fixture(scope="module")
def library(browser, web_app):
    """A page with the library in it."""
    with serve(web_app.site) as server:
        page = browser.new_page()
        page.goto(server.address + "library.html")
        page.wait_for_function("() => Boolean(window.Recommender)")
        page.evaluate(CHANGED)
        yield page
        page.close()


@pytest.fixture(params=["onnx", "tflite"])
def target(request):
    return request.param


def test_a_load_has_run_each_method_once(library, target):
    """What a runtime sets up at its first calls is no part of the first tap."""
    called = library.evaluate(
        """async (target) => {
            const called = [];
            const engine = changed(target, (runtime) => Object.fromEntries(
                Object.entries(runtime).map(([name, call]) => [name, (...words) => {
                    called.push(name);
                    return call(...words);
                }])));
            await (await Recommender.load(place, { engine })).close();
            return called;
        }""",
        target,
    )
    assert called == ["appendMany", "append", "recommend", "close"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("recommend: async (s) => ({ ...await r.recommend(s, null), scores: Array(50).fill(NaN) })",
         "its scores are no numbers"),
        ("recommend: async (s) => ({ ...await r.recommend(s, null), ids: Array(50).fill(9999) })",
         "items that are not in the catalogue"),
        ("recommend: async () => ({ ids: [1], scores: [1] })", "it recommends 1 items, not 50"),
        ("recommend: async () => { throw new RangeError('out of\\nmemory') }", "(out of memory)"),
        ("recommend: () => { throw 'no error' }", "(no error)"),
        ("append: async (s) => s.map(() => NaN)", "its state is not made of numbers"),
        ("appendMany: async () => new Float32Array(3)", "its state is not made of numbers"),
    ],
)  # fmt: skip
def test_an_artifact_that_cannot_be_run_is_refused_on_load(library, change, reason):
    refused, closed = library.evaluate(
        """async ([change]) => {
            let closed = 0;
            const engine = changed('tflite', (runtime) => {
                const r = { ...runtime };
                return { ...eval(`({ ${change} })`), close: () => { closed++; return r.close(); } };
            });
            return [await refusal(() => Recommender.load(place, { engine })), closed];
        }""",
        [change],
    )
    assert refused["code"] == "damaged" and reason in refused["message"]
    assert "\n" not in refused["message"]
    assert closed == 1


def test_an_artifact_that_computes_something_else_is_found_by_its_golden_vectors(library, target):
    """Where somebody asks: they are no part of what a visit downloads."""
    loaded, failures = library.evaluate(
        """async (target) => {
            const asked = [], whole = fromUrl(place);
            const read = (file) => { asked.push(file); return whole.read(file); };
            const source = { place, read };
            const engine = changed(target, () => ({ append: async (s) => s.map(() => 1) }));
            const recommender = await Recommender.load(source, { engine });
            const loaded = [...asked];
            const { failures } = await replayGolden(recommender, source);
            await recommender.close();
            return [loaded, failures];
        }""",
        target,
    )
    assert "golden.json" not in loaded and "items.json" in loaded
    assert failures[0].startswith("golden case 1: state_sum is")


def test_a_runtime_that_fails_later_leaves_the_session_as_it_was(library, target):
    before, after, refused, closed = library.evaluate(
        """async (target) => {
            let broken = false;
            const engine = changed(target, ({ append }) => ({
                append: async (...words) => {
                    if (broken) throw new Error('lost');
                    return append(...words);
                },
            }));
            const recommender = await Recommender.load(place, { engine });
            const session = await recommender.start(['50']);
            const before = [...session.save()];
            broken = true;
            const refused = await refusal(() => session.append('181'));
            await recommender.close();
            await recommender.close();
            return [before, [...session.save()], refused, await refusal(() => session.top(1))];
        }""",
        target,
    )
    assert before == after
    assert refused["code"] == "damaged" and "(lost)" in refused["message"]
    assert closed["code"] == "argument" and "closed" in closed["message"]


LOAD = """async ([changes, engine]) => {
    const whole = fromUrl(place), kept = {}, said = [];
    for (const files of JSON.parse(changes)) {
        const read = (name) =>
            name in files ? fromBase64(files[name]) : kept[name] ??= whole.read(name);
        const source = { place, read: async (name) => read(name) };
        said.push(await refusal(async () => {
            const recommender = await Recommender.load(source, { engine: engines[engine] });
            try {
                if ('golden.json' in files) await replayGolden(recommender, source);
            } finally {
                await recommender.close();
            }
        }));
    }
    return said;
}"""


def loaded_with(library, web_app, changes):
    """What `load` says of the bundle after each change, or the replay; None: they took it."""
    documents = documents_of(web_app.bundle.path)
    files = (changed_files(documents, change) for change in changes)
    encoded = [
        {name: base64.b64encode(data).decode() for name, data in one.items()} for one in files
    ]
    return library.evaluate(LOAD, [json.dumps(encoded), "tflite"])


@ALL_REFUSED
def test_what_every_platform_refuses_is_damaged(library, web_app, changes):
    refusals = loaded_with(library, web_app, changes)
    wrong = [
        (str(change), said)
        for change, said in zip(changes, refusals, strict=True)
        if said is None or said.get("code") != "damaged" or "\n" in said["message"]
    ]
    assert wrong == []
    assert all("again" in said["message"] for said in refusals)


def test_what_every_platform_takes_is_loaded(library, web_app):
    assert loaded_with(library, web_app, TAKEN) == [None] * len(TAKEN)


# ---- bytes as text -------------------------------------------------------------------------------


def test_bytes_of_any_length_become_text_and_come_back(library):
    """A call takes only so many arguments: a session of a wide model has more bytes than that."""
    for size in (0, 1, 0x8000, 0x8001, 3_000_000):
        text, same = library.evaluate(
            """(size) => {
                const bytes = Uint8Array.from({ length: size }, (_, n) => n * n % 251);
                const text = toBase64(bytes), again = fromBase64(text);
                return [text, again.length === size && again.every((byte, n) => byte === bytes[n])];
            }""",
            size,
        )
        assert same
        assert base64.b64decode(text) == bytes(n * n % 251 for n in range(size))
    refused = library.evaluate("() => refusal(() => fromBase64('@'))")
    assert refused["code"] == "damaged"
