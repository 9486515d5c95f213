"""Three commands from a shop's log to its page, in a real browser; on ONNX Runtime."""

import csv
import json
import re
import shlex

import pytest

from glint_edge.cli import app as cli
from tests.apps.web_site import build_module, serve
from tests.data.shop import write_shop
from tests.skips import require

pytestmark = pytest.mark.slow

COMMANDS = (
    "glint-edge train --data taps.csv --items products.csv --item-field category --out runs/mine",
    "glint-edge export runs/mine --target onnx --quantize int8 --out mine.glint",
    "glint-edge embed mine.glint --platform web --out my-web",
)
SHOWN = 24


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """The shop's folder, with all that the commands left there."""
    require("onnxscript", "onnx")
    folder = tmp_path_factory.mktemp("shop")
    write_shop(folder, visitors=120, skus=200)
    products = folder / "products.csv"
    products.write_text(products.read_text("utf-8").replace("No. 3,", "<b>No. 3</b>,"), "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for words in map(shlex.split, COMMANDS):
            patch.setattr("sys.argv", words)
            with pytest.raises(SystemExit) as end:
                cli.main()
            assert not end.value.code, words
    build_module(folder / "my-web", "exec", "vite", "build")  # types: when the library is built
    return folder


@pytest.fixture(scope="module")
def server(shop):
    with serve(shop / "my-web/dist") as served:
        yield served


@pytest.fixture
def page(browser, server):
    """A desktop's, which throws nothing."""
    wrong = []
    context = browser.new_context(
        viewport={"width": 1440, "height": 900}, bypass_csp=True, reduced_motion="reduce"
    )
    opened = context.new_page()
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    yield opened
    context.close()
    assert wrong == []


@pytest.fixture(scope="module")
def products(shop):
    """Title and category of each item that the model knows, the most popular first."""
    with (shop / "products.csv").open(newline="") as file:
        rows = {row["sku"]: (row["title"], row["category"]) for row in csv.DictReader(file)}
    return [rows[key] for key in json.loads((shop / "mine.glint/items.json").read_text())["keys"]]


def ready(page):
    page.locator("#status", has_text="Ready").wait_for()


def settled(page, act):
    """Do something, and wait for the list after it."""
    page.evaluate("document.querySelector('#status').textContent = ''")
    act()
    page.wait_for_function("document.querySelector('#status').textContent !== ''")


def chip(page, name):
    return page.get_by_role("group", name="Category").get_by_role("button", name=name, exact=True)


def shown(page):
    titles = page.locator("#top .title").all_inner_texts()
    return list(zip(titles, page.locator("#top .more").all_inner_texts(), strict=True))


def test_three_commands_lead_to_a_page_that_filters_and_hides(page, server, products):
    page.goto(server.address)
    ready(page)
    assert page.title().startswith("mine")
    assert page.get_by_role("heading", level=1).inner_text() == "mine"
    assert shown(page) == products[:SHOWN]
    assert "<b>No. 3</b>, in blue" in dict(products[:SHOWN])
    assert page.locator("#top b").count() == 0

    chip(page, "hats").click()
    page.wait_for_function("document.querySelector('#top .more').textContent === 'hats'")
    hats = [one for one in products if one[1] == "hats"]
    assert shown(page) == hats[:SHOWN]
    settled(page, chip(page, 'bags "small"').click)
    assert {kind for _, kind in shown(page)} == {"hats", 'bags "small"'}
    settled(page, chip(page, "All").click)

    title = products[0][0]
    settled(page, page.locator("#top .take").first.click)
    assert page.get_by_role("heading", name="For you").is_visible()
    assert page.locator("#history .title").all_inner_texts() == [title]
    hide = page.get_by_label("Hide what I have seen")
    assert not hide.is_checked()  # people take an item again here
    assert title not in dict(shown(page))  # but not what was just tapped
    settled(page, page.locator("#top .take").first.click)
    last, first = page.locator("#history .title").all_inner_texts()
    assert first == title
    assert title in dict(shown(page)) and last not in dict(shown(page))
    settled(page, hide.check)
    assert not {first, last} & {*dict(shown(page))}

    # All that the catalogue has, and no item twice.
    while page.locator("#more").is_visible():
        settled(page, page.locator("#more").click)
    assert sorted(shown(page)) == sorted(one for one in products if one[0] not in (first, last))


def test_more_like_this_is_a_list_of_its_own_with_a_way_back(page, server, products):
    page.goto(server.address)
    ready(page)
    title = products[1][0]
    settled(page, page.locator("#top .like").nth(1).click)
    assert page.get_by_role("heading", name=f"More like {title}").is_visible()
    assert page.evaluate("document.activeElement.id") == "top-label"
    like = shown(page)
    assert title not in dict(like) and like != products[:SHOWN]
    settled(page, chip(page, "hats").click)
    assert {kind for _, kind in shown(page)} == {"hats"}
    settled(page, chip(page, "All").click)
    assert shown(page) == like
    settled(page, page.go_back)
    assert page.get_by_role("heading", name="Most popular").is_visible()
    assert shown(page) == products[:SHOWN]


def test_the_popular_are_there_before_the_runtime_and_taps_wait_for_it(browser, shop, products):
    site = shop / "my-web/dist"
    (wasm,) = (file.name for file in (site / "assets").glob("ort-wasm*.wasm"))
    with serve(site) as own:
        own.stalled.add(f"/assets/{wasm}")
        page = browser.new_page()
        page.goto(own.address)
        page.locator("#top .take").first.wait_for()
        assert shown(page) == products[:SHOWN]
        assert page.get_by_role("progressbar", name="Loading the model").is_visible()
        chip(page, "hats").click()
        assert {kind for _, kind in shown(page)} == {"hats"}
        page.locator("#top .take").nth(2).click()
        assert page.locator("#history .title").count() == 1
        own.stalled.clear()
        own.released.set()
        ready(page)
        assert page.get_by_role("heading", name="For you").is_visible()
        assert {kind for _, kind in shown(page)} == {"hats"}
        assert page.get_by_role("progressbar").count() == 0
        page.close()


def test_it_is_accessible_and_uses_a_desktops_width(page, server, shop):
    page.goto(server.address)
    ready(page)
    settled(page, page.locator("#top .take").first.click)
    settled(page, page.locator("#top .like").nth(2).click)
    page.add_script_tag(path=shop / "my-web/node_modules/axe-core/axe.min.js")
    # All of it in light colours, one of each part in dark ones.
    parts = "{ include: ['header', '#past', '.head', '.tools', '#top li:first-child'] }"
    for scheme, part in {"light": "document", "dark": parts}.items():
        page.emulate_media(color_scheme=scheme)
        report = page.evaluate(f"axe.run({part})")
        assert [(each["id"], each["nodes"][0]["html"]) for each in report["violations"]] == []
        assert len(report["passes"]) > 0
    across = page.evaluate(
        "getComputedStyle(document.querySelector('#top')).gridTemplateColumns.split(' ').length"
    )
    assert across == 6


def test_the_progress_bar_knows_how_large_the_runtimes_are(shop):
    module = shop / "my-web"
    files = {
        "onnx": "onnxruntime-web/dist/ort-wasm-simd-threaded.wasm",
        "litert": "@litertjs/core/wasm/litert_wasm_compat_internal.wasm",
    }
    for page, file in files.items():
        declared = re.search(r"bytes: ([\d_]+)", (module / f"src/{page}-page.ts").read_text())
        assert int(declared[1]) == (module / "node_modules" / file).stat().st_size
