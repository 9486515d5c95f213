"""What a terminal's encoding lacks ends no command; files are UTF-8 whatever it is."""

import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from glint_edge.cli import app as cli
from tests.cli.conftest import call

ROOT = Path(__file__).parents[2]
TITLES = {"i0": "Amélie", "i1": "七人の侍", "i2": "🎬 Фильм", "i3": "ŽÄ\u200b"}


@pytest.fixture(scope="module")
def titled(bundle, tmp_path_factory):
    """The bundle, with titles that no old encoding has all of."""
    folder = tmp_path_factory.mktemp("titled")
    rows = "".join(f"{key},{title},{title}\n" for key, title in TITLES.items())
    (folder / "items.csv").write_text(f"key,title,maker\n{rows}", "utf-8")
    out = folder / "app.glint"
    words = ("--items", folder / "items.csv", "--item-field", "maker", "--out", out)
    assert call("catalogue", "describe", bundle, *words) in (0, 1)
    return out


@pytest.fixture
def said_in(monkeypatch):
    """Run a command whose streams have an encoding: exit code, what is in its stdout and stderr."""

    def run(encoding, *words):
        streams = [io.TextIOWrapper(io.BytesIO(), encoding, "strict") for _ in range(2)]
        with monkeypatch.context() as patch:
            patch.setattr("sys.argv", ["glint-edge", *map(str, words)])
            patch.setattr("sys.stdout", streams[0])
            patch.setattr("sys.stderr", streams[1])
            code = 0
            try:
                cli.main()
            except SystemExit as end:
                code = end.code or 0
            for stream in streams:
                stream.flush()
        return code, *(stream.buffer.getvalue().decode(encoding) for stream in streams)

    return run


ENCODINGS = ("ascii", "cp1252")


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("recommend APP i1 -k 25 --show-fields", 0),
        ("recommend APP Amélie -k 3", 0),
        ("recommend APP 七人の", 2),
        ("recommend APP --where maker=漢", 2),
        ("similar APP i2 -k 25", 0),
        ("inspect APP", 0),
        ("--help", 0),
        ("bench --help", 0),
        ("inspect 日本.glint", 2),
        ("train --data Amélie.csv --out 侍", 2),
        ("export --🎬", 2),
        ("🎬", 2),
        ("doctor", 0),
    ],
)
def test_a_command_goes_on_to_its_end(line, code, encoding, titled, said_in, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = [str(titled) if word == "APP" else word for word in line.split()]
    ended, out, err = said_in(encoding, *words)
    assert (ended, "Traceback" in err) == (code, False), err
    assert out if code == 0 else err


def test_json_is_whole_in_any_encoding(titled, said_in):
    for encoding in ENCODINGS:
        code, out, _ = said_in(encoding, "recommend", titled, "i4", "-k", 25, "--json")
        assert code == 0
        shown = {one["key"]: one.get("title") for one in json.loads(out)["items"]}
        assert shown.keys() >= TITLES.keys()
        assert {key: shown[key] for key in TITLES} == TITLES


def test_what_is_written_is_utf_8_in_any_encoding(titled, taps, said_in, tmp_path):
    lists, page = tmp_path / "lists.csv", tmp_path / "copy.glint"
    shutil.copytree(titled, page)
    code, _, err = said_in(
        "ascii", "recommend", titled, "--data", taps, "--out", lists, "-k", 25
    )  # fmt: skip
    assert code == 0, err
    assert all(title in lists.read_text("utf-8") for title in TITLES.values())
    code, _, err = said_in(
        "ascii", "catalogue", "retire", page, "--item", "i9", "--out", tmp_path / "new.glint"
    )  # fmt: skip
    assert code in (0, 1), err
    items = json.loads((tmp_path / "new.glint/items.json").read_text("utf-8"))
    assert items["titles"]["i0"] == "Amélie"


def test_every_text_is_read_and_written_in_a_named_encoding():
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--preview", "--select", "PLW1514", "--no-cache",
         "glint_edge", "converters", "device_bench", "quantization"],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
