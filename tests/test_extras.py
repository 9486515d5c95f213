"""What other packages bring by entry points: one that breaks takes nothing but itself with it."""

import json

import pytest

from converters.targets import find_target, targets
from device_bench.runners.runner import find_runner, runners
from glint_edge.errors import ConfigError
from glint_edge.runtime.engines import ENGINES, engines

CACHES = (targets, engines, runners)
BROKEN = {
    "gone": "no_such_module:TARGET",
    "raises": "broken_plugin_raises:TARGET",
    "leaves": "broken_plugin_leaves:TARGET",
    "empty": "broken_plugin_none:TARGET",
    "lacks": "broken_plugin_none:NOTHING",
    "syntax": "broken_plugin_syntax:TARGET",
}
MODULES = {
    "raises": "raise RuntimeError('no\\nlicense')",
    "leaves": "import sys; sys.exit(3)",
    "none": "TARGET = 7",
    "syntax": "def",
}


@pytest.fixture
def broken(tmp_path, monkeypatch):
    """A distribution whose every entry point is broken, and that claims names of ours."""
    site = tmp_path / "site-packages"
    info = site / "broken_plugin-1.0.dist-info"
    info.mkdir(parents=True)
    for name, text in MODULES.items():
        (site / f"broken_plugin_{name}.py").write_text(text)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken-plugin\nVersion: 1.0\n")
    lines = [f"{name} = {where}" for name, where in BROKEN.items()]
    groups = [f"[glint_edge.{group}]" for group in ("targets", "engines", "runners")]
    claimed = ["onnx = broken_plugin_raises:TARGET", "python = broken_plugin_raises:TARGET"]
    text = "\n".join("\n".join((group, *lines, *claimed)) for group in groups)
    (info / "entry_points.txt").write_text(text)
    monkeypatch.syspath_prepend(str(site))
    for cache in CACHES:
        cache.cache_clear()
    yield
    for cache in CACHES:
        cache.cache_clear()


def test_all_else_goes_on(broken, caplog):
    assert not set(BROKEN) & {*targets(), *engines(), *runners()}
    assert {"executorch", "onnx", "tflite"} <= set(targets())
    assert {engine.name: engine for engine in ENGINES}.items() <= engines().items()
    assert {"python", "native", "arm64", "ssh", "adb"} <= set(runners())
    for name, where in BROKEN.items():
        assert f"{name} cannot be used ({where} of broken-plugin: " in caplog.text
    assert all("\n" not in record.getMessage() for record in caplog.records)


def test_who_asks_for_it_is_told_why(broken):
    with pytest.raises(ConfigError, match=r"'raises' cannot be used \(.*RuntimeError: no license"):
        find_target("raises")
    with pytest.raises(ConfigError, match=r"'leaves' cannot be used \(.*SystemExit: 3"):
        find_runner("leaves")
    with pytest.raises(ConfigError, match=r"'empty' cannot be used \(.*it has no name\)"):
        find_target("empty")


def test_the_doctor_names_it(broken, run):
    code, out, _ = run("doctor", "--json")
    assert (code, json.loads(out)["conflicts"]) == (0, [])
    values = "\n".join(json.loads(out)["broken"])
    for group in ("targets", "engines", "runners"):
        assert f"glint_edge.{group} gone: no_such_module:TARGET of broken-plugin: " in values
    code, out, _ = run("doctor")
    assert "cannot be used" in out
    code, out, _ = run("device", "list", "--json")
    assert code == 0
    assert "python" in out
