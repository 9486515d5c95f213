"""The web module in a real browser: both runtimes compute golden.json, and a person can use it."""

import io
import re
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from device_bench.golden_check import golden_failures
from device_bench.job import TopK
from tests.web_site import serve

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
PAGES = {"onnx": "index.html", "tflite": "litert.html"}
PHONE = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def bundle(web_app):
    return web_app.bundle


@pytest.fixture(scope="module")
def site(web_app):
    return web_app.site


@pytest.fixture(scope="module")
def server(site):
    with serve(site) as served:
        yield served


@pytest.fixture(params=PAGES)
def target(request):
    return request.param


@pytest.fixture
def visit(browser, server):
    """Open a page on a phone; it may throw nothing and ask no other server."""
    contexts, wrong = [], []

    def opened(target, address=server.address, **options):
        context = browser.new_context(viewport=PHONE, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on(
            "request",
            lambda asked: asked.url.startswith(address) or wrong.append(f"asked {asked.url}"),
        )
        page.goto(address + PAGES[target])
        ready(page)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert wrong == []


@pytest.fixture(scope="module")
def library(browser, server):
    """A page with the library in it, and a recommender of each engine."""
    page = browser.new_page()
    page.goto(server.address + "library.html")
    page.evaluate("""async () => {
        window.loaded = {};
        for (const [name, engine] of Object.entries(engines))
            loaded[name] = await Recommender.load(place, { engine });
    }""")
    yield page
    page.close()


def ready(page):
    page.locator("#status", has_text="Ready").wait_for()


def choose(page, title):
    """Add an item as a person at a keyboard does."""
    page.get_by_role("combobox").fill(title)
    page.keyboard.press("Enter")
    page.locator("#status", has_text=f"Added {title}").wait_for()


def shown(page):
    return page.locator("#top .title").all_inner_texts()


def history(page):
    return page.locator("#history .title").all_inner_texts()


def titles(bundle, ids):
    return [bundle.catalogue.titles[bundle.catalogue.keys[number]] for number in ids]


def may_stand(bundle, case, place, title):
    """Whether golden.json allows a title there: it, or one whose score is as near."""
    names = titles(bundle, case.items)
    other = case.scores[names.index(title) if title in names else -1]
    return abs(case.scores[place] - other) <= bundle.golden.score_error


# ---- golden.json ---------------------------------------------------------------------------------


def test_the_taps_on_a_page_give_what_golden_says(visit, bundle, target):
    page = visit(target)
    page.get_by_label("Hide what I have seen").uncheck()
    cases = {tuple(case.history): case for case in bundle.golden.cases}
    assert shown(page) == titles(bundle, cases[()].items[:10])
    for length in (1, 2, 3):
        choose(page, titles(bundle, [length])[0])
        case = cases.get((*range(1, length + 1),))
        if case is not None:
            names = shown(page)
            assert len(set(names)) == 10
            for place, title in enumerate(names):
                assert may_stand(bundle, case, place, title), (length, names)
    assert length == 3 and case is not None
    assert re.fullmatch(r"\d+ µs|\d+\.\d ms", page.locator("#latency").inner_text())


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


def test_the_pages_own_check_passes_and_can_fail(visit, library, bundle, target):
    page = visit(target)
    page.get_by_text("About this model").click()
    page.get_by_role("button", name="Check the model").click()
    count = len(bundle.golden.cases)
    page.get_by_text(f"All {count} golden cases give what was exported.").wait_for()

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
            manifest: { files: { 'golden.json': { bytes: bytes.length, sha256 } } },
        };
        return replayGolden(recommender, { place: '', read: async () => bytes });
    }"""
    for field, change in (("state_sum", 50), ("state_norm", 50), ("items", 0)):
        failures = library.evaluate(replay, [target, field, change])["failures"]
        assert failures and "golden case 4" in failures[0], field


# ---- the library ---------------------------------------------------------------------------------


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
    assert before[0].keys() == {"key", "title", "score"}


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


def test_a_long_session_is_the_one_begun_from_its_last_items(library, bundle, target):
    keys = [bundle.catalogue.keys[1 + number % 300] for number in range(203)]
    together, apart, last = library.evaluate(
        """async ([target, keys]) => {
            const session = await loaded[target].start(keys.slice(0, 198));
            // Nobody waits for the one before: they take their turns.
            await Promise.all(keys.slice(198).map((key) => session.append(key)));
            const scores = (items) => items.map(({ score }) => score);
            return [await loaded[target].start(keys), session,
                await loaded[target].start(keys.slice(3))].reduce(
                async (all, each) => [...await all, scores(await each.top(50))], []);
        }""",
        [target, keys],
    )
    assert together == pytest.approx(apart, abs=bundle.golden.score_error)
    assert together == last


@pytest.mark.parametrize("file", ["items.json", "model", "manifest.json"])
def test_a_damaged_file_is_refused_in_a_sentence_on_the_page(browser, bundle, site, target, file):
    name = {"model": {"onnx": "model.onnx", "tflite": "model.tflite"}[target]}.get(file, file)
    data = bytearray((bundle.path / name).read_bytes())
    data[len(data) // 2] ^= 1
    if file == "manifest.json":
        data = (bundle.path / name).read_bytes()
        data = data.replace(b'"schema_version": 1', b'"schema_version": 9')
    with serve(site) as own:
        own.replaced[f"/{bundle.name}.glint/{name}"] = bytes(data)
        page = browser.new_page()
        page.goto(own.address + PAGES[target])
        alert = page.get_by_role("alert")
        alert.wait_for()
        expected = "upgrade the app" if file == "manifest.json" else "its sha256 is not what"
        assert expected in alert.inner_text()
        assert page.get_by_role("combobox").is_disabled()
        page.close()


# ---- a person ------------------------------------------------------------------------------------


def test_it_starts_without_a_network(visit, site, target):
    with serve(site) as own:
        page = visit(target, own.address)
        page.locator("#status", has_text="with or without a network").wait_for()
        choose(page, "Alien (1979)")
        before = shown(page)
    page.reload()  # nothing is listening any more
    ready(page)
    assert (history(page), shown(page)) == (["Alien (1979)"], before)
    choose(page, "Aliens (1986)")


def test_items_are_removed_undone_cleared_and_remembered(visit, target):
    page = visit(target)
    empty = shown(page)
    for title in ("Alien (1979)", "Fargo (1996)"):
        choose(page, title)
    both = shown(page)
    assert "Fargo (1996)" not in both
    page.get_by_role("button", name="Remove Alien (1979)").click()
    page.locator("#status", has_text="Removed Alien (1979).").wait_for()
    assert history(page) == ["Fargo (1996)"]
    page.get_by_role("button", name="Undo").click()
    page.locator("#status", has_text="Undone.").wait_for()
    assert (history(page), shown(page)) == (["Alien (1979)", "Fargo (1996)"], both)
    page.reload()
    ready(page)
    assert (history(page), shown(page)) == (["Alien (1979)", "Fargo (1996)"], both)
    # What was saved with another model begins again from its history.
    page.evaluate("""() => {
        const kept = JSON.parse(localStorage['glint-edge-session']);
        localStorage['glint-edge-session'] = JSON.stringify({ ...kept, session: btoa('other') });
    }""")
    page.reload()
    ready(page)
    assert history(page) == ["Alien (1979)", "Fargo (1996)"]
    page.locator("#top button").first.click()
    page.locator("#status", has_text=f"Added {both[0]}").wait_for()
    page.get_by_role("button", name="Clear").click()
    page.locator("#status", has_text="Cleared.").wait_for()
    assert (history(page), shown(page)) == ([], empty)


def test_a_keyboard_is_enough(visit, target):
    page = visit(target)
    press, name = page.keyboard.press, "document.activeElement.textContent"
    press("Tab")
    page.keyboard.type("die ha")
    options = page.get_by_role("option").all_inner_texts()
    assert options[0] == "Die Hard (1988)" and len(options) >= 3
    press("ArrowDown")
    marked = page.locator(f"#{page.get_by_role('combobox').get_attribute('aria-activedescendant')}")
    assert marked.inner_text() == options[1]
    press("Escape")
    assert page.get_by_role("option").count() == 0
    page.keyboard.type("r")
    press("Enter")
    page.locator("#status", has_text="Added Die Hard (1988)").wait_for()
    press("Tab")
    press("Enter")  # removes it; what had the focus is gone
    page.locator("#status", has_text="Removed").wait_for()
    assert page.evaluate("document.activeElement.id") == "search"
    for _ in range(3):  # Undo, the switch, the first recommendation
        press("Tab")
    first = shown(page)[0]
    assert page.evaluate(name).startswith(first)
    press("Enter")
    page.locator("#status", has_text=f"Added {first}").wait_for()
    assert page.evaluate(name).startswith(shown(page)[0])


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_accessible_and_fits_a_phone(visit, site, target, scheme):
    page = visit(target, color_scheme=scheme, bypass_csp=True)
    page.add_script_tag(path=site.parent / "node_modules/axe-core/axe.min.js")
    page.get_by_text("About this model").click()
    choose(page, "Alien (1979)")
    page.get_by_role("combobox").fill("star")
    for width in (320, 390, 1280):
        page.set_viewport_size({"width": width, "height": 844})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    found = page.evaluate("() => axe.run()")
    assert [(each["id"], each["nodes"][0]["html"]) for each in found["violations"]] == []
    assert len(found["passes"]) > 20
    sizes = page.evaluate(
        "[...document.querySelectorAll('button')].map((b) => b.getBoundingClientRect().height)"
    )
    assert min(sizes) >= 24
    assert page.evaluate("getComputedStyle(document.querySelector('button')).transitionDuration")


# ---- the documents -------------------------------------------------------------------------------


def test_the_documented_screenshots_are_made_anew(site, tmp_path):
    script = ROOT / "scripts/web_screenshots.py"
    subprocess.run([sys.executable, script, site, tmp_path], check=True)
    text = (ROOT / "docs/embed-web.md").read_text()
    for name in ("web-onnx.png", "web-litert.png"):
        assert f"images/{name}" in text
        for folder in (tmp_path, ROOT / "docs/images"):
            data = (folder / name).read_bytes()
            assert len(data) < 150_000
            assert len(Image.open(io.BytesIO(data)).convert("RGB").getcolors(1 << 24)) > 20
