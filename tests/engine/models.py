"""Models of every kind that the engine knows, as its files."""

import functools

from converters.to_c.lower import convert
from glint_edge.bundles.target import ConvertOptions
from glint_edge.model.stream import stream_program
from glint_edge.runtime.engines.c import load
from quantization import quantize
from tests.small import tiny_model

REFERENCE = {"variant": "paper", "padding": "reference", "max_length": 9}
KINDS = {
    "edge": {"d": 32},
    "wide": {"d": 64, "items": 4500},
    "odd widths": {"d": 18, "heads": 3, "kernel": 5},
    "light": {"d": 10, "heads": 1, "kernel": 1, "gated_mlp": False},
    "paper": {"d": 48, "heads": 2, "variant": "paper"},
    "no filter": {"d": 24, "low_pass": False},
    "no norm": {"d": 20, "heads": 10, "input_norm": False},
    "reference": {"d": 16, **REFERENCE},
    "reference, kernel 5": {"d": 16, "kernel": 5, "heads": 2, **REFERENCE},
}
PRECISIONS = ("fp32", "int8")


@functools.cache
def program_of(kind, precision):
    """A program with spare rows and a retired item."""
    model = tiny_model(**KINDS[kind])
    if model.config.padding == "reference":
        model.embedding.weight.data[0].normal_(std=0.5)
    model.retired = (5,)
    program = stream_program(model, 10, spare_items=7)
    return quantize(program) if precision == "int8" else program


def file_of(kind, precision, folder):
    path = folder / "model.glnt"
    convert(program_of(kind, precision), path, ConvertOptions(metadata={"name": "a stream"}))
    return path


def engine_of(kind, precision, folder, top_k=10):
    program = program_of(kind, precision)
    return load(file_of(kind, precision, folder), program.config, top_k, 1)
