"""A small app's bundle, what loads it, and a server of newer ones."""

import shutil

import pytest

from converters.export import export
from converters.options import ExportOptions
from glint_edge.checkpoints.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from glint_edge.data.catalogue import Catalogue
from glint_edge.data.record import DataSource
from glint_edge.runtime import BundleStore, Recommender
from tests.runtime.update_server import Server, make_bundle
from tests.runtime.windowed import ITEMS, KEYS, N
from tests.skips import require


@pytest.fixture
def server(tmp_path):
    (tmp_path / "server").mkdir()
    return Server(tmp_path / "server")


@pytest.fixture
def store(tmp_path):
    return BundleStore(tmp_path / "store", make_bundle(tmp_path / "app.glint", "built in"))


@pytest.fixture(scope="session")
def windowed_model(make_model):
    made = make_model(items=ITEMS, max_length=N)
    made.retired = (40,)
    return made


@pytest.fixture(scope="session", params=["onnx", pytest.param("tflite", marks=pytest.mark.full)])
def target(request):
    package = {"onnx": "onnxscript", "tflite": "litert_torch"}[request.param]
    require(package, request.param)
    return request.param


@pytest.fixture(scope="session")
def export_app(windowed_model, tmp_path_factory):
    catalogue = Catalogue(("", *KEYS), {"k1": "First", "k2": "Zweiter – ２"}, retired=("k40",))
    folder = tmp_path_factory.mktemp("run")
    save_checkpoint(Checkpoint(windowed_model, catalogue, DataSource("app", "app")), folder)
    checkpoint = load_checkpoint(folder)

    def make(target, window="sliding"):
        out = tmp_path_factory.mktemp("bundle") / "app.glint"
        options = ExportOptions((target,), "none", 12, out, window, chunk=4)
        return export(checkpoint, options, folder=folder, check=lambda *_: []).path

    return make


@pytest.fixture(scope="session")
def bundle(target, export_app):
    return export_app(target)


@pytest.fixture(scope="session")
def recommender(bundle):
    return Recommender.load(bundle)


@pytest.fixture
def copy(bundle, tmp_path):
    return shutil.copytree(bundle, tmp_path / "app.glint")
