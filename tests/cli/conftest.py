"""A small log, a checkpoint trained on it and its bundle, each made by the command line."""

import numpy as np
import pytest

from glint_edge.cli import app as cli
from tests.device_bench.makers import work_here
from tests.skips import require


@pytest.fixture(autouse=True)
def _in_process(in_process):
    """What is printed is tested here, not that a row has a process of its own."""


@pytest.fixture(scope="session")
def taps(tmp_path_factory):
    """30 users on 25 items, with titles nowhere."""
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("log") / "taps.csv"
    rows = ["user,item,time"]
    for user in range(30):
        walk = (rng.integers(25) + np.arange(rng.integers(6, 20))) % 25
        rows += [f"u{user},i{item},{time}" for time, item in enumerate(walk)]
    path.write_text("\n".join(rows) + "\n")
    return path


def call(*words):
    """Run a command line, for a fixture that lives longer than one test; its exit code."""
    with pytest.MonkeyPatch.context() as patch:
        work_here(patch)
        patch.setattr("sys.argv", ["glint-edge", *map(str, words)])
        with pytest.raises(SystemExit) as end:
            cli.main()
    return end.value.code or 0


@pytest.fixture(scope="session")
def trained(taps, tmp_path_factory):
    """A small checkpoint."""
    out = tmp_path_factory.mktemp("runs") / "taps"
    code = call(
        "train", "--data", taps, "--out", out, "--d", 16, "--max-length", 12, "--epochs", 3,
        "--batch-positions", 64, "--learning-rate", 0.01, "--threads", 1, "--json",
    )  # fmt: skip
    assert code == 0
    return out


@pytest.fixture(scope="session")
def bundle(trained, tmp_path_factory):
    """The checkpoint as an int8 bundle for ONNX, which converts in no time."""
    require("onnxscript", "onnx")
    out = tmp_path_factory.mktemp("bundles") / "taps.glint"
    # So small a model may miss the accuracy bar.
    assert call("export", trained, "--target", "onnx", "--out", out) in (0, 1)
    return out


@pytest.fixture
def export_onnx(trained, run, tmp_path):
    """Export to ONNX with more options; returns the bundle and what was said."""
    require("onnxscript", "onnx")
    from glint_edge.bundles.bundle import load_bundle

    def export(*options, name="app"):
        out = tmp_path / f"{name}.glint"
        code, _, err = run("export", trained, "--target", "onnx", "--out", out, *options)
        assert code in (0, 1), err  # so small a model may miss the accuracy bar
        return load_bundle(out), err

    return export
