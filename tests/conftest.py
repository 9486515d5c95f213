"""Fixtures several modules share: tiny seeded models, artifacts converted once, a browser."""

import gc
import logging
import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from filelock import FileLock

from device_bench.native import cross
from device_bench.native.build import build
from device_bench.runners import arm64
from glint_edge.checkpoints.checkpoint import load_checkpoint
from glint_edge.cli import app as cli
from glint_edge.data.log import load_log
from glint_edge.engine.library import NoCompilerError, is_current
from glint_edge.engine.library import build as build_engine
from glint_edge.errors import DataError, MissingExtraError, RunnerError
from glint_edge.files import cache_folder
from glint_edge.model.stream import StreamProgram, stream_program
from quantization import quantize
from tests import conversions, skips
from tests.order import (  # noqa: F401  # pytest finds them here
    pytest_addoption,
    pytest_collection_modifyitems,
    pytest_xdist_make_scheduler,
)
from tests.small import tiny_model

SKIPPED = set()


def pytest_runtest_logreport(report):
    if report.skipped and not hasattr(report, "wasxfail"):
        SKIPPED.add(report.nodeid)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session):
    if hasattr(session.config, "workerinput"):
        return
    conversions.prune()
    if skips.unexpected(SKIPPED) and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter):
    for test in skips.unexpected(SKIPPED):
        terminalreporter.write_line(f"SKIPPED without a reason in tests/skips.py: {test}", red=True)


# Fetched or built once for this user, in minutes. All else in the cache is a session's own.
KEPT = ("data", "native", "aarch64", "web")


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory):
    """A cache folder of this process: what the user has in theirs stays as it is.

    Not of all that test at a time: where a model lies is noted by what it is, and in another's test
    the same one lies elsewhere and was trained on other data.
    """
    own = tmp_path_factory.getbasetemp() / "cache"
    own.mkdir()
    for name in KEPT:
        users = cache_folder() / name
        users.mkdir(parents=True, exist_ok=True)
        (own / name).symlink_to(users.resolve())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GLINT_EDGE_CACHE", str(own))
        yield


@pytest.fixture(autouse=True, scope="session")
def _engine_built():
    """The engine's library is that of the sources; where no compiler is, its tests say so."""
    with FileLock(conversions.ROOT / ".pytest_cache" / "engine.lock"), suppress(NoCompilerError):
        if not is_current():
            build_engine()


# Torch and its graphs are millions of objects that live on: looking at them all, over and over,
# is a fifth of a conversion, and a tenth of a second whenever a bench collects before it times.
gc.set_threshold(100_000, 50, 100)


def pytest_collection_finish():
    gc.freeze()


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    """The tensors here are tiny: threads cost more than they bring, and the cores are shared."""
    torch.set_num_threads(1)


@pytest.fixture(autouse=True, scope="session")
def _convert_once():
    """An export takes the files of slow targets from the table."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("converters.export.convert", conversions.convert)
        yield


@pytest.fixture(autouse=True)
def _notes_are_not_shown():
    """A command line that ran in this process before has left its handler of the log's notes."""
    logging.getLogger("glint_edge").handlers.clear()


@pytest.fixture
def in_process(monkeypatch):
    """Let the python runner's worker work here: a process of its own imports torch, seconds."""
    from tests.device_bench.makers import work_here

    work_here(monkeypatch)


@pytest.fixture
def fake_convert(monkeypatch):
    """Exports write what is no artifact: target and precision. The programs so "converted"."""
    converted = []

    def convert(program, target, path, options):
        converted.append(program)
        conversions.write_no_artifact(program, target, path, options)

    monkeypatch.setattr("converters.export.convert", convert)
    return converted


@pytest.fixture(autouse=True)
def _seed():
    """A test draws the same numbers whether it runs alone or among others."""
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def make_model():
    """Build a seeded model in evaluation mode: tests/small.py."""
    return tiny_model


@pytest.fixture(scope="session")
def model(make_model):
    """A tiny one, for tests that do not care about the shape. Not to be changed."""
    return make_model()


@pytest.fixture
def run(monkeypatch, capsys):
    """Run a command line: exit code, stdout, stderr."""

    def call(*words):
        monkeypatch.setattr("sys.argv", ["glint-edge", *map(str, words)])
        code = 0
        try:
            cli.main()
        except SystemExit as end:
            code = end.code or 0
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


@pytest.fixture(scope="session")
def ml_100k():
    """The real MovieLens-100K: from the cache, else fetched as a user's first command does."""
    try:
        return load_log("ml-100k").whole
    except DataError as error:
        pytest.skip(f"no MovieLens-100K: {error}")


@dataclass(frozen=True)
class Artifact:
    """A converted file and the torch program it was made of."""

    program: StreamProgram
    path: Path


class Artifacts(dict):
    """By precision, each converted when a test first asks for it."""

    def __init__(self, program):
        super().__init__()
        self._fp32 = program

    def __missing__(self, precision):
        program = quantize(self._fp32, precision) if precision != "fp32" else self._fp32
        self[precision] = Artifact(program, conversions.converted(program, "executorch"))
        return self[precision]


@pytest.fixture(scope="session")
def shipped():
    """The checkpoint that the package ships: MovieLens-100K at d 64. Not to be changed."""
    return load_checkpoint()


@pytest.fixture(scope="session")
def artifacts(shipped):
    """The fp32 and the int8 `.pte` of the shipped model."""
    skips.require("executorch", "executorch")
    return Artifacts(stream_program(shipped.model, conversions.TOP_K, conversions.CHUNK))


@pytest.fixture(scope="session")
def require_native():
    """Build the native runner of a target, or skip the test and say what is not here."""

    def require(target):
        try:
            return build(target)
        except (MissingExtraError, RunnerError) as error:
            if "cannot be built" in str(error):
                raise
            pytest.skip(str(error))

    return require


@pytest.fixture(scope="session")
def arm64_tools():
    """QEMU and the compilers, as scripts/system-packages.sh installs them."""
    if missing := [finding for finding in arm64.check()[:3] if not finding.ok]:
        pytest.skip("; ".join(f"{finding.what}: {finding.text}" for finding in missing))


@pytest.fixture(scope="session")
def arm64_set_up(arm64_tools, pytestconfig):
    """The aarch64 runners in the user's cache, set up as by `glint-edge device setup arm64`.

    LiteRT's with `--full` alone: half a minute, of which fetching it is the most.
    """
    skips.require("executorch", "executorch")
    left_out = () if pytestconfig.getoption("--full") else ("tflite",)
    targets = [target for target in cross.installed_targets() if target not in left_out]
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(cross, "installed_targets", lambda: targets)
            arm64.setup(lambda step: None)
    except (MissingExtraError, RunnerError) as error:
        if "cannot be built" in str(error):
            raise
        pytest.skip(str(error))


@dataclass(frozen=True)
class Chromium:
    """How to start the system's Chromium: Playwright's launcher, and what it is to be told."""

    launcher: Any
    options: dict[str, Any]


@pytest.fixture(scope="module")
def chromium():
    """Chromium and Playwright, or a reason why they are not here."""
    api = pytest.importorskip("playwright.sync_api", reason="needs glint-edge[dev]: playwright")
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("needs chromium (Debian: apt-get install chromium)")
    # Chromium's sandbox refuses to be root's.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with api.sync_playwright() as playwright:
        yield Chromium(playwright.chromium, {"executable_path": program, "args": arguments})


@pytest.fixture(scope="module")
def browser(chromium):
    """Headless Chromium."""
    opened = chromium.launcher.launch(**chromium.options)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def web_app(tmp_path_factory):
    """The web module around the shipped checkpoint, built (about 25 s)."""
    from tests.apps.web_site import make_web_app

    worker = os.environ.get("PYTEST_XDIST_WORKER")
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if worker else base) / "web"
    folder.mkdir(exist_ok=True)
    return make_web_app(folder)
