"""The notebooks of `examples/` run as they stand, and what a cell ends in shows itself."""

import ast
import json
from pathlib import Path

import pytest

from tests.checkpoints.recbole_oracle import checkpoint_bytes, weights

EXAMPLES = Path(__file__).parent.parent / "examples"


def code_cells(name):
    notebook = json.loads((EXAMPLES / name).read_bytes())
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == [], "notebooks are kept without outputs"
            yield "".join(cell["source"])


def executed(name):
    """Run a notebook's cells; what the last line of each shows, as text and as HTML."""
    names, shown = {}, []
    for source in code_cells(name):
        tree = ast.parse(source)
        last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, name, "exec"), names)
        if last is not None:
            value = eval(compile(ast.Expression(last.value), name, "eval"), names)
            shown.append((repr(value), getattr(value, "_repr_html_", lambda: "")()))
    return names, shown


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    pytest.importorskip("onnxscript", reason="needs glint-edge[onnx]")
    monkeypatch.chdir(tmp_path)


def test_from_a_dataframe_to_a_bundle_and_its_recommendations():
    names, shown = executed("dataframe.ipynb")
    assert names["run"].metrics["test"]["ndcg_at_10"] > 0.5
    assert all(check["ok"] for check in names["bundle"].manifest["checks"])
    assert names["bundle"].manifest["checks"][0]["users"] == 200
    # Everybody walks from shelf to shelf.
    nearby = {one.key for one in names["recommender"].recommend([120, 121, 122], k=3)}
    assert nearby & {"123", "124"}
    assert all("\n" not in text for text, _ in shown[1:])
    assert all("<table" in html for _, html in shown[1:] if html), shown


def test_from_a_recbole_checkpoint_to_a_bundle():
    Path("GLINTRU.pth").write_bytes(checkpoint_bytes(weights(40)))
    names, shown = executed("recbole.ipynb")
    assert names["checkpoint"].model.config.padding == "reference"
    assert Path("theirs.glint/manifest.json").is_file()
    best = [one.key for one in names["ge"].recommend("runs/theirs", names["history"], k=5)]
    quantized = [one.key for one in names["ge"].recommend("theirs.glint", names["history"], k=5)]
    assert len(set(best) & set(quantized)) >= 4
    assert "<table" in shown[-1][1]
