"""How figures grow: generated artifacts, rows, tables, the document, the command."""

import io
import json
import threading
from dataclasses import replace
from functools import partial

import pytest
from rich.console import Console

from converters.generated import make
from device_bench import scale as module
from device_bench.document import read_document, scale_document, write_document
from device_bench.measure.sampling import RUNS
from device_bench.reports.terminal import render, render_scale_rows
from device_bench.scale import LARGE, Scale, scale
from glint_edge.errors import ConfigError, ConversionError
from glint_edge.runtime.engines import find_engine
from tests.device_bench.scale_fakes import FakeRunner, Target, make_bytes

HISTORIES = (3, 7)


def asked_of(*names, runner=None, **options):
    return Scale(
        targets=tuple(map(Target, names or ("a",))), histories=HISTORIES,
        runners=(runner or FakeRunner(),),
        **{"items": (50, 200), "widths": (16,), **options},
    )  # fmt: skip


# ---- rows -------------------------------------------------------------------------------------


def test_a_row_for_each_artifact():
    result = scale(asked_of("a", "b", widths=(32, 16), runner=FakeRunner(runs=20)), make_bytes)
    assert [(r.row.target, r.items, r.width) for r in result.rows[:4]] == [
        ("a", 50, 16), ("b", 50, 16), ("a", 50, 32), ("b", 50, 32),
    ]  # fmt: skip
    assert len(result.rows) == 2 * 2 * 2
    assert [r.row.file_bytes for r in result.rows[::2]] == [800, 1600, 3200, 6400]
    assert {r.conversion_seconds for r in result.rows} == {1.5}
    assert all(r.row.ok and r.row.rounds == 1 for r in result.rows)


def test_calls_are_told_apart_by_the_history_before_them():
    runner = FakeRunner()
    (row,) = scale(asked_of(items=(50,), runner=runner), make_bytes).rows
    (job,) = runner.jobs
    assert (job.cold_starts, job.window, job.timed) == (HISTORIES, None, True)
    assert job.plan.runs == RUNS * len(HISTORIES), "as many calls a history as in a bench"
    assert [len(runner.inputs.sample[n]) for n in range(2)] == list(HISTORIES)
    assert len(runner.inputs.histories) == len(runner.inputs.golden) == 0
    ids = runner.inputs.sample.ids
    assert 1 <= ids.min() <= ids.max() <= 50
    for method, factor in (("append", 1), ("recommend", 2)):
        found = row.by_history_us[method]
        assert {n: (t.p50, t.p99) for n, t in found.items()} == {
            "3": (1000 * factor, 1000 * factor), "7": (2000 * factor, 2000 * factor),
        }  # fmt: skip
    assert {n: times.p50 for n, times in row.row.cold_start_us.items()} == {"3": 300, "7": 700}
    assert 1000 < row.row.append_us.p50 < 2000, "over both"
    assert row.row.memory_added_bytes == 1_000_000
    assert not any("timed calls only" in warning for warning in row.row.warnings)
    assert any("append: the times" in warning for warning in row.row.warnings)


def test_rounds_take_turns():
    runner = FakeRunner()
    steps, seen = [], []
    result = scale(
        asked_of("a", "b", items=(50,), rounds=2, runner=runner), make_bytes,
        on_step=steps.append, on_rows=seen.append,
    )  # fmt: skip
    assert [job.target for job in runner.jobs] == ["a", "b", "a", "b"]
    assert [row.row.rounds for row in result.rows] == [2] * 2
    assert [len(rows) for rows in seen] == [1, 2, 2, 2], "as they become known"
    assert steps[:2] == ["converting to a 50 × 16 (1 of 2)", "converting to b 50 × 16 (2 of 2)"]
    assert steps[-1] == "running b 50 × 16 (4 of 4)"


def test_what_cannot_be_converted_or_run_says_why_and_the_others_go_on():
    def refuse_large(target, precision, path, *, model, top_k, seconds):
        if model["items"] > 100:
            raise ConversionError("the conversion to a died with signal 9 (SIGKILL)")
        return make_bytes(target, precision, path, model=model, top_k=top_k, seconds=seconds)

    runner = FakeRunner(failing="b")
    result = scale(asked_of("a", "b", runner=runner), refuse_large)
    assert [job.target for job in runner.jobs] == ["a", "b"]
    assert result.failures == (
        "b int8 50 × 16: it died",
        "a int8 200 × 16: the conversion to a died with signal 9 (SIGKILL)",
        "b int8 200 × 16: the conversion to a died with signal 9 (SIGKILL)",
    )
    good = [row for row in result.rows if row.row.ok]
    assert [(row.row.target, row.items) for row in good] == [("a", 50)]
    bad = next(row for row in result.rows if row.items == 200)
    assert (bad.row.file_bytes, bad.conversion_seconds, bad.row.append_us) == (0, None, None)


def test_large_tables_are_converted_one_at_a_time(monkeypatch):
    monkeypatch.setattr(module.os, "cpu_count", lambda: 2)
    now, most, lock = 0, {}, threading.Lock()
    both = threading.Event()

    def count(target, precision, path, *, model, top_k, seconds):
        nonlocal now
        large = model["items"] * model["d"] > LARGE
        with lock:
            now += 1
            most[large] = max(most.get(large, 0), now)
            if now == 2:
                both.set()
        # Where two may run, the first waits for the second.
        assert large or both.wait(60)
        with lock:
            now -= 1
        path.write_bytes(b"1")
        return 0.0

    scale(asked_of("a", "b", items=(50,)), count)
    scale(asked_of("a", "b", items=(2**21 + 1,)), count)
    assert most == {False: 2, True: 1}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"items": ()}, "--items is empty"),
        ({"histories": ()}, "--histories is empty"),
        ({"targets": ()}, "--targets is empty"),
        ({"items": (9, 50)}, "at least 10 items"),
        ({"histories": (0, 5)}, "at least 1 item"),
        ({"widths": (16, 18)}, r"heads \(4\) must divide d \(18\)"),
    ],
)
def test_impossible_wishes_are_refused_before_anything_is_made(options, words):
    with pytest.raises(ConfigError, match=words):
        replace(asked_of(), **options)


def test_the_estimate_grows_with_what_is_asked():
    few = asked_of("onnx").seconds()
    assert 10 < few < asked_of("executorch", "onnx").seconds()
    assert few < asked_of("onnx", items=(50, 200, 10**6)).seconds()
    assert few < asked_of("onnx", rounds=3).seconds()


# ---- tables and the document ------------------------------------------------------------------


def printed(renderable, width=80):
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(renderable)
    return " ".join(console.export_text().split())


def test_the_tables_tell_everything_at_80_columns():
    settings = asked_of("a", "b", runner=FakeRunner(failing="b"))
    document = scale_document(scale(settings, make_bytes), settings, [])
    text = printed(render(document))
    for words in ("int8: by catalogue and width", "1,000 / 2,000", "2,000 / 4,000", "300 / 700",
                  "µs a call after 3/7 items", "cold 7", "✗ b int8 200 × 16: it died",
                  "weights drawn at random", "1,500", "200"):  # fmt: skip
        assert words in text
    assert printed(render_scale_rows([]))
    assert printed(render(document), width=30)


def test_a_warning_of_all_rows_is_told_once():
    settings = asked_of(items=(50,))
    result = scale(settings, make_bytes)
    noisy = tuple(
        replace(row, items=items, row=replace(row.row, warnings=(f"warning of {items}",)))
        for row in result.rows
        for items in range(50, 60)
    )
    text = printed(render(scale_document(replace(result, rows=noisy), settings, [])))
    assert text.count("warning of") == text.count("! warning of 50") == 1


def test_the_document_holds_what_others_need(tmp_path):
    settings = asked_of(items=(50,))
    path = tmp_path / "scale.json"
    write_document(scale_document(scale(settings, make_bytes), settings, ["glint-edge"]), path)
    document = read_document(path)
    assert document["kind"] == "scale"
    assert document["settings"]["histories"] == list(HISTORIES)
    assert document["settings"]["targets"] == ["a"]
    (row,) = document["rows"]
    assert (row["generated"], row["items"], row["width"], row["bundle"]) == (
        True, 50, 16, "generated",
    )  # fmt: skip
    assert row["by_history_us"]["append"]["7"] == {"p50": 2000, "p90": 2000, "p99": 2000}
    assert row["ndcg_at_10"] is row["top10_overlap"] is None


# ---- real artifacts, by the command -----------------------------------------------------------


@pytest.fixture
def run(run):
    return partial(run, "bench", "scale")


@pytest.mark.slow
def test_the_command_measures_real_artifacts(run, tmp_path):
    pytest.importorskip("onnxruntime", reason="needs glint-edge[onnx]")
    pytest.importorskip("onnxscript", reason="needs glint-edge[onnx]")
    output = tmp_path / "scale.json"
    code, out, err = run("--items", "200,50", "--widths", "16", "--targets", "onnx",
                         "--histories", "5,30", "--json", "--output", output)  # fmt: skip
    assert code == 0, err
    assert "about" in err
    values = json.loads(out)
    assert values == read_document(output)
    rows = values["rows"]
    assert [row["items"] for row in rows] == [50, 200]
    for row in rows:
        assert row["generated"] is True
        assert (row["target"], row["precision"], row["runner"]) == ("onnx", "int8", "python")
        assert row["append_us"]["p50"] > 0
        assert list(row["cold_start_us"]) == list(row["by_history_us"]["append"]) == ["5", "30"]
        assert 0 < row["cold_start_us"]["5"]["p50"] <= row["cold_start_us"]["5"]["p99"]
        assert row["ok"], row["failures"]
        assert row["conditions"]["before"]["load"] >= 0
    small, large = (row["file_bytes"] for row in rows)
    assert 150 * 16 < large - small < 150 * 16 * 2, "a row of int8 and its scale an item"


@pytest.mark.full
@pytest.mark.slow
def test_a_generated_artifact_is_what_export_would_write(tmp_path):
    pytest.importorskip("onnxscript", reason="needs glint-edge[onnx]")
    config = asked_of().models()[0].to_dict()
    path = tmp_path / "model.onnx"
    assert make("onnx", "int8", path, model=config, top_k=10, seconds=300) > 0
    assert list(tmp_path.iterdir()) == [path], "and nothing beside it"
    loaded = find_engine("onnx").load(path, asked_of().models()[0], 10, 1)
    assert loaded.recommend(loaded.append(loaded.empty_state(), 7))[0].shape == (1, 10)
    with pytest.raises(ConversionError, match=r"^the conversion to onnx did not end within 0\.1 s"):
        make("onnx", "int8", path, model=config, top_k=10, seconds=0.1)
    with pytest.raises(ConversionError, match=r"^the conversion to onnx failed: top-k must be"):
        make("onnx", "int8", path, model=config, top_k=99, seconds=300)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--items", "many"], "--items 'many' is no list of whole numbers"),
        (["--quantize", "int4"], "choose one of none, fp32, fp16"),
        (["--targets", "coreml"], "choose one of c, executorch"),
        (["--targets", "executorch", "--quantize", "fp16"], "executorch has no fp16"),
        (["--runner", "nowhere"], "runner 'nowhere' is unknown"),
        (["--widths", "7"], "must divide d (7)"),
    ],
)
def test_a_refusal_is_one_line(run, words, says):
    code, out, err = run(*words)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert says in err
