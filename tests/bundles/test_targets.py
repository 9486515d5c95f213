"""The targets' interface: found by entry point, and open to other packages."""

import gc
import sys

import pytest
import torch
from torch.fx.traceback import NodeSource

from converters import convert
from converters.export import export
from converters.options import ALL, ExportOptions
from converters.targets import find_target, targets
from device_bench.bench import bench, check_artifacts
from device_bench.measure.runtimes import load_runtime
from glint_edge.bundles.bundle import load_bundle
from glint_edge.bundles.target import Target, canonical_target
from glint_edge.checkpoints.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from glint_edge.data.catalogue import Catalogue
from glint_edge.data.record import DataSource
from glint_edge.errors import ConfigError, ConversionError, MissingExtraError
from glint_edge.model.stream import stream_program
from glint_edge.runtime.engines import engines, find_engine, in_chunks
from tests.device_bench.makers import QUICK
from tests.histories import recommend_history
from tests.skips import require

# A whole target as its author would write it, in one file of a package of their own. The file is
# ONNX, so that the processes it is loaded in need not import torch.
TOY = """
from dataclasses import dataclass


@dataclass(frozen=True)
class Toy:
    name: str = "toy"
    extra: str = "toy-runtime"
    suffix: str = ".toy"
    precisions: tuple = ("fp32",)
    convert_packages: tuple = ()
    packages: tuple = ()
    runtime_extra: str = "toy-runtime"
    runtime = {"toy": "1.0"}

    def convert(self, program, path, options):
        from converters.targets import find_target

        find_target("onnx").convert(program, path, options)

    def prepare(self):
        pass

    def load(self, path, config, top_k, threads):
        from glint_edge.runtime.engines import find_engine

        return Running(find_engine("onnx").load(path, config, top_k, threads))


class Running:
    threads = 1

    def __init__(self, inner):
        self.inner, self.config, self.top_k = inner, inner.config, inner.top_k

    def empty_state(self):
        return self.inner.empty_state()

    def append(self, state, item):
        return self.inner.append(state, item)

    def append_many(self, state, items):
        for item in items:
            state = self.append(state, item)
        return state

    def recommend(self, state, bias=None):
        return self.inner.recommend(state, bias)

    def similar(self, item, bias=None):
        return self.inner.similar(item, bias)

    def to_numpy(self, tensor):
        return tensor

    def from_numpy(self, array):
        return array


TARGET = Toy()
"""
METADATA = "Metadata-Version: 2.1\nName: toy-runtime\nVersion: 1.0\n"
ENTRY_POINTS = """
[glint_edge.targets]
toy = toy_target:TARGET
[glint_edge.engines]
toy = toy_target:TARGET
"""


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """Another distribution on the path, as pip would have installed it."""
    site = tmp_path / "site-packages"
    info = site / "toy_runtime-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "toy_target.py").write_text(TOY)
    (info / "METADATA").write_text(METADATA)
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    monkeypatch.syspath_prepend(str(site))
    targets.cache_clear()
    engines.cache_clear()
    yield
    targets.cache_clear()
    engines.cache_clear()
    sys.modules.pop("toy_target", None)


@pytest.fixture
def checkpoint(make_model, tmp_path):
    catalogue = Catalogue(("", *(f"k{n}" for n in range(1, 41))), {})
    save_checkpoint(
        Checkpoint(make_model(), catalogue, DataSource("log.csv", "log.csv")), tmp_path / "run"
    )
    return load_checkpoint(tmp_path / "run")


def test_a_fourth_target_is_one_file_of_another_package(toy, checkpoint, tmp_path):
    """It exports, is checked in a process of its own, benched and asked, with no line of ours."""
    require("onnxscript", "onnx")

    def check(artifacts, golden):
        return check_artifacts(
            artifacts, model=checkpoint.model, top_k=5, window=None, held_out=None, golden=golden,
            catalogue=checkpoint.catalogue, spare_items=None,
        )  # fmt: skip

    bundle = export(
        checkpoint,
        ExportOptions(("toy",), "none", 5, tmp_path / "app.glint"),
        folder=tmp_path / "run", check=check,
    )  # fmt: skip
    assert bundle.artifacts[0].file == "model.toy"
    assert bundle.manifest["checks"][0]["ok"], bundle.manifest["checks"][0]["failures"]

    runtime = load_runtime("toy", tmp_path / "app.glint/model.toy", bundle.config)
    with torch.no_grad():
        items, _ = recommend_history(runtime, [1, 2, 3], None)
        lengths = torch.tensor([3])
        best = checkpoint.model.score(torch.tensor([[1, 2, 3]]), lengths).topk(5).indices
        assert items.tolist() == best.tolist()
    result = bench(load_bundle(bundle.path), checkpoint=None, held_out=None, settings=QUICK)
    assert [row.target for row in result.rows] == ["toy"]
    assert result.ok, result.failures


def test_this_package_brings_three_targets():
    assert {"executorch", "onnx", "tflite"} <= set(targets())
    for name, target in targets().items():
        assert target.name == name
        assert target.suffix.startswith(".")
        assert {"fp32", "int8"} <= set(target.precisions)
        _is_a_target: Target = target


def test_looking_at_targets_imports_no_toolchain():
    import subprocess

    code = (
        "import sys; from converters.targets import targets; targets();"
        "from glint_edge.runtime.engines import engines; engines();"
        "print(sorted({'executorch', 'onnx', 'onnxruntime', 'litert_torch', 'ai_edge_litert',"
        "'torchao'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("typed", "name"),
    [("litert", "tflite"), ("ONNX", "onnx"), ("pte", "executorch"), ("ort", "onnx"),
     (".PTE", "executorch"), (" tflite", "tflite"), ("toy", "toy")],
)  # fmt: skip
def test_a_target_is_known_by_what_people_call_it(typed, name):
    assert canonical_target(typed) == name


def test_every_target_of_this_package_has_an_engine():
    assert {"executorch", "onnx", "tflite"} <= set(engines())
    for name, engine in engines().items():
        assert engine.name == name
        assert set(engine.packages) <= set(targets()[name].convert_packages)


def test_an_unknown_engine_is_refused_with_the_known_ones(toy):
    with pytest.raises(ConfigError, match=r"runs 'coreml' artifacts; choose one of c, onnx,.*toy"):
        find_engine("coreml")


def test_an_unknown_target_is_refused_with_the_known_ones(toy):
    with pytest.raises(ConfigError, match=r"'coreml' is unknown; choose one of .*toy"):
        find_target("coreml")


def test_a_missing_package_names_what_to_install(toy, monkeypatch):
    absent = lambda name: None  # noqa: E731  # nothing is installed
    monkeypatch.setattr("importlib.util.find_spec", absent)
    with pytest.raises(MissingExtraError, match=r"exporting to onnx needs.*'glint-edge\[onnx\]'"):
        find_target("onnx")
    with pytest.raises(MissingExtraError, match=r"running onnx needs.*'glint-edge\[onnx\]'"):
        find_engine("onnx")
    assert find_engine("toy").name == "toy"  # it needs nothing


def test_all_takes_the_targets_that_have_the_precision(toy, tmp_path):
    def names(quantize):
        options = ExportOptions((ALL,), quantize, 5, tmp_path / "x.glint")
        return {target.name for target in options.targets()}

    assert names("none") == set(targets())
    assert names("int8") == set(targets()) - {"toy"}
    assert "executorch" not in names("fp16")


def test_several_targets_are_those_each_once(toy, tmp_path):
    def names(*target):
        options = ExportOptions(target, "fp16", 5, tmp_path / "x.glint")
        return [target.name for target in options.targets()]

    assert names("tflite", "onnx", "tflite") == ["tflite", "onnx"]
    assert names("onnx", ALL) == names(ALL)
    with pytest.raises(ConfigError, match="executorch has no fp16"):
        names("onnx", "executorch")


def test_a_precision_that_a_target_lacks_is_refused_with_a_way_out(toy, tmp_path):
    options = ExportOptions(("executorch",), "fp16", 5, tmp_path / "x.glint")
    with pytest.raises(ConfigError, match=r"executorch has no fp16.*--target onnx, tflite"):
        options.targets()


def test_opset_is_for_onnx(tmp_path):
    with pytest.raises(ConfigError, match="--opset is about ONNX"):
        ExportOptions(("executorch",), "int8", 5, tmp_path / "x.glint", opset=21).targets()


def test_chunks_hold_every_item_once_and_pad_with_zeros():
    chunks = list(in_chunks(range(1, 8), 3))
    assert [chunk.tolist() for chunk, _ in chunks] == [[[1, 2, 3]], [[4, 5, 6]], [[7, 0, 0]]]
    assert [count for _, count in chunks] == [3, 3, 1]
    assert list(in_chunks([], 3)) == []


def test_what_a_conversion_does_to_torch_ends_with_it(model, tmp_path):
    node = torch.fx.Graph().placeholder("x")
    node.meta["from_node"] = [NodeSource(node)]

    def origin_is_shared():
        return NodeSource(node).from_node[0] is node.meta["from_node"][0]

    class Fails:
        def convert(self, program, path, options):
            assert origin_is_shared() and not gc.isenabled()
            if path.name == "outer":  # another conversion, of another thread
                with pytest.raises(ConversionError):
                    convert(program, self, path.with_name("inner"))
            assert origin_is_shared()
            raise ConversionError("no")

    with pytest.raises(ConversionError):
        convert(stream_program(model, 10), Fails(), tmp_path / "outer")
    assert not origin_is_shared() and gc.isenabled()


def test_the_program_names_its_methods_in_order(model):
    program = stream_program(model, chunk=7)
    assert {name: tuple(inputs) for name, (_, inputs) in program.methods().items()} == {
        "append": ("state", "item"),
        "append_many": ("state", "items", "count"),
        "recommend": ("state", "bias"),
        "similar": ("item", "bias"),
    }
    assert program.methods()["append_many"][1]["items"].shape == (1, 7)
