"""README's example and the tutorial as they are printed: commands run, output comes, a page opens.

Both go the same way, so what they have in common is run once.
"""

import re
import shlex
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
TUTORIAL = (ROOT / "docs/tutorial.md").read_text("utf-8")
CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FIGURE = re.compile(r"(\d+\.\d+)( ±|%| points)?")  # of a training and of times; counts are exact
PAGE = "cd my-shop && npm ci && npm run build && npm run preview"
COPIES = {"events.csv": "examples/shop/taps.csv", "products.csv": "examples/shop/products.csv"}
CALLED = {**COPIES, "shop-web": "my-shop"}  # in the tutorial, and in README

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("in_process")]


def printed(page):
    """Each command of a page's examples, and the lines that are printed below it."""
    for block in CONSOLE.findall(page):
        for step in re.split(r"^\$ ", block.replace("\\\n", " "), flags=re.MULTILINE)[1:]:
            command, *lines = step.splitlines()
            yield " ".join(command.split()), lines


def same(printed, said):
    """Whether a line is the printed one, figures apart that another machine may end otherwise."""
    if FIGURE.sub(r"\2", printed.rstrip()) != FIGURE.sub(r"\2", said.rstrip()):
        return False
    return all(map(near, FIGURE.finditer(printed), FIGURE.finditer(said)))


def near(printed, said):
    """Within 0.02, of a share in percent 2 points, and of a score a tenth."""
    one, other = float(printed[1]), float(said[1])
    return abs(one - other) < (2 if printed[2] else 0.02 if one < 1 else 0.1 * one)


def require_same(printed, said):
    """Every printed line comes, in this order; between them what … stands for."""
    places, start, gap = said.splitlines(), 0, False
    for line in printed:
        if line == "…":
            gap = True
            continue
        found = next((n for n in range(start, len(places)) if same(line, places[n])), None)
        assert found is not None and (gap or found == start), f"not as printed: {line}\n{said}"
        start, gap = found + 1, False
    assert start == len(places) or gap, f"more than is printed:\n{said}"


@dataclass
class Shop:
    """A folder in which the commands of both pages are run, and what each printed."""

    folder: Path
    said: dict[str, tuple[str, str]] = field(default_factory=dict)

    def run(self, run, command):
        """What a command prints on stdout and stderr; the first time, it is run."""
        if command not in self.said:
            code, out, err = run(*shlex.split(command)[1:])
            assert code == 0, err
            self.said[command] = out, err
        return self.said[command]


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shop")
    shutil.copytree(ROOT / "examples/shop", folder / "examples/shop")
    return Shop(folder)


def test_the_example_gives_what_is_printed(run, shop, monkeypatch, browser):
    from tests.apps.web_site import build_module, serve

    monkeypatch.chdir(shop.folder)
    *commands, (last, _) = printed(README)
    assert [shlex.split(command)[1] for command, _ in commands] == [
        "train", "evaluate", "export", "recommend", "embed",
    ]  # fmt: skip
    for command, lines in commands:
        require_same(lines, shop.run(run, command)[0])
    assert last == PAGE
    with serve(build_module(Path("my-shop"), "exec", "vite", "build")) as server:
        page = browser.new_page()
        page.goto(server.address)
        page.locator("#status", has_text="Ready").wait_for()
        for title in ("Tent for two", "Sleeping mat"):
            page.get_by_role("combobox").fill(title)
            page.keyboard.press("Enter")
            page.locator("#status", has_text=f"Added {title}").wait_for()
        listed = page.locator("#top .title").all_inner_texts()[:5]
        page.close()
    recommended = next(lines for command, lines in commands if " recommend " in command)
    assert listed == [line.split("│")[2].strip() for line in recommended if line[:2] == "│ "][-5:]


def test_the_tutorial_gives_what_is_printed(run, shop, monkeypatch):
    """Its files are copies of those that README's commands read, so these are not run again."""
    monkeypatch.chdir(shop.folder)
    *commands, (last, _) = printed(TUTORIAL)
    for command, lines in commands:
        if not command.startswith("glint-edge "):
            done = subprocess.run(shlex.split(command), capture_output=True, text=True, check=True)
            require_same(lines, done.stdout)
            continue
        words = [CALLED.get(word, word) for word in shlex.split(command)]
        out, err = shop.run(run, shlex.join(words))
        said = re.sub(r"\btaps\.csv", "events.csv", (err + out).replace("my-shop", "shop-web"))
        require_same(lines if lines[0].startswith("events.csv") else ["…", *lines], said)
    assert all(Path(copy).read_bytes() == Path(of).read_bytes() for copy, of in COPIES.items())
    assert len(shop.said) <= 6, "what README runs, and a list by keys"
    assert last == PAGE.replace("my-shop", "shop-web")


def test_a_line_that_is_not_as_printed_is_seen():
    require_same(["a 0.50", "…", "c 12 b"], "a 0.505\nb\nc 12 b\n")
    require_same(["80.2%: +16.7 ± 5.2 points", "4.309"], "80.9%: +17.5 ± 5.9 points\n4.585")
    for said in ("80.2%: +18.8 ± 5.2 points\n4.309", "80.2%: +16.7 ± 5.2 points\n4.809"):
        with pytest.raises(AssertionError):
            require_same(["80.2%: +16.7 ± 5.2 points", "4.309"], said)
    for said in ("a 0.60\nc 12 b", "a 0.50\nc 13 b", "a 0.50\nc 12 b\nd", "x\na 0.50\nc 12 b"):
        with pytest.raises(AssertionError):
            require_same(["a 0.50", "…", "c 12 b"], said)


def test_it_is_short_and_its_pictures_are_small_and_in_both_colours():
    assert len(README.splitlines()) <= 150
    pictures = re.findall(r'<source media="\(prefers-color-scheme: dark\)" srcset="(.*?)">', README)
    assert len(pictures) == 2
    for dark in pictures:
        light = dark.replace("dark", "light")
        assert f'<img src="{light}" alt="' in README
        assert all((ROOT / name).stat().st_size < 75_000 for name in (dark, light))
    assert all("url(http" not in svg.read_text() for svg in (ROOT / "docs/images").glob("*.svg"))
