"""The shape of the project: imports point one way, the command line starts quickly."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MAY_IMPORT = {
    "glint_edge": {"glint_edge"},
    "quantization": {"quantization", "glint_edge"},
    "converters": {"converters", "quantization", "glint_edge"},
    "device_bench": {"device_bench", "glint_edge"},
}
COMPOSITION_ROOT = [
    ROOT / "glint_edge/api.py",
    *(ROOT / "glint_edge/cli/commands").rglob("*.py"),
]


def imports(path):
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name.split(".")[0] for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").split(".")[0]


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_imports_point_one_way(package):
    files = sorted((ROOT / package).rglob("*.py"))
    assert files
    for path in files:
        ours = set(imports(path)) & set(MAY_IMPORT)
        if path not in COMPOSITION_ROOT:
            assert ours <= MAY_IMPORT[package], path


@pytest.mark.parametrize(
    "statement",
    ["import glint_edge.cli.app", "import glint_edge", "import converters", "import device_bench"],
)
def test_nothing_heavy_is_imported_before_it_is_needed(statement):
    heavy = "{'torch', 'executorch', 'torchao', 'onnx', 'polars', 'matplotlib', 'numpy'}"
    script = f"import sys; {statement}; print(sorted({heavy} & set(sys.modules)))"
    if statement in ("import converters", "import device_bench"):
        script = script.replace(heavy, "{'executorch', 'torchao', 'onnx', 'matplotlib'}")
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_no_module_is_a_drawer():
    names = {path.stem for package in MAY_IMPORT for path in (ROOT / package).rglob("*.py")}
    assert not names & {"utils", "helpers", "misc", "common"}
