"""Golden lists with filters: the export's check asks a file for each, in an app's own words."""

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import converters
from converters.targets import find_target
from device_bench.bench import check_artifacts
from device_bench.measure.job import Filtered
from glint_edge.bundles.bundle import Artifact
from glint_edge.bundles.golden import golden_of
from glint_edge.data.catalogue import Catalogue
from glint_edge.model.stream import stream_program
from tests.device_bench.makers import HISTORIES, TOP_K
from tests.onnx_graphs import graphs
from tests.skips import require
from tests.small import tiny_neighbours

KEYS = ("", *(f"k{n}" for n in range(1, 41)))
FIELDS = {"category": {f"k{n}": f"c{n % 3}" for n in range(1, 39)}}
CATALOGUE = Catalogue(KEYS, {}, fields=FIELDS)
EXPERT = tiny_neighbours()
NO_BIAS, ITEM = np.zeros((1, 1), np.float32), np.array([[2]])


@pytest.fixture(scope="module", params=[None, 3])
def exported(request, make_model, tmp_path_factory):
    """A file without and with spare rows, and what it must give."""
    require("onnxscript", "onnx")
    model, spare = make_model(), request.param
    program = stream_program(model, TOP_K, chunk=4, spare_items=spare)
    path = tmp_path_factory.mktemp("filtered") / "model.onnx"
    converters.convert(program, find_target("onnx"), path)
    return model, spare, path, golden_of(program, HISTORIES, CATALOGUE, EXPERT)


@pytest.fixture
def check(in_process, exported):
    model, spare, _, golden = exported

    def check(path):
        (entry,) = check_artifacts(
            [(Artifact("onnx", "fp32", path.name, {}), path)], model=model, top_k=TOP_K,
            window=None, held_out=None, golden=golden, catalogue=CATALOGUE, spare_items=spare,
            neighbours=EXPERT,
        )  # fmt: skip
        assert entry["ok"] is not bool(entry["failures"])
        return entry["failures"]

    return check


def with_constant(path, folder, name, value, branch=""):
    """The same file, but an input is always this value where a branch reads it."""
    model = onnx.load(path)
    model.graph.initializer.append(numpy_helper.from_array(value, "constant"))
    for graph in graphs(model.graph):
        for node in graph.node if graph.name.endswith(branch) else ():
            node.input[:] = ["constant" if read == name else read for read in node.input]
    changed = folder / "changed.onnx"
    onnx.save(model, changed)
    return changed


def test_every_kind_of_filter_is_asked_for(exported):
    *_, golden = exported
    words = {word for one in golden.lists for word in one.filter}
    assert words == {"exclude_seen", "without", "among", "where", "boost", "most_per"}
    assert max(one.k for one in golden.lists) > TOP_K
    assert golden.similar
    assert {one.neighbours for one in golden.lists} == {True, None}
    again = Filtered.from_dict(Filtered(golden, CATALOGUE, None, EXPERT).to_dict())
    assert again.neighbours.to_bytes() == EXPERT.to_bytes()
    assert (again.golden, again.catalogue, again.rows) == (golden, CATALOGUE, 42)


def test_the_right_file_passes(check, exported):
    assert check(exported[2]) == []


def test_a_file_that_ignores_its_bias_fails(check, exported, tmp_path):
    failures = check(with_constant(exported[2], tmp_path, "bias", NO_BIAS))
    assert failures == [
        "with filters, it cannot be run (it recommends items that a filter leaves out); export it "
        "again"
    ]


def test_a_file_whose_similar_is_of_another_item_fails(check, exported, tmp_path):
    failures = check(with_constant(exported[2], tmp_path, "items", ITEM, branch="similar"))
    assert failures
    assert all(line.startswith("golden similar ") for line in failures)
