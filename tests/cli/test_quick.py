"""Commands that need no model import neither torch nor polars, and so are quick."""

import json
import subprocess
import sys

import pytest

from device_bench.document import document, write_document
from device_bench.entries import Settings
from device_bench.judge.rows import BenchResult, Row

HEAVY = ["torch", "polars", "matplotlib", "onnx", "executorch", "litert_torch", "transformers"]
# All in one process, which is as strict: what one of them imports stays.
SCRIPT = """
import json, sys
from glint_edge.__main__ import main

heavy, commands = json.load(sys.stdin)
results = []
for command in commands:
    sys.argv = ["glint-edge", *command]
    try:
        main()
        code = 0
    except SystemExit as ended:
        code = ended.code or 0
    results.append((code, sorted(set(heavy) & set(sys.modules))))
    heavy = [name for name in heavy if name not in sys.modules]
with open("imported.json", "w") as file:
    json.dump(results, file)
"""


@pytest.fixture(scope="module")
def imported(bundle, tmp_path_factory):
    """Exit code, and what heavy was imported, by command."""
    folder = tmp_path_factory.mktemp("quick")
    result = folder / "result.json"
    row = Row(target="onnx", precision="int8", runner="python", device="", file_bytes=1, ok=True,
              threads=1)  # fmt: skip
    results = [BenchResult("app", (row,), threads=1, not_measured="")]
    write_document(document(results, Settings(), ["glint-edge", "bench"]), result)
    names = {"BUNDLE": str(bundle), "RESULT": str(result)}
    commands = [[names.get(word, word) for word in line.split()] for line in (*GOOD, *REFUSED)]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], input=json.dumps([HEAVY, commands]), text=True,
        capture_output=True, cwd=folder,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    results = json.loads((folder / "imported.json").read_text())
    return dict(zip((*GOOD, *REFUSED), results, strict=True))


GOOD = (
    "--help",
    "export --help",
    "inspect BUNDLE",
    "embed BUNDLE --platform python --out app",
    "publish BUNDLE --out server",
    "recommend BUNDLE",
    "recommend BUNDLE i1 i2 -k 3 --without i3",
    "similar BUNDLE i1",
    "bench report RESULT",
    "bench diff RESULT RESULT",
    "doctor",
)
REFUSED = (
    "inspect nothing.glint",
    "embed BUNDLE --platform toaster --out other",
    "recommend BUNDLE --history nobody-has-this",
    "recommend nothing.glint",
    "recommend BUNDLE what",
    "recommend BUNDLE --where colour=red",
    "recommend BUNDLE --data nothing.csv --out lists.parquet",
    "recommend BUNDLE --data nothing.csv --out lists.xlsx",
    "similar BUNDLE what",
    "export --quantize int4",
    "export --target onyx",
    "export --window wide",
    "export nothing",
    "evaluate nothing",
    "train --data nothing.csv --out run",
    "tune --data nothing.csv --out study",
    "shard nothing.csv --out shards",
    "import nothing.pth --out imported",
    "push nothing someone/shop",
    "bench nothing.glint",
    "bench BUNDLE --runner toaster",
    "bench BUNDLE --compare toaster",
    "bench diff RESULT nothing.json",
    "bench scale --quantize int4",
    "bench scale --items many",
    "catalogue retire nothing --item a",
    "device check toaster",
    "catalogue add nothing --item a --like b",
)


@pytest.mark.parametrize("command", GOOD)
def test_what_needs_no_model_imports_nothing_heavy(command, imported):
    assert imported[command] == [0, []]


@pytest.mark.parametrize("command", REFUSED)
def test_what_is_refused_is_refused_before_anything_heavy_is_imported(command, imported):
    assert imported[command] == [2, []]
