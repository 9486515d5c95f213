"""The scripts: what they write is what lies here, and what they say can be read."""

import runpy
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_examples_shop_is_what_its_script_writes(tmp_path):
    script = runpy.run_path(str(ROOT / "scripts/example_shop.py"))
    script["main"](tmp_path)
    for name in ("taps.csv", "products.csv"):
        assert (tmp_path / name).read_bytes() == (ROOT / "examples/shop" / name).read_bytes()


PIP = """
import sys
print("Obtaining file:///clone")
print("Collecting torch<2.14")
print("  Downloading torch-2.13.0.whl (180.1 MB)")
print("  Downloading numpy-2.4.6.whl (9.1 MB)")
for name in ("torch", "numpy"):
    print(f"WARNING: a mirror was slow for '{name}'")
print("Installing collected packages: numpy, torch", flush=True)
if "fail" in sys.argv[-1]:
    sys.exit("ERROR: no space left")
"""


def test_an_install_says_what_is_large_and_how_long_it_took_the_last_time(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("GLINT_EDGE_CACHE", str(tmp_path))
    script = runpy.run_path(str(ROOT / "scripts/install.py"))
    there = script["main"].__globals__
    there["PIP"] = (sys.executable, "-c", PIP)
    there["_is_there"] = lambda: False
    assert script["main"]("onnx") == 0
    first, *rest = capsys.readouterr().err.splitlines()
    assert first.startswith("installing glint-edge[onnx] into ") and first.endswith("some minutes")
    assert rest == [
        "Downloading torch-2.13.0.whl (180.1 MB)",
        "WARNING: a mirror was slow for 'torch'",
    ]
    assert script["main"]("onnx") == 0
    assert "about 0 s, by the last time" in capsys.readouterr().err
    assert script["main"]("fail") == 1
    assert capsys.readouterr().err.endswith("ERROR: no space left\n")


def test_the_demo_refuses_what_it_does_not_know():
    done = subprocess.run(
        ["sh", ROOT / "scripts/demo.sh", "--heavy"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("usage: sh ") and "--light" in done.stderr


def test_the_trial_of_readme_takes_its_lines_in_their_order():
    script = runpy.run_path(str(ROOT / "scripts/try_readme.py"))
    venv, install, *own, page = script["steps"]((ROOT / "README.md").read_text("utf-8"))
    assert venv.startswith("python3 -m venv .venv")
    assert install == "pip install --no-compile '.[toolkit]'"
    assert [step.split()[1] for step in own] == [
        "train",
        "evaluate",
        "export",
        "recommend",
        "embed",
    ]
    assert page == "cd my-shop && npm ci && npm run build"
