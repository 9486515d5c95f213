"""Stock rows: what one would do without this tool, beside the bundle's artifacts."""

import io
import shutil
import warnings
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from rich.console import Console

from device_bench.bench import bench
from device_bench.document import document, read_document, write_document
from device_bench.entries import Settings
from device_bench.measure.job import Histories, Inputs, Job
from device_bench.measure.sampling import Plan
from device_bench.measure.stock_engine import StockRuntime
from device_bench.reports.labels import verdict
from device_bench.reports.terminal import render
from device_bench.runners.python import PythonRunner
from device_bench.stock import shelf as stock
from device_bench.stock.build import build
from device_bench.stock.shelf import STOCKS, Shelf, StockRunner, int8_weights
from glint_edge.bundles.bundle import Bundle
from glint_edge.checkpoints.checkpoint import Checkpoint, save_checkpoint
from glint_edge.config import ModelConfig
from glint_edge.data.catalogue import Catalogue
from glint_edge.data.record import DataSource
from glint_edge.data.sequences import HeldOut
from glint_edge.errors import ConversionError, MissingExtraError, RunnerError
from glint_edge.model.stream import stream_program
from tests.device_bench.makers import golden_for, work_here

N = 6  # exporters unroll it
QUICK = Settings(rounds=1, plan=Plan(warmup=1, runs=20, budget_ms=50), stock=True)
ALL = [
    ("torch", "fp32"), ("torch-compile", "fp32"), ("onnx", "fp32"), ("onnx", "int8-dynamic"),
    ("tflite", "fp32"),
]  # fmt: skip


def needs(package):
    """Skip without it, and do not import it, which takes seconds."""
    if find_spec(package) is None:
        pytest.skip(f"needs glint-edge[onnx,litert]: {package}")


@pytest.fixture(scope="module")
def float_model(make_model):
    return make_model(items=60, max_length=N)


@pytest.fixture(scope="module")
def checkpoint(float_model):
    keys = ("", *(f"k{n}" for n in range(1, 61)))
    return Checkpoint(float_model, Catalogue(keys, {}), DataSource("x", "x"))


@pytest.fixture(scope="module")
def held_out():
    """Shorter than N, as long, and longer."""
    rng = np.random.default_rng(0)
    histories = [rng.integers(1, 61, n).tolist() for n in (1, 2, 5, N - 1, N, N + 1, 30)]
    packed = Histories.of(histories)
    return HeldOut(packed.ids, packed.offsets, rng.integers(1, 61, len(histories)))


def bundle_of(model, path, window="sliding"):
    """Without artifacts: they are not what is tested here."""
    return Bundle(
        path=path, manifest={"name": "app", "window": window}, config=model.config, top_k=10,
        artifacts=(), catalogue=Catalogue(("",), {}),
        golden=golden_for(stream_program(model, 10, chunk=4), [[1, 2]]),
    )  # fmt: skip


@pytest.fixture
def run(checkpoint, held_out, tmp_path, empty_cache):
    def call(settings=QUICK, window="sliding", **options):
        bundle = bundle_of(checkpoint.model, tmp_path, window)
        return bench(bundle, checkpoint=checkpoint, held_out=held_out, settings=settings, **options)

    return call


@pytest.fixture
def untimed(monkeypatch):
    """Programs are run, in this process, and not timed."""
    work_here(monkeypatch, timed=False)


def stock_rows(result):
    return {(row.target, row.precision): row for row in result.rows if row.runner == "stock"}


# ---- the history in place of a state ----------------------------------------------------------


def runtime_of(program, length=4):
    return StockRuntime(program, ModelConfig(items=60, d=16, max_length=length), 10, 1)


def test_its_state_is_the_last_items_of_the_history():
    runtime = runtime_of(lambda items, count: (items.tolist(), count.tolist()))
    state = runtime.append_many(runtime.empty_state(), [7, 8])
    assert runtime.recommend(state) == ([[7, 8, 0, 0]], [2])
    longer = runtime.append_many(runtime.append(state, 9), [1, 2])
    assert runtime.recommend(longer) == ([[8, 9, 1, 2]], [4])
    assert runtime.recommend(state) == ([[7, 8, 0, 0]], [2]), "the given state stays"
    assert runtime.recommend(runtime.append_many(state, range(1, 9))) == ([[5, 6, 7, 8]], [4])


def test_no_history_is_the_padding():
    runtime = runtime_of(lambda items, count: (items.tolist(), count.tolist()))
    assert runtime.recommend(runtime.empty_state()) == ([[0, 0, 0, 0]], [1])


# ---- in torch, which needs no toolchain -------------------------------------------------------


@pytest.fixture
def torch_alone(monkeypatch):
    monkeypatch.setattr("device_bench.bench.STOCKS", STOCKS[:1])


def test_eager_torch_reads_the_whole_history(run, in_process, torch_alone, monkeypatch):
    asked = []
    once = PythonRunner.run
    monkeypatch.setattr(
        PythonRunner, "run", lambda self, job, inputs: asked.append(job) or once(self, job, inputs)
    )
    result = run()
    (row,) = stock_rows(result).values()
    assert asked[-1].cold_starts == [], "of 20 items and more, the program takes 6"
    assert (row.target, row.precision, row.ok, row.users) == ("torch", "fp32", True, 7)
    assert row.append_us is None
    assert "append" not in {**row.first_call_us, **row.interval_us, **row.quantiles_us}
    assert row.recommend_us.p50 > 0
    assert row.same_top10 == 1.0
    assert row.golden_ok is None
    assert row.note == f"eager torch; a tap reads the whole history, [1, {N}] padded"
    assert result.ok


def test_what_counts_is_the_last_items_even_if_the_bundle_keeps_all(run, untimed, torch_alone):
    result = run(window="unbounded")
    (row,) = stock_rows(result).values()
    assert row.same_top10 == 1.0
    assert not row.warnings or "top 10" not in " ".join(row.warnings)


def test_cold_starts_are_those_of_the_programs_length(
    in_process, checkpoint, held_out, empty_cache, tmp_path
):
    save_checkpoint(checkpoint, tmp_path / "run")
    with Shelf(tmp_path / "run", N, 10, 1) as shelf:
        config = checkpoint.model.config.to_dict()
        job = Job("torch", str(tmp_path / "run"), config, 10, N, plan=QUICK.plan,
                  cold_starts=(5, N, N + 1))  # fmt: skip
        inputs = Inputs.of(Histories.of([[1]]), Histories(held_out.ids, held_out.offsets))
        outcome = StockRunner(STOCKS[0], shelf).run(job, inputs)
    assert list(outcome.samples_ns) == ["recommend", "cold_start_5", f"cold_start_{N}"]
    with torch.no_grad():
        for number in range(len(inputs.histories)):
            history = torch.tensor([inputs.histories[number][-N:]])
            expected = checkpoint.model.score(history, torch.tensor([history.shape[1]])).topk(10)
            assert outcome.lists.items[number].tolist() == expected.indices[0].tolist()


# ---- what goes wrong is a warning -------------------------------------------------------------


def printed(result):
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(render(document([result], Settings(), [])))
    return " ".join(console.export_text().split())


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


# ---- the real toolchains ----------------------------------------------------------------------


@pytest.fixture(scope="module", params=["exported", pytest.param("all", marks=pytest.mark.full)])
def kinds(request):
    """Stock programs that are made; two take longer than all others together."""
    every = request.param == "all"
    slow = ("torch-compile", "tflite")
    return tuple(kind for kind in STOCKS if every or kind.target not in slow)


def build_here(module, request, *, what, seconds):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return build(request)


@pytest.fixture(scope="module")
def real(kinds, checkpoint, held_out, tmp_path_factory):
    """A bench with stock rows; afterwards nothing is left to be made."""
    for package in ("onnxscript", "onnxruntime", "litert_torch", "ai_edge_litert"):
        needs(package)
    if shutil.which("g++") is None:
        pytest.skip("needs g++")
    folder = tmp_path_factory.mktemp("stock")
    bundle = bundle_of(checkpoint.model, folder)
    save_checkpoint(checkpoint, folder / "run")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GLINT_EDGE_CACHE", str(folder / "cache"))
        work_here(patch)
        patch.setattr(stock, "SECONDS", 900.0)  # the cores are shared
        for module in ("device_bench.bench", "device_bench.stock.shelf"):
            patch.setattr(f"{module}.STOCKS", kinds)
        if len(kinds) < len(STOCKS):  # in this process, which has torch imported, one at a time
            patch.setattr(stock, "AT_ONCE", 1)
            patch.setattr(stock, "ask", build_here)
        result = bench(bundle, checkpoint=checkpoint, held_out=held_out, settings=QUICK)
        patch.setattr(stock, "ask", None)
        with Shelf(folder / "run", N, 10, 1) as shelf:
            for kind in kinds:
                shelf.have(kind, lambda step: None)
    return result


@pytest.mark.slow
def test_every_stock_program_is_made_and_measured(real, kinds):
    rows = stock_rows(real)
    assert list(rows) == [(kind.target, kind.precision) for kind in kinds]
    assert real.ok
    for row in rows.values():
        assert row.rounds == 1, row.warnings
        assert row.append_us is None
        assert row.recommend_us.p50 > 0
        assert row.cold_start_us == {}
        assert row.file_bytes > 4 * 60 * 16 / 4
        assert row.users == 7
        assert row.load_ms > 0


@pytest.mark.slow
def test_fp32_stock_programs_give_the_float_models_top_10(real, kinds):
    of_fp32 = [kind for kind in kinds if kind.precision == "fp32"]
    for (_, precision), row in stock_rows(real).items():
        if precision == "fp32":
            assert row.same_top10 == 1.0
            assert row.max_score_error < 1e-4
            assert set(row.agreement.values()) == {1.0}
            assert len(row.agreement) == len(of_fp32) - 1
        else:
            assert 0.8 < row.top10_overlap <= 1.0
            assert 0.0 < row.max_score_error < 0.5


@pytest.mark.slow
def test_the_rows_say_how_they_were_made(real, kinds, tmp_path):
    rows = stock_rows(real)
    assert f"quantize_dynamic ({int8_weights()} weights)" in rows["onnx", "int8-dynamic"].note
    words = ["onnx int8-dynamic (stock)", "reading the whole history at every tap"]
    if ("tflite", "fp32") in rows:
        note = "litert_torch.convert; a tap"
        assert rows["tflite", "fp32"].note.startswith(f"{note} reads the whole")
        words.append(note)
    text = printed(real)
    assert all(each in text for each in words)
    path = tmp_path / "stock.json"
    write_document(document([real], QUICK, ["glint-edge", "bench"]), path)
    found = [row for row in read_document(path)["rows"] if row["runner"] == "stock"]
    assert len(found) == len(kinds)
    assert all(row["append_us"] is None and row["note"] for row in found)
