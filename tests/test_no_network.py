"""No process of this tool opens a socket unless it was asked to.

ONNX Runtime reports to its maker: by a thread some seconds after it was imported, and at once by a
device's id in the user's cache. Neither where `CI` is set, so it is not set here.
"""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from device_bench.judge.row import Subject
from device_bench.measure.job import Job
from device_bench.measure.sampling import Plan
from device_bench.runners.native import NativeRunner
from glint_edge.bundles.bundle import load_bundle
from tests import seccomp
from tests.skips import require
from tests.small import small_bundle

ROOT = Path(__file__).parents[1]
SWITCH = "ORT_DISABLE_TELEMETRY"
LOAD = "from glint_edge.runtime import Recommender; Recommender.load({!r}).recommend([])"


@pytest.fixture(scope="module")
def bundle(make_model, tmp_path_factory):
    require("onnxscript", "onnx")
    return small_bundle(make_model(), tmp_path_factory.mktemp("bundle"))


@pytest.fixture
def offline(tmp_path, monkeypatch):
    """Run a command whose sockets would end it; what it left in its home."""
    if not seccomp.AVAILABLE:
        pytest.skip("needs Linux on x86-64 or 64-bit Arm")
    for name in (SWITCH, "CI", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))

    def run(*command):
        done = subprocess.run(
            list(map(str, command)), preexec_fn=seccomp.forbid_network, cwd=tmp_path,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        left = {path.name for path in tmp_path.rglob("*") if path.is_file()}
        return done, left

    return run


def test_a_socket_of_the_network_would_be_seen(offline):
    code = "import subprocess, sys; sys.exit(subprocess.call([sys.executable, '-c', sys.argv[1]]))"
    opens = "import socket; socket.socket(socket.{}); print('opened')"
    for family, expected in (("AF_INET", ""), ("AF_INET6", ""), ("AF_UNIX", "opened\n")):
        done, _ = offline(sys.executable, "-c", opens.format(family))
        assert done.stdout == expected
        assert (done.returncode == seccomp.KILLED) is (not expected)
        done, _ = offline(sys.executable, "-c", code, opens.format(family))
        assert done.stdout == expected


def test_telemetry_would_be_seen(offline, bundle):
    require("onnxruntime", "onnx")
    _, left = offline(sys.executable, "-c", "import onnxruntime")
    assert "deviceid" in left


def test_a_loaded_bundle_reports_nothing(offline, bundle):
    done, left = offline(sys.executable, "-c", LOAD.format(str(bundle)))
    assert (done.returncode, done.stderr, left) == (0, "", set())


def test_somebodys_own_value_stays(monkeypatch):
    code = f"import glint_edge, os; print(os.environ[{SWITCH!r}])"
    for own, value in (("", "1"), ("0", "0"), ("1", "1")):
        monkeypatch.setenv(SWITCH, own)
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert done.stdout == f"{value}\n"


def test_the_native_runner_reports_nothing(bundle, require_native, tmp_path, monkeypatch):
    """It runs on boards, too, where no environment of ours is."""
    require_native("onnx")
    whole = load_bundle(bundle)
    file, config = bundle / "model.onnx", whole.config.to_dict()
    inputs = Subject("onnx", "fp32", file, 10, None, config, whole.golden, None, None).inputs()
    for name in (SWITCH, "CI", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    job = Job("onnx", str(file), config, 10, None, 1, False, Plan())
    assert len(NativeRunner().run(job, inputs).golden.items) == len(whole.golden.cases)
    assert not list(tmp_path.rglob("*"))


@pytest.mark.full
def test_no_command_opens_a_socket_in_the_time_that_telemetry_takes(offline, bundle):
    wait = "import time; time.sleep(20)"
    done, left = offline(sys.executable, "-c", f"{LOAD.format(str(bundle))}; {wait}")
    assert (done.returncode, done.stderr, left) == (0, "", set())
    for line in (
        "export --target onnx,tflite --out shipped.glint --offline",
        "bench shipped.glint --runner python,native --rounds 2 --compare stock --profile --offline",
        "recommend shipped.glint --history 50,181",
        "evaluate --protocol unseen",
        "catalogue retire shipped.glint --item 50 --out fewer.glint --offline",
    ):
        done, left = offline(sys.executable, "-m", "glint_edge", *line.split())
        assert done.returncode in (0, 1), done.stderr  # 1: a stock row may be out of tolerance
        assert "SIGSYS" not in done.stdout + done.stderr
        assert not left & {"deviceid", "onnxruntime.db"}


def sources():
    for package in ("glint_edge", "quantization", "converters", "device_bench", "benchmarks"):
        yield from (ROOT / package).rglob("*.py")


def imports(node):
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module or ""] if isinstance(node, ast.ImportFrom) else []


def test_no_script_imports_onnxruntime_before_this_package():
    """Modules of the packages are safe: importing one imports `glint_edge` first."""
    for package in ("converters.to_onnx.ort", "device_bench.profiling.onnx_trace"):
        code = f"import sys, {package.partition('.')[0]}; assert 'glint_edge' in sys.modules"
        subprocess.run([sys.executable, "-c", code], check=True)
    for path in sources():
        if path.is_relative_to(ROOT / "benchmarks"):
            top = [
                name for node in ast.parse(path.read_text("utf-8")).body for name in imports(node)
            ]
            assert not [name for name in top if name.partition(".")[0] == "onnxruntime"], path


def test_the_android_module_sets_it_before_it_touches_the_library():
    module = ROOT / "glint_edge/apps/platforms/android/module/recommender/src/onnx"
    text = next(module.rglob("RuntimeEngine.kt")).read_text("utf-8")
    opened = text[text.index("override fun open") :]
    assert opened.index(f'Os.setenv("{SWITCH}", "1", true)') < opened.index("OrtSession.")


def test_the_readme_of_a_bundle_says_so_to_those_who_load_it_themselves():
    text = (ROOT / "converters/bundle_readme/onnx.md").read_text("utf-8")
    assert text.index(SWITCH) < text.index("OrtEnvironment.getEnvironment()")
