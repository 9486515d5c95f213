"""README's example as it is printed: its commands run, its output comes, its page opens."""

import re
import shlex
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FIGURE = re.compile(r"\d+\.\d+")  # of a training and of times; counts are exact
PAGE = "cd my-shop && npm ci && npm run build && npm run preview"

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("in_process")]


def printed():
    """Each command of README's example, and the lines that are printed below it."""
    (block,) = CONSOLE.findall(README)
    for step in re.split(r"^\$ ", block.replace("\\\n", " "), flags=re.MULTILINE)[1:]:
        command, *lines = step.splitlines()
        yield " ".join(command.split()), lines


def same(printed, said):
    """Whether a line is the printed one, figures apart that another machine may end otherwise."""
    if FIGURE.sub("", printed.rstrip()) != FIGURE.sub("", said.rstrip()):
        return False
    pairs = zip(FIGURE.findall(printed), FIGURE.findall(said), strict=True)
    return all(abs(float(one) - float(other)) < 0.02 * max(1, float(one)) for one, other in pairs)


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


def test_the_example_gives_what_is_printed(run, tmp_path, monkeypatch, browser):
    from tests.apps.web_site import build_module, serve

    shutil.copytree(ROOT / "examples/shop", tmp_path / "examples/shop")
    monkeypatch.chdir(tmp_path)
    *commands, (last, _) = printed()
    assert [shlex.split(command)[1] for command, _ in commands] == [
        "train", "evaluate", "export", "recommend", "embed",
    ]  # fmt: skip
    for command, lines in commands:
        code, said, err = run(*shlex.split(command)[1:])
        assert code == 0, err
        require_same(lines, said)
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


def test_a_line_that_is_not_as_printed_is_seen():
    require_same(["a 0.50", "…", "c 12 b"], "a 0.505\nb\nc 12 b\n")
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
