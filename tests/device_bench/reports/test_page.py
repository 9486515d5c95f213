"""The page in a real browser."""

import io

import pytest
from PIL import Image

from device_bench.reports.html import html


@pytest.fixture
def visit(browser, tmp_path):
    """Open a document's page: it may say nothing on the console and ask for nothing else."""
    pages = []

    def open_page(document, *, scheme="light", width=1280, script=True):
        file = tmp_path / "page.html"
        file.write_text(html(document), encoding="utf-8")
        page = browser.new_page(
            viewport={"width": width, "height": 844}, color_scheme=scheme,
            java_script_enabled=script,
        )  # fmt: skip
        page.said, page.asked = [], []
        page.on("console", lambda message: page.said.append(message.text))
        page.on("pageerror", lambda error: page.said.append(str(error)))
        page.on("request", lambda request: page.asked.append(request.url))
        page.goto(file.as_uri())
        pages.append((page, file.as_uri()))
        return page

    yield open_page
    for page, address in pages:
        assert page.said == []
        assert page.asked == [address]
        page.close()


def colours(png):
    """How many different ones there are; a blank page has one."""
    return len(Image.open(io.BytesIO(png)).convert("RGB").getcolors(1 << 24))


def names_of(page):
    return page.locator("#rows tbody th").all_inner_texts()


@pytest.mark.slow
def test_a_click_sorts_by_a_column_and_says_so(full, visit):
    page = visit(full)
    head = page.get_by_role("columnheader", name="tap µs", exact=True).first
    assert head.get_attribute("aria-sort") is None
    before = names_of(page)
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    cells = page.locator("#rows tbody tr td:nth-of-type(1)").all_inner_texts()
    assert [cell.split()[0] for cell in cells] == [
        "38.0", "57.0", "95.0", "190", "760", "1,800", "–", "–",
    ]  # fmt: skip
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "descending"
    cells = page.locator("#rows tbody tr td:nth-of-type(1)").all_inner_texts()
    assert [cell.split()[0] for cell in cells][:2] == ["1,800", "760"]
    assert cells[-1] == "–"  # what has no figure stays last
    other = page.get_by_role("columnheader", name="artifact").first
    other.get_by_role("button").focus()
    page.keyboard.press("Enter")
    assert names_of(page) == before
    assert page.locator("[aria-sort]").count() == 1


@pytest.mark.slow
@pytest.mark.parametrize("width", [1280, 390])
def test_a_page_fits_and_is_drawn_in_light_and_dark(full, scaled, visit, width):
    for document in (full, scaled):
        shown = {}
        for scheme in ("light", "dark"):
            page = visit(document, scheme=scheme, width=width)
            assert page.evaluate("document.documentElement.scrollWidth") == width
            if (
                document is full
            ):  # name, tap, cold start, file, memory, accuracy, verdict: unscrolled
                assert page.evaluate(
                    "(rows => rows.scrollWidth <= rows.parentElement.clientWidth)"
                    "(document.getElementById('rows'))"
                )
                assert page.locator("#rows tbody tr").first.locator("td:visible").count() == 6
                assert page.get_by_text("peak MB").is_visible() is False, "the rest is folded"
            shown[scheme] = page.screenshot(full_page=True)
            assert colours(shown[scheme]) > 100
            ink = page.locator("figure.plot text").first.evaluate("e => getComputedStyle(e).fill")
            page_colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
            brightness = [int(c.split("(")[1].split(",")[0]) for c in (ink, page_colour)]
            assert (brightness[0] < brightness[1]) == (scheme == "light")
        assert shown["light"] != shown["dark"]


@pytest.mark.slow
def test_without_scripts_the_table_is_plain_and_whole(full, visit):
    page = visit(full, script=False)
    assert page.locator("#rows tbody tr").count() == 8
    assert page.locator("#rows button").count() == 0
