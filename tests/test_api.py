"""The front door as a user meets it: README's ten lines, and what each function gives back."""

import random
import re
from pathlib import Path

import pytest

import glint_edge as ge
from glint_edge import api
from glint_edge.bundles.golden_histories import golden_histories
from glint_edge.errors import CheckpointError, ConfigError
from tests.device_bench.makers import work_here

README = Path(__file__).parent.parent / "README.md"


# What a process of its own would add is tested with the runners.
pytestmark = pytest.mark.usefixtures("in_process")


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A folder with a log of 60 users who walk along 40 items, and a table of these."""
    folder = tmp_path_factory.mktemp("shop")
    draw = random.Random(0)
    lines = ["uid,sku,ts"]
    for user in range(60):
        first = draw.randrange(40)
        lines += [f"u{user},{40 + (first + step) % 40},{step}" for step in range(12)]
    lines += [f"u{user},181,{12}" for user in range(9)]
    (folder / "taps.csv").write_text("\n".join(lines) + "\n")
    products = [f"{sku},Product {sku}" for sku in (*range(40, 80), 181)]
    (folder / "products.csv").write_text("\n".join(["sku,title", *products]) + "\n")
    return folder


@pytest.fixture(scope="module")
def run(shop):
    log = ge.load_log(shop / "taps.csv", user="uid", item="sku")
    return ge.train(log, shop / "runs" / "small", epochs=1, d=16, heads=2)


@pytest.fixture(scope="module")
def bundle(run, shop):
    pytest.importorskip("onnxscript", reason="needs glint-edge[onnx]")
    with pytest.MonkeyPatch.context() as patch:
        work_here(patch)
        return ge.export(run, shop / "small.glint", targets="onnx", spare_items=4)


def python_section():
    code = re.search(r"## From Python\n.*?```python\n(.*?)```", README.read_text("utf-8"), re.S)
    assert code is not None
    return code[1]


def test_the_ten_lines_of_the_readme_run(shop, monkeypatch):
    code = python_section()
    assert 5 <= len(code.strip().splitlines()) <= 12
    # The same lines, quicker: no rounds are not timed.
    for plain, quick in (
        ("epochs=30", "epochs=1, d=16"),
        ("bench(bundle)", "bench(bundle, rounds=0)"),
    ):
        assert plain in code
        code = code.replace(plain, quick)
    monkeypatch.chdir(shop)
    names = {}
    exec(compile(code, "README.md", "exec"), names)
    assert names["run"].folder == Path("runs/mine")
    assert names["bundle"].path == Path("mine.glint")
    assert len(names["bundle"].artifacts) == 1
    assert "c int8" in repr(names["bundle"])
    assert names["bundle"].catalogue.titles["50"] == "Product 50"


def test_a_bundle_holds_nobodys_history(bundle):
    """Layers and accuracy were measured on held-out users; the golden vectors are made up."""
    histories = [case.history for case in bundle.golden.cases]
    assert histories == [[], *golden_histories(bundle.config)]
    lists = [one.history for one in bundle.golden.lists]
    assert all(history in histories for history in lists)
    assert all(check["users"] > 0 for check in bundle.manifest["checks"])


def test_results_are_a_line_in_a_terminal_and_a_table_in_a_notebook(run, bundle):
    results = [ge.evaluate(run), bundle, ge.bench(bundle, rounds=0), ge.recommend(bundle, [50])]
    for result in results:
        assert result._repr_html_().startswith("<table")
    for result in (run, *results[:3], results[3][0]):
        assert "\n" not in repr(result)
        assert len(repr(result)) < 140
    assert f"{ge.evaluate(run).figures.ndcg:.4f}" in results[0]._repr_html_()


def test_a_run_is_its_checkpoint_with_figures(run):
    assert run.folder.name == "small"
    assert run.sha256
    assert set(run.metrics) == {"validation", "test"}


def test_evaluate_says_what_the_training_said(run):
    appraisal = ge.evaluate(run)
    assert appraisal.figures.to_dict() == run.metrics["test"]
    assert ge.evaluate(run.folder, split="validation").figures.ndcg == pytest.approx(
        run.metrics["validation"]["ndcg_at_10"]
    )


def test_recommend_takes_a_checkpoint_as_a_bundle(run, bundle):
    assert [one.key for one in ge.recommend(run, [50, 51], k=3)] == [
        one.key for one in ge.recommend(bundle, ["50", "51"], k=3)
    ]
    assert len(ge.recommend(bundle)) == 10


def test_a_catalogue_change_gives_the_new_bundle(bundle):
    change = ge.add_items(bundle.path, [1001], like=[50])
    assert change.to_dict()["added"] == ["1001"]
    assert change.path.name == "small.v2.glint"
    assert "1001" in change.bundle.catalogue.keys
    gone = ge.retire_items(change.path, [50])
    assert gone.version == 3
    assert "50" in gone.bundle.catalogue.retired
    with pytest.raises(ConfigError, match="is one text, not a list of keys"):
        ge.retire_items(change.path, "51,52")


def test_a_checkpoint_that_was_never_saved_is_not_exported(run):
    with pytest.raises(CheckpointError, match="save_checkpoint it first"):
        ge.export(ge.Checkpoint(run.model, run.catalogue, run.data), "x.glint", targets=["onnx"])


def test_a_lever_that_does_not_exist_is_refused(shop):
    with pytest.raises(ConfigError, match="epoch"):
        ge.train(ge.load_log(shop / "taps.csv", user="uid", item="sku"), shop / "none", epoch=1)


def test_importing_the_roof_costs_nothing_and_shows_each_function():
    assert {name for name in ge.__all__ if hasattr(api, name)} >= {
        "train",
        "export",
        "bench",
        "load",
    }


def test_progress_is_shown_where_somebody_looks_and_goes_to_who_asked(run, monkeypatch, capsys):
    ge.evaluate(run)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    ge.evaluate(run)
    assert "ranking for 60 users" in capsys.readouterr().err
    steps = []
    ge.evaluate(run, on_step=steps.append)
    assert capsys.readouterr().err == ""
    assert len(steps) >= 3
