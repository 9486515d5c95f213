"""Replacing the web module's bundle over the air, in a real browser that is also killed."""

import contextlib
import hashlib
import json
import shutil
from types import SimpleNamespace

import psutil
import pytest

from glint_edge.bundles.bundle import write_manifest
from tests.apps.web_site import serve

pytestmark = pytest.mark.slow

NEWEST = "This is the newest model."
TAKEN = "A newer model is here: reload the page to use it."


NO_LATEST = (
    {"path": "../ml-100k.glint"}, {"path": "bundles/../../x"}, {"path": "/bundles/x"},
    {"path": ["bundles/next.glint"]}, {"path": None}, {"path": "a" * 5000},
    {"manifest_sha256": ["0a" * 32]}, {"manifest_sha256": "0A" * 32},
)  # fmt: skip


@pytest.fixture
def server(web_app, tmp_path):
    """The app on a server where `updates/` may be written to."""
    root = tmp_path / "site"
    root.mkdir()
    for path in web_app.site.iterdir():
        (root / path.name).symlink_to(path)
    with serve(root) as served:
        served.updates = root / "updates"
        yield served


@pytest.fixture
def publish(web_app, server):
    """Publish a bundle that differs in the first title; returns its digest."""

    def published(title, *, edit=lambda folder, manifest: None, latest=None):
        shutil.rmtree(server.updates, ignore_errors=True)
        folder = server.updates / "bundles/next.glint"
        shutil.copytree(web_app.bundle.path, folder)
        items = json.loads((folder / "items.json").read_text())
        items["titles"][items["keys"][0]] = title
        (folder / "items.json").write_text(json.dumps(items))
        manifest = {**web_app.bundle.manifest, "name": title}
        for name in ("schema_version", "files", "digest"):
            del manifest[name]
        edit(folder, manifest)
        (folder / "manifest.json").unlink()
        write_manifest(folder, manifest)
        data = (folder / "manifest.json").read_bytes()
        told = {
            "name": title, "path": "bundles/next.glint",
            "manifest_sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data),
        }  # fmt: skip
        (server.updates / "latest.json").write_text(json.dumps({**told, **(latest or {})}))
        return json.loads(data)["digest"]

    return published


@pytest.fixture
def page(browser, server):
    opened = browser.new_page()
    opened.goto(server.address)
    ready(opened)
    yield opened
    opened.close()


def ready(page):
    page.locator("#status", has_text="Ready").wait_for()
    page.locator("summary").click()


def look(page):
    """Ask for a newer model; what the page says."""
    page.get_by_role("button", name="Look for a newer model").click()
    page.locator("#update:enabled").wait_for()
    return page.locator("#checked").inner_text()


def version(page):
    return page.locator("#about").inner_text().split("version ")[1][:8]


def staged(page):
    return page.evaluate(
        "caches.keys().then((k) => k.filter((n) => n.startsWith('glint-edge-version-')).length)"
    )


def test_a_newer_model_is_taken_and_stays_without_a_network(page, server, publish):
    page.get_by_role("combobox").fill("Alien (1979)")
    page.keyboard.press("Enter")
    page.locator("#status", has_text="Added").wait_for()
    digest = publish("Newer")
    assert look(page) == TAKEN
    assert look(page) == NEWEST
    page.reload()
    ready(page)
    assert version(page) == digest[:8]
    # The session's bytes were of the other model: it began again from its history.
    assert page.locator("#history .title").all_inner_texts() == ["Alien (1979)"]
    page.get_by_role("button", name="Clear").click()
    page.locator("#top .title", has_text="Newer").wait_for()
    server.shutdown()
    server.server_close()
    page.reload()
    ready(page)
    assert version(page) == digest[:8]


def test_the_bundle_that_the_app_is_a_part_of_is_the_version_in_use(page, server, web_app):
    folder = server.updates / "bundles/next.glint"
    shutil.copytree(web_app.bundle.path, folder)
    version = hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest()
    latest = {"name": "same", "path": "bundles/next.glint", "manifest_sha256": version, "bytes": 1}
    (server.updates / "latest.json").write_text(json.dumps(latest))
    assert look(page) == NEWEST
    assert staged(page) == 0


def test_what_is_damaged_or_wrong_is_refused_and_the_old_one_stays(page, server, publish, web_app):
    folder = server.updates / "bundles/next.glint"

    def flip(name):
        data = bytearray((folder / name).read_bytes())
        data[len(data) // 2] ^= 1
        (folder / name).write_bytes(data)

    def wrong_golden(folder, manifest):
        golden = json.loads((folder / "golden.json").read_text())
        golden["cases"][3]["scores"][0] += 100
        (folder / "golden.json").write_text(json.dumps(golden))

    def cut(name):
        (folder / name).write_bytes((folder / name).read_bytes()[:-1])

    attempts = [
        ({}, lambda: flip("model.onnx"), "model.onnx is damaged: its sha256"),
        ({}, lambda: cut("items.json"), "bytes, its manifest says"),
        ({}, lambda: (folder / "golden.json").unlink(), "the server says 404"),
        ({}, lambda: flip("manifest.json"), "manifest.json is damaged"),
        ({}, lambda: (server.updates / "latest.json").write_text("{"), "is no JSON"),
        ({}, lambda: (server.updates / "latest.json").write_text("{}"), "names no bundle"),
        *(({"latest": latest}, lambda: None, "names no bundle below") for latest in NO_LATEST),
        ({"edit": wrong_golden}, lambda: None, "golden case 3: the score in place 1"),
        ({}, lambda: shutil.rmtree(server.updates), "latest.json cannot be loaded"),
    ]
    for options, spoil, expected in attempts:
        publish("Spoiled", **options)
        spoil()
        assert expected in look(page)
        assert staged(page) == 0, expected
    page.reload()
    ready(page)
    assert version(page) == web_app.bundle.manifest["digest"][:8]
    publish("Whole")
    assert look(page) == TAKEN


def test_a_damaged_version_gives_way_to_the_last_good_one(page, publish, web_app):
    digests = [web_app.bundle.manifest["digest"]]
    for title in ("Second", "Third", "Fourth"):
        digests.append(publish(title))
        assert look(page) == TAKEN
    app, _, last_good, current = digests
    for kept, expected in ((2, current), (1, last_good), (0, app)):
        page.reload()
        ready(page)
        assert (version(page), staged(page)) == (expected[:8], kept)
        page.evaluate("""async () => {
            const pointers = await caches.open('glint-edge-pointer');
            const [newest] = await pointers.keys();
            const { current } = await (await pointers.match(newest)).json();
            if (current === null) return;
            const cache = await caches.open(`glint-edge-version-${current}`);
            const files = await cache.keys();
            await cache.delete(files.find(({ url }) => url.endsWith('items.json')));
        }""")


# ---- the store alone: nothing is loaded ----------------------------------------------------------


@pytest.fixture
def store(browser, server):
    """A page with the library; `update` and `open` of a store, which give versions' first letters.

    `open` refuses what is named.
    """
    page = browser.new_page()
    page.goto(server.address + "library.html")

    def update(**options):
        return page.evaluate(
            """options => new BundleStore(fromUrl(place))
                .update('updates/latest.json', async () => {}, options).catch((e) => e.code)""",
            options,
        )

    def opened(*refused):
        return page.evaluate(
            """refused => new BundleStore(fromUrl(place)).open(async (source) => {
                const { name } = JSON.parse(
                    new TextDecoder().decode(await source.read('manifest.json')));
                if (refused.includes(name)) throw new TypeError('of a runtime');
                return name;
            })""",
            refused,
        )

    yield SimpleNamespace(page=page, update=update, open=opened)
    page.close()


def day(number):
    return f"2999-01-{number:02}T00:00:00.000000+00:00"


def test_open_goes_on_whatever_a_load_throws(store, publish):
    for name in ("one", "two"):
        publish(name)
        assert store.update() is True
    assert [store.open(), store.open("two")] == ["two", "one"]
    assert store.open("one", "two") not in ("one", "two")
    assert staged(store.page) == 2
    assert store.open() == "two"


def test_a_pointer_that_cannot_be_read_costs_no_version(store, publish):
    for name in ("one", "two"):
        publish(name)
        store.update()
    lists = json.dumps({"current": ["0a" * 32], "previous": None})
    for text in ("", "{", "[]", lists, '{"current": "../x", "previous": null}'):
        store.page.evaluate(
            """async text => {
                const cache = await caches.open('glint-edge-pointer');
                for (const entry of await cache.keys()) await cache.put(entry, new Response(text));
            }""",
            text,
        )
        assert store.open() == "two"
        assert store.open("two") == "one"
        assert staged(store.page) == 2
    assert store.update() is False  # and points to what is here again
    assert store.page.evaluate("caches.open('glint-edge-pointer').then((c) => c.keys())")
    assert store.open("two") == "one"
    publish("three")
    assert store.update() is True
    assert staged(store.page) == 2


def test_an_old_announcement_is_refused_unless_it_is_asked_for(store, publish):
    publish("new", latest={"published": day(2)})
    assert store.update() is True
    publish("old", latest={"published": day(1)})
    assert store.update() == "older"
    assert (store.open(), staged(store.page)) == ("new", 1)
    assert store.update(older=True) is True
    assert store.open() == "old"


def test_without_a_time_of_announcement_the_bundles_own_counts(store, publish):
    def made(time):
        return lambda folder, manifest: manifest.update(created=time)

    publish("too old", edit=made("2000-01-01T00:00:00+00:00"))  # older than the app's own
    assert store.update() == "older"
    publish("new", edit=made("2999-01-02T00:00:00+00:00"))
    assert store.update() is True
    publish("old", edit=made("2999-01-01T00:00:00+00:00"))
    assert store.update() == "older"
    assert (store.open(), staged(store.page)) == ("new", 1)


def test_going_back_to_the_version_before_may_fail_and_succeed(page, server, publish):
    for title in ("Second", "Third"):
        digest = publish(title)
        assert look(page) == TAKEN
    publish("Second")
    (server.updates / "bundles/next.glint/items.json").write_text("{}")
    assert "items.json" in look(page)
    assert staged(page) == 1
    page.reload()
    ready(page)
    assert version(page) == digest[:8]
    digest = publish("Second")
    assert look(page) == TAKEN
    assert staged(page) == 2
    page.reload()
    ready(page)
    assert version(page) == digest[:8]


def test_a_browser_that_keeps_nothing_has_the_apps_own_bundle(page, publish, web_app):
    publish("Newer")
    assert look(page) == TAKEN
    page.add_init_script(
        "Object.defineProperty(window, 'caches', { get() { throw new Error('blocked'); } })"
    )
    page.reload()
    ready(page)
    assert version(page) == web_app.bundle.manifest["digest"][:8]


def test_a_kill_in_the_middle_leaves_the_old_one_and_no_leftovers(
    chromium, server, publish, web_app, tmp_path
):
    profile = tmp_path / "profile"
    digest = publish("After the kill")
    server.stalled.add("/updates/bundles/next.glint/model.tflite")
    for killed in (True, False):
        context = chromium.launcher.launch_persistent_context(profile, **chromium.options)
        page = context.new_page()
        page.goto(server.address)
        ready(page)
        assert version(page) == web_app.bundle.manifest["digest"][:8]
        assert staged(page) == 0
        if killed:
            page.get_by_role("button", name="Look for a newer model").click()
            assert server.reached.wait(20)
            assert staged(page) == 1
            kill(profile)
            with contextlib.suppress(Exception):  # the browser is gone
                context.close()
            server.stalled.clear()
    assert look(page) == TAKEN
    page.reload()
    ready(page)
    assert version(page) == digest[:8]
    context.close()


def kill(profile):
    """End a browser at once, and whatever it started, by its profile's path."""
    for process in psutil.process_iter(["cmdline"]):
        if f"--user-data-dir={profile}" in (process.info["cmdline"] or ()):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
