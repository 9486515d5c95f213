"""Stock rows: what one would do without this tool, beside the bundle's artifacts."""

import shutil
import warnings

import pytest
import torch

from device_bench.bench import bench
from device_bench.document import document, read_document, write_document
from device_bench.measure.job import Histories, Inputs, Job
from device_bench.measure.stock_engine import StockRuntime
from device_bench.runners.python import PythonRunner
from device_bench.stock import shelf as stock
from device_bench.stock.build import build
from device_bench.stock.shelf import STOCKS, Shelf, StockRunner, int8_weights
from glint_edge.checkpoints.checkpoint import save_checkpoint
from glint_edge.config import ModelConfig
from tests.device_bench.makers import work_here
from tests.device_bench.stock.stock_bench import QUICK, N, bundle_of, needs, printed, stock_rows

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
