"""The site builds without a warning, and asks no other server for anything."""

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

import glint_edge as ge

ROOT = Path(__file__).parents[1]
PACKAGES = ("glint_edge", "quantization", "converters", "device_bench")
TROUBLESHOOTING = (ROOT / "docs/troubleshooting.md").read_text("utf-8")
QUOTED = re.findall(r"^### `+ ?(.*?) ?`+$", TROUBLESHOOTING, re.MULTILINE)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The built site: mkdocs holds every link, anchor, page and name of the API."""
    out = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(out)],
        cwd=ROOT, capture_output=True, text=True, check=False,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return out


def test_no_page_asks_another_server(site):
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 40
    asked = re.compile(r'<(?:script|link|img|iframe)\b[^>]*\b(?:src|href)="(?:https?:)?//')
    assert [page.name for page in pages if asked.search(page.read_text("utf-8"))] == []


def test_commands_calls_and_the_api_are_on_the_site(site):
    commands = (site / "commands.html").read_text("utf-8")
    for words in ("train", "bench diff", "catalogue add", "device setup"):
        assert f">{words}<" in commands
    assert "--user-column" in commands
    calls = (site / "calls.html").read_text("utf-8")
    for code in ("ts", "kotlin", "swift", "cpp", "c"):
        assert f"language-{code} highlight" in calls
    python = (site / "python.html").read_text("utf-8")
    for name in set(ge.__all__) - {"load", "GlintEdgeError"}:
        assert re.search(rf'id="[\w.]*\.{name}"', python), name


@pytest.mark.parametrize("page", ["calls.md"])
def test_public_calls_are_cut_out_of_the_sources(page):
    hook = runpy.run_path(str(ROOT / "scripts/site_calls.py"))
    text = hook["on_page_markdown"]((ROOT / "docs" / page).read_text("utf-8"), None, None, None)
    for line in (
        "  async append(key: string): Promise<void>\n",
        "    fun append(key: String)\n",
        "  public func append(_ key: String) throws\n",
        "  void append(const std::string& key);\n",
        "GLINT_API void glint_append(",
    ):
        assert line in text
    assert "private" not in re.sub(r"private(\(set\)|:| readonly| final)", "", text)
    assert "internal" not in text


def test_sources_are_links_where_the_repository_is_known():
    links = runpy.run_path(str(ROOT / "scripts/site_links.py"))["with_links"]
    pages = {"CHANGELOG.md": "changelog.md"}
    code = "\n\n    [d](../x.py)\n"
    page = f"[a](../glint_edge/errors.py) [b](data.md#columns) [c](../CHANGELOG.md){code}"
    assert links(page, "docs/engine.md", "https://host/me/it", pages) == (
        "[a](https://host/me/it/blob/main/glint_edge/errors.py) [b](data.md#columns) "
        f"[c](changelog.md){code}"
    )
    assert links("[data.md](data.md#columns)", "docs/engine.md", "", pages) == (
        "[Reading a log](data.md#columns)"
    )
    assert links("[a](../x.py)", "docs/engine.md", "", pages) == "a"
    assert links("[e](docs/engine.md#the-file)", "CHANGELOG.md", "", pages) == (
        "[e](engine.md#the-file)"
    )


# ---- troubleshooting -----------------------------------------------------------------------------


def test_what_troubleshooting_quotes_is_said_in_the_code():
    """Sources with texts that go over several lines as one, and `…` where a value stands."""
    sources = "\n".join(
        re.sub(r"\{[^{}\n]*\}", "…", re.sub(r"\"\s*\n\s*f?\"", "", path.read_text("utf-8")))
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
    )
    assert len(QUOTED) > 25
    for quoted in QUOTED:
        parts = [re.escape(part.strip()) for part in quoted.split("…") if part.strip()]
        assert max(map(len, parts)) > 10, quoted
        assert re.search("[^\n]*".join(parts), sources), f"no error says {quoted!r} any more"


# ---- versions ------------------------------------------------------------------------------------


def test_the_versions_of_formats_are_the_codes_own():
    from device_bench.document import VERSION as BENCH
    from glint_edge.bundles.engine_file import VERSION as ENGINE
    from glint_edge.bundles.manifest import SCHEMA_VERSION
    from glint_edge.checkpoints.checkpoint import FORMAT_VERSION
    from glint_edge.data.neighbours import VERSION as NEIGHBOURS
    from glint_edge.data.sharded.doors import VERSIONS as SHARDS
    from glint_edge.runtime.session_bytes import VERSION as SESSION

    rows = re.findall(
        r"^\| ([\w ]+) \|.*\| (\d)[^|]* \| ([\d, to]+) \|$",
        (ROOT / "docs/versions.md").read_text("utf-8"), re.MULTILINE,
    )  # fmt: skip
    assert rows == [
        ("bundle", f"{SCHEMA_VERSION}", f"{SCHEMA_VERSION}"),
        ("engine file", f"{ENGINE}", f"{ENGINE}"),
        ("neighbours", f"{NEIGHBOURS}", f"{NEIGHBOURS}"),
        ("session", f"{SESSION}", f"{SESSION}"),
        ("bench", f"{BENCH}", f"{BENCH}"),
        ("checkpoint", f"{FORMAT_VERSION}", f"1 to {FORMAT_VERSION}"),
        ("shards", f"{SHARDS[0]}", ", ".join(map(str, SHARDS))),
    ]


def test_the_citation_names_this_version():
    text = (ROOT / "CITATION.cff").read_text("utf-8")
    version = re.search(r'^version = "(.*)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert f"\nversion: {version[1]}\n" in text and "2406.10244" in text


def test_actions_are_pinned_and_publishing_waits_for_a_person():
    for path in (ROOT / ".github/workflows").glob("*.yml"):
        text = path.read_text("utf-8")
        uses = re.findall(r"uses: (\S+)", text)
        assert uses and all(re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", each) for each in uses), (
            path.name
        )
        if "pypi-publish" in text:
            assert path.name == "release.yml"
            job = text[text.index("\n  publish:") :]
            assert "\n    environment: pypi\n" in job and "secrets." not in text


def test_the_picture_of_the_stream_is_what_its_script_draws():
    picture = runpy.run_path(str(ROOT / "scripts/stream_picture.py"))
    for scheme in picture["COLOURS"]:
        file = ROOT / f"docs/images/stream-{scheme}.svg"
        assert file.read_text("utf-8") == picture["draw"](scheme)
