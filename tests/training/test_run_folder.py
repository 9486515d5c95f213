"""A run's folder: a kill at every write, and two that train into it."""

import os
import signal
import sys

import pytest

from glint_edge.errors import ConfigError, InUseError
from glint_edge.files import PART
from glint_edge.training.run_folder import claimed
from tests import forked
from tests.logs import write_ring
from tests.training.runs import run


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    return write_ring(tmp_path_factory.mktemp("log") / "ring.txt")


def run_until(log, out, event, name):
    """Train one epoch; die before the first such call about such a file."""

    def audit(happened, arguments):
        if happened == event and any(f"{out}/{name}" in str(each) for each in arguments):
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(audit)
    run(log, out, epochs=1)


@pytest.mark.parametrize(
    ("event", "name", "resumes"),
    [
        ("os.rename", ".resume.", False),
        ("os.rename", ".config.json.", True),
        ("os.remove", "resume.safetensors", True),
    ],
)
def test_after_a_kill_a_run_starts_or_resumes_and_leaves_the_same(
    event, name, resumes, log, tmp_path
):
    out = tmp_path / "run"
    process = forked.start(run_until, log, out, event, name)
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    assert (out / "resume.safetensors").exists() is resumes
    run(log, out, epochs=1, resume=resumes)
    names = {"run.toml", "metrics.jsonl", "curves.png", "config.json", "model.safetensors"}
    assert {path.name for path in out.iterdir()} == {*names, "items.json"}
    assert len((out / "metrics.jsonl").read_text().splitlines()) == 1


def test_of_two_that_train_into_a_folder_the_second_is_refused(log, tmp_path):
    with (
        claimed(tmp_path / "run", resume=False),
        pytest.raises(InUseError, match="another process is writing"),
    ):
        run(log, tmp_path / "run", epochs=1)
    run(log, tmp_path / "run", epochs=1)
    with pytest.raises(ConfigError, match="not empty"):
        run(log, tmp_path / "run", epochs=1)


def test_a_checkpoint_that_came_meanwhile_is_not_replaced(log, tmp_path):
    def copy(progress):
        (tmp_path / "run" / "config.json").write_text("another's")

    with pytest.raises(InUseError, match="wrote a checkpoint"):
        run(log, tmp_path / "run", epochs=1, on_progress=copy)
    assert (tmp_path / "run" / "config.json").read_text() == "another's"


def test_what_was_left_by_a_kill_in_the_first_save_is_swept(log, tmp_path):
    out = tmp_path / "run"
    out.mkdir()
    for name in ("run.toml", ".lock", f".resume.safetensors.0123{PART}"):
        (out / name).touch()
    run(log, out, epochs=1)
    assert not list(out.glob(".*"))
