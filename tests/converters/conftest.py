"""Programs of every precision, their `.onnx`, and what runs it."""

import pytest

from glint_edge.bundles.precisions import PRECISIONS
from glint_edge.model.stream import stream_program
from quantization import quantize


@pytest.fixture(scope="session")
def programs(make_model):
    """By precision, of a model whose terms all matter."""
    fp32 = stream_program(make_model(), top_k=5)
    return {precision: quantize(fp32, precision) for precision in PRECISIONS}


@pytest.fixture(scope="session")
def files(programs, tmp_path_factory):
    """Each precision's file, by its name."""
    from tests.converters.onnx_runtimes import converted

    folder = tmp_path_factory.mktemp("onnx")
    for precision, program in programs.items():
        converted(program, folder / f"{precision}.onnx", metadata={"shop": "ours"})
    return {precision: folder / f"{precision}.onnx" for precision in programs}


@pytest.fixture(scope="session")
def running(programs, files):
    from glint_edge.runtime.engines.onnx import load

    return {p: load(files[p], programs[p].config, 5, threads=1) for p in programs}


@pytest.fixture(params=list(PRECISIONS))
def precision(request):
    return request.param
