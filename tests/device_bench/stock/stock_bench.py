"""A bench that has stock rows alone."""

import io
from importlib.util import find_spec

import pytest
from rich.console import Console

from device_bench.document import document
from device_bench.entries import Settings
from device_bench.measure.sampling import Plan
from device_bench.reports.terminal import render
from glint_edge.bundles.bundle import Bundle
from glint_edge.data.catalogue import Catalogue
from glint_edge.model.stream import stream_program
from tests.device_bench.makers import golden_for

N = 6  # exporters unroll it
QUICK = Settings(rounds=1, plan=Plan(warmup=1, runs=20, budget_ms=50), stock=True)


def needs(package):
    """Skip without it, and do not import it, which takes seconds."""
    if find_spec(package) is None:
        pytest.skip(f"needs glint-edge[onnx,litert]: {package}")


def bundle_of(model, path, window="sliding"):
    """Without artifacts: they are not what is tested here."""
    return Bundle(
        path=path, manifest={"name": "app", "window": window}, config=model.config, top_k=10,
        artifacts=(), catalogue=Catalogue(("",), {}),
        golden=golden_for(stream_program(model, 10, chunk=4), [[1, 2]]),
    )  # fmt: skip


def stock_rows(result):
    return {(row.target, row.precision): row for row in result.rows if row.runner == "stock"}


def printed(result):
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(render(document([result], Settings(), [])))
    return " ".join(console.export_text().split())
