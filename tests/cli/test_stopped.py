"""Ctrl-C: each long command says what is kept, and how to go on."""

import re
import shlex

import pytest

from glint_edge.cli.endings import keeping, noted
from glint_edge.cli.signals import Stopped
from tests.cli.streams import only_line
from tests.terminals import CTRL_C, struck

SMALL = "--d 8 --heads 2 --max-length 12 --epochs 2 --batch-positions 64 --threads 1"


def stop(*_, **__):
    raise KeyboardInterrupt


@pytest.fixture
def stopped(run, monkeypatch):
    """Run a line in which one function is stopped; what is said of it."""

    def call(line, where, names=()):
        with monkeypatch.context() as patch:
            patch.setattr(where, stop)
            code, out, err = run(*(dict(names).get(word, word) for word in shlex.split(line)))
        assert (code, out) == (130, "")
        return only_line(err)

    return call


def test_a_training_goes_on_by_the_command_that_is_named(taps, run, stopped, tmp_path):
    out = tmp_path / "run"
    line = f"train --data {taps} --out {out} {SMALL}"
    said = stopped(line, "glint_edge.training.train.epochs")
    assert said == "error: stopped; no epoch was complete, so nothing is kept: start it again"
    said = stopped(line, "glint_edge.training.train._finish")
    command = f"glint-edge train --config {out / 'run.toml'} --resume"
    assert said == f"error: stopped; 2 epochs of it are kept in {out}: {command}"
    assert run(*shlex.split(command)[1:])[0] == 0
    (out / "metrics.jsonl").write_text("{}\n")
    said = stopped(f"train --config {out / 'run.toml'} --out {out}2", "glint_edge.api.train")
    assert "no epoch was complete" in said


def test_ctrl_c_at_a_terminal_says_it_in_a_line_and_leaves_the_cursor(taps, tmp_path):
    out = tmp_path / "run"
    metrics = out / "metrics.jsonl"
    line = f"train --data {taps} --out {out} {SMALL} --epochs 100000 --patience 100000"
    code, sent = struck(shlex.split(line), CTRL_C, lambda: metrics.exists() and metrics.read_text())
    assert code == 130, sent
    assert sent.rindex("\x1b[?25h") > sent.rindex("\x1b[?25l")
    epochs = len(metrics.read_text().splitlines())
    (said,) = re.findall("error: .*", re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", sent))
    assert re.match(rf"error: stopped; {epochs} epochs? of it (is|are) kept in ", said)
    assert said.endswith(f" {out}: glint-edge train --config {out / 'run.toml'} --resume")
    assert "Traceback" not in sent


def test_a_search_goes_on_by_the_same_command(taps, run, stopped, tmp_path, monkeypatch):
    out = tmp_path / "study"
    line = f"tune --data {taps} --out {out}"
    said = stopped(line, "glint_edge.training.tune.tune")
    assert said == "error: stopped; no trial was finished, so nothing is kept: start it again"
    (out).mkdir()
    (out / "best.json").touch()
    said = stopped(line, "glint_edge.training.tune.tune")
    assert said == (
        f"error: stopped; the trials that were finished are kept in {out}: the same command goes on"
    )


AGAIN = "nothing is kept: start it again"


@pytest.mark.parametrize(
    ("line", "where", "says"),
    [
        ("export RUN --target onnx --out new.glint", "converters.export.export", AGAIN),
        ("export RUN --target onnx --out BUNDLE", "converters.export.export",
         "nothing is kept, and BUNDLE is as it was: start it again"),
        ("embed BUNDLE --platform python --out new", "glint_edge.apps.module.embed", AGAIN),
        ("shard TAPS --out new", "glint_edge.data.sharded.sharding.make_shards", AGAIN),
        ("import TAPS --out new", "glint_edge.checkpoints.recbole.import_recbole", AGAIN),
        ("pull someone/shop --out new", "glint_edge.checkpoints.hub.fetch",
         "what was downloaded is kept: the same command goes on"),
        ("recommend BUNDLE --data TAPS --out new.csv", "glint_edge.api.lists._list", AGAIN),
        ("evaluate RUN", "glint_edge.evaluation.appraise.appraise_checkpoint", AGAIN),
        ("catalogue retire BUNDLE --item i1", "converters.catalogue.change.open_either", AGAIN),
        ("catalogue add BUNDLE --item a --like i1", "converters.catalogue.change.open_either",
         AGAIN),
        ("bench BUNDLE", "device_bench.bench.bench",
         "nothing was measured to its end: start it again"),
        ("device setup native", "device_bench.devices.setup",
         "what was brought and built is kept: the same command goes on"),
        ("doctor", "glint_edge.api.doctor", ""),
    ],
)  # fmt: skip
def test_each_long_command_says_what_is_kept(
    line, where, says, bundle, trained, taps, stopped, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    names = {"BUNDLE": str(bundle), "RUN": str(trained), "TAPS": str(taps)}
    said = stopped(line, where, names)
    assert said == f"error: stopped{says and '; '}{says.replace('BUNDLE', str(bundle))}"
    assert list(tmp_path.iterdir()) == []


def test_a_signal_that_ends_programs_says_it_too():
    with pytest.raises(Stopped) as ended, keeping("nothing is kept"):
        raise Stopped(15)
    assert noted(str(ended.value), ended.value) == "stopped by SIGTERM; nothing is kept"
