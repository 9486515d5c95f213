"""The web page of a bundle with fields and pictures, in a real browser."""

import io
import re

import pytest
from PIL import Image

from glint_edge.apps.module import embed, find_platform
from glint_edge.bundles.bundle import load_bundle
from tests.apps.web_site import build_module, serve
from tests.small import small_bundle

pytestmark = [pytest.mark.slow, pytest.mark.full]


@pytest.fixture(scope="module")
def site(make_model, tmp_path_factory):
    """Of 40 items, each in a category; the first have a picture, and one a picture that is gone."""
    folder = tmp_path_factory.mktemp("shop")
    keys = [f"k{n}" for n in range(1, 41)]
    bundle = small_bundle(
        make_model(), folder, keys=keys, titles={key: f"Item {key}" for key in keys},
        fields={"category": dict.fromkeys(keys, "Shoes"), "brand": {"k1": "<b>Acme</b>"}},
        images={key: f"https://cdn.example/{key}.png" for key in keys[:5]},
    )  # fmt: skip
    embed(load_bundle(bundle), find_platform("web"), folder / "app")
    return build_module(folder / "app")


def test_the_page_shows_fields_and_pictures(site, browser):
    asked, wrong, pixel = [], [], io.BytesIO()
    Image.new("RGB", (1, 1)).save(pixel, "PNG")

    def picture(route):
        asked.append(route.request)
        if "k2" in route.request.url:
            route.fulfill(status=404)
        else:
            route.fulfill(content_type="image/png", body=pixel.getvalue())

    with serve(site) as server:
        # A service worker's requests are not seen here.
        page = browser.new_page(service_workers="block", color_scheme="dark")
        page.route(re.compile("^https://"), picture)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto(server.address + "index.html")
        page.locator("#status", has_text="Ready").wait_for()
        page.locator("#top img").nth(3).wait_for(state="attached")
        assert page.locator("#top .title").all_inner_texts() == [f"Item k{n}" for n in range(1, 25)]
        more = page.locator("#top .more").all_inner_texts()
        assert more == ["Shoes · <b>Acme</b>", *["Shoes"] * 23]
        page.locator("#top img").nth(4).wait_for(state="detached")  # the one that is gone
        assert page.locator("#top img").count() == 4
        # Of a field with one value there is nothing to choose; all others have drawn covers.
        assert page.locator("#filters *").count() == 0
        covers = page.locator("#top .cover")
        assert covers.locator("svg:visible").count() == 24 - 4
        assert covers.nth(1).locator("text").text_content() == "IK"
        # Beside a square picture the card itself is seen.
        shot = Image.open(io.BytesIO(covers.nth(0).screenshot())).convert("RGB")
        beside, inside = (shot.getpixel((x, shot.height // 2)) for x in (4, shot.width // 2))
        surface = (
            page.locator("#top li").nth(0).evaluate("e => getComputedStyle(e).backgroundColor")
        )
        assert (surface, inside) == (f"rgb{beside}", (0, 0, 0))
        assert {request.url for request in asked} == {
            f"https://cdn.example/k{n}.png" for n in range(1, 6)
        }
        assert all("referer" not in request.headers for request in asked)
        about = page.locator("#leaves").text_content()
        assert about == "Pictures are fetched (cdn.example); nothing else leaves this device."
        page.close()
    assert wrong == []
