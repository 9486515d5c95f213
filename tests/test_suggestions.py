"""An unknown name is refused with what is near it: of options, columns, files, items and logs."""

import re
from pathlib import Path

import pytest

from converters.options import ExportOptions
from converters.targets import find_target
from device_bench.document import read_document
from device_bench.runners.runner import find_runner
from glint_edge import api
from glint_edge.apps.module import find_platform
from glint_edge.bundles.manifest import read_manifest
from glint_edge.bundles.precisions import precision_of
from glint_edge.checkpoints.changes import ids_of
from glint_edge.checkpoints.checkpoint import load_checkpoint
from glint_edge.checkpoints.near_items import read_rows
from glint_edge.config import TrainConfig
from glint_edge.data.catalogue import Catalogue
from glint_edge.data.items import ItemFile
from glint_edge.data.log import load_log
from glint_edge.data.sequencing.splits import parse_split
from glint_edge.data.source import part_of
from glint_edge.errors import GlintEdgeError
from glint_edge.processes.distributed import find_device
from glint_edge.refusals import refusal
from glint_edge.runtime.engines import find_engine
from glint_edge.suggestions import near, near_paths, one_of
from glint_edge.training.run_file import read_run
from glint_edge.training.search_space import searched

SHOP = Catalogue(("", "sku-100", "sku-200"), {"sku-200": "Oak Chair"})


@pytest.mark.parametrize(
    ("ask", "says"),
    [
        (lambda: find_target("onx"), "target 'onx' is unknown; did you mean onnx? Or choose one"),
        (lambda: find_target("executorh"), "did you mean executorch?"),
        (lambda: find_engine("tflit"), "did you mean tflite?"),
        (lambda: find_runner("natve"), "did you mean native?"),
        (lambda: find_runner("arm64:cortex-a77"), "did you mean cortex-a7"),
        (lambda: find_platform("andriod"), "did you mean android? Or choose one of web, ios"),
        (lambda: find_platform("iOS"), "did you mean ios?"),
        (lambda: precision_of("int8-tabel"), "did you mean int8-table"),
        (lambda: ExportOptions(("onnx",), "int8", None, NEW, window="slidng"), "mean sliding?"),
        (lambda: find_device("cudda"), "did you mean cuda?"),
        (lambda: part_of(None, "tests"), "did you mean test?"),
        (lambda: parse_split("leave-one-ot"), "did you mean leave-one-out?"),
        (lambda: searched(["learning-rat"], {}), "did you mean learning_rate?"),
        (lambda: TrainConfig(precision="bfloat61"), "'bfloat61'; did you mean bfloat16?"),
        (lambda: ids_of(SHOP, ["sku-10"]), "did you mean sku-100"),
        (lambda: ids_of(SHOP, ["oak chiar"]), "did you mean sku-200 Oak Chair?"),
    ],
)
def test_an_unknown_name_is_refused_with_what_is_near(ask, says):
    with pytest.raises(GlintEdgeError, match=re.escape(says)):
        ask()


def test_of_few_names_all_are_named_and_of_many_the_near_ones():
    assert one_of("zz", ["a", "b"]) == "choose one of a, b"
    assert one_of("onxx", ["onnx"]) == "did you mean onnx?"
    many = [f"name{n}" for n in range(40)]
    assert one_of("nme7", many).startswith("did you mean name7")
    assert "choose" not in one_of("nme7", many)
    assert near("gpu", {"cuda": "cuda, a gpu", "cpu": "cpu"}) == ["cuda"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with a log, a table, a run and a bundle of a kind."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taps.csv").write_text(
        "user_id,sku,when,event\n" + "".join(f"u,{n},{n},view\n" for n in range(9))
    )
    (tmp_path / "items.csv").write_text("sku,name,colour\n0,Lamp,red\n")
    for name in ("run.json", "run.toml"):
        (tmp_path / name).touch()
    for name in ("runs/mine", "shop.glint"):
        (tmp_path / name).mkdir(parents=True)
    return tmp_path


NEW = Path("new.glint")


@pytest.mark.parametrize(
    ("ask", "says"),
    [
        (lambda: load_log("tap.csv"), "no such file: tap.csv; did you mean taps.csv?"),
        (lambda: load_log("ml-100"), "did you mean ml-100k?"),
        (lambda: load_log("ml100k"), "did you mean ml-100k?"),
        (lambda: load_log("nothing"), "no such file: nothing; pass the path of an interaction log"),
        (
            lambda: load_log("taps.csv", validation="x", test="tapz.csv"),
            "/x; pass the path of an inter",
        ),
        (lambda: load_log("taps.csv", test="tapz.csv"), "/taps.csv?"),
        (lambda: api.shard("tap.csv", "out"), "did you mean taps.csv?"),
        (lambda: api.import_recbole("tap.pth", "out"), "no such file: tap.pth"),
        (lambda: ItemFile("item.csv"), "did you mean items.csv?"),
        (lambda: read_rows(NEW.with_name("taps.npy")), "did you mean taps.csv?"),
        (lambda: read_manifest(NEW.with_name("shp.glint")), "did you mean shop.glint?"),
        (lambda: load_checkpoint("runs/mne"), "did you mean runs/mine?"),
        (lambda: load_checkpoint("run/mine"), "did you mean runs/mine?"),
        (lambda: read_document(NEW.with_name("rum.json")), "did you mean run.json"),
        (lambda: read_run(NEW.with_name("my-run.toml")), "did you mean run.toml"),
        (lambda: load_log("taps.csv", user="userid"), "did you mean user_id? Or choose --user"),
        (lambda: load_log("taps.csv", time="whn"), "did you mean when?"),
        (lambda: load_log("taps.csv", event="event", only="vew"), "did you mean view?"),
    ],
)
def test_a_name_that_is_not_there_is_refused_with_what_is_near(ask, says, folder):
    with pytest.raises(GlintEdgeError, match=re.escape(says)):
        ask()


def test_what_the_system_does_not_find_is_refused_with_what_is_near(folder):
    assert refusal(FileNotFoundError(2, "", "tapss.csv")).endswith("did you mean taps.csv?")
    assert refusal(FileNotFoundError(2, "", "zz")).endswith("check the path")
    assert near_paths("taps.csv") == [], "it is there"
    assert near_paths("taps.csv/taps") == [], "no folder"


def test_an_item_that_is_unknown_to_a_bundle_is_refused_with_what_is_near(shipped):
    for ask in (lambda: api.recommend(shipped, ["star wrs"]), lambda: api.similar(shipped, "jedi")):
        with pytest.raises(GlintEdgeError, match=r"is not in the catalogue; did you mean"):
            ask()
