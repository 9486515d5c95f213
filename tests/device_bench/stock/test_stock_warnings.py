"""What goes wrong with a stock program is a warning of its row."""

import shutil
from dataclasses import replace

import pytest

from device_bench.reports.labels import verdict
from device_bench.stock import shelf as stock
from device_bench.stock.shelf import STOCKS, Shelf, StockRunner
from glint_edge.checkpoints.checkpoint import save_checkpoint
from glint_edge.errors import ConversionError, MissingExtraError, RunnerError
from tests.device_bench.stock.stock_bench import N, needs, printed, stock_rows

ALL = [
    ("torch", "fp32"), ("torch-compile", "fp32"), ("onnx", "fp32"), ("onnx", "int8-dynamic"),
    ("tflite", "fp32"),
]  # fmt: skip


def test_a_toolchain_that_is_not_there_is_said_and_fails_nothing(run, untimed, monkeypatch):
    monkeypatch.setattr(stock, "missing", list)
    monkeypatch.setenv("CXX", "no-such-compiler")
    monkeypatch.setattr(stock, "ask", None)
    seen = []
    result = run(on_rows=seen.append)
    rows = stock_rows(result)
    assert list(rows) == ALL
    assert result.ok
    assert not result.failures
    for key, words in (
        (("torch-compile", "fp32"), "torch.compile needs a C++ compiler, and no-such-compiler is "
         "not there; install it, or name another by CXX"),
        (("onnx", "int8-dynamic"), "needs an extra: pip install 'glint-edge[onnx]'"),
        (("tflite", "fp32"), "litert_torch.convert needs an extra: pip install "
         "'glint-edge[litert]'"),
    ):  # fmt: skip
        (warning,) = rows[key].warnings
        assert words in warning
        assert words in printed(result)
        assert rows[key].recommend_us is rows[key].top10_overlap is None
        assert rows[key].rounds == 0
        assert not rows[key].ok
        assert verdict(rows[key].to_dict()) == "✗ not made"
    assert rows["tflite", "fp32"].file_bytes == 0
    assert rows["torch", "fp32"].users == 7
    told = {(row.target, row.precision): row.ok for row in seen[-1] if row.runner == "stock"}
    assert told == {key: row.ok for key, row in rows.items()}, "as it is told meanwhile, too"


def test_what_takes_too_long_is_ended_and_said(run, untimed, monkeypatch):
    needs("litert_torch")
    monkeypatch.setattr(stock, "SECONDS", 0.2)
    monkeypatch.setattr("device_bench.bench.STOCKS", STOCKS[-1:])
    result = run()
    (row,) = stock_rows(result).values()
    assert row.warnings == (
        "litert_torch.convert (N 6 unrolls to some 120 operators) did not end within 0.2 s "
        "and was stopped",
    )
    assert result.ok


def test_what_could_not_be_made_is_remembered_with_its_reason(run, untimed, monkeypatch):
    asked = []

    def refuse(module, request, *, what, seconds):
        asked.append(what)
        raise ConversionError(f"{what} failed: no kernel")

    needs("onnxscript")
    monkeypatch.setattr(stock, "ask", refuse)
    for module in ("device_bench.bench", "device_bench.stock.shelf"):
        monkeypatch.setattr(f"{module}.STOCKS", STOCKS[2:4])
    first, again = (stock_rows(run()).values() for _ in range(2))
    assert asked == ["torch.onnx.export"]
    for row, later in zip(first, again, strict=True):
        (said,) = later.warnings
        assert said.startswith(f"{row.warnings[0]} (tried on ")
        assert "delete the cache's folder `stock` to try again" in said
        assert not later.ok


def test_what_is_stopped_is_not_remembered(checkpoint, empty_cache, tmp_path, monkeypatch):
    def stop(module, request, *, what, seconds):
        raise KeyboardInterrupt

    needs("onnxscript")
    monkeypatch.setattr(stock, "ask", stop)
    save_checkpoint(checkpoint, tmp_path / "run")
    with Shelf(tmp_path / "run", N, 10, 1) as shelf, pytest.raises(KeyboardInterrupt):
        shelf.have(STOCKS[2], lambda step: None)
    assert not list(empty_cache.rglob("*.failed"))


def test_a_toolchain_that_fails_is_one_line(run, untimed, monkeypatch):
    def refuse(module, request, *, what, seconds):
        raise ConversionError(f"{what} failed: no kernel")

    needs("onnxscript")
    monkeypatch.setattr(stock, "ask", refuse)
    monkeypatch.setattr("device_bench.bench.STOCKS", STOCKS[2:4])
    result = run()
    assert [row.warnings for row in stock_rows(result).values()] == [
        ("torch.onnx.export failed: no kernel",)
    ] * 2
    assert result.ok


def test_a_dead_process_or_wrong_lists_fail_nothing(run, untimed, torch_alone, monkeypatch):
    once = StockRunner.run

    def die(self, job, inputs):
        raise RunnerError("it died")

    def wrong(self, job, inputs):
        outcome = once(self, job, inputs)
        outcome.lists.items[:] = outcome.lists.items[:, ::-1]
        return outcome

    monkeypatch.setattr(StockRunner, "run", die)
    result = run()
    (row,) = stock_rows(result).values()
    assert (row.ok, row.failures, row.warnings) == (False, (), ("it died",))
    assert result.ok

    monkeypatch.setattr(StockRunner, "run", wrong)
    result = run()
    (row,) = stock_rows(result).values()
    assert (row.ok, row.failures) == (True, ())
    assert any("7 of 7 users get another top 10" in warning for warning in row.warnings)
    assert row.same_top10 == 0.0
    assert result.ok


def test_a_cache_that_cannot_be_written_is_one_line(run, untimed, empty_cache, monkeypatch):
    needs("onnxscript")
    empty_cache.write_text("a file")
    monkeypatch.setattr("device_bench.bench.STOCKS", STOCKS[2:3])
    (row,) = stock_rows(run()).values()
    (warning,) = row.warnings
    assert "cannot be written" in warning
    assert "GLINT_EDGE_CACHE moves it" in warning


def test_other_weights_lie_elsewhere(checkpoint, make_model, empty_cache, tmp_path):
    save_checkpoint(checkpoint, tmp_path / "one")
    shutil.copytree(tmp_path / "one", tmp_path / "copy")
    other = replace(checkpoint, model=make_model(items=60, max_length=N, seed=1))
    save_checkpoint(other, tmp_path / "other")
    folder = [Shelf(tmp_path / name, N, 10, 1).folder for name in ("one", "copy", "other")]
    assert folder[0] == folder[1] != folder[2]
    assert Shelf(tmp_path / "one", N, 5, 1).folder != folder[0]


def test_an_extra_is_named_before_anything_is_made(empty_cache, checkpoint, tmp_path, monkeypatch):
    save_checkpoint(checkpoint, tmp_path / "run")
    monkeypatch.setattr(stock, "missing", list)
    with (
        Shelf(tmp_path / "run", N, 10, 1) as shelf,
        pytest.raises(MissingExtraError, match=r"torch\.onnx\.export needs an extra"),
    ):
        shelf.have(STOCKS[2], lambda step: None)
    assert not shelf.folder.exists()
