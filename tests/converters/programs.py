"""Programs that several modules convert to TFLite: each is converted once."""

from glint_edge.bundles.target import ConvertOptions
from glint_edge.model.stream import stream_program
from quantization import quantize
from tests.small import tiny_model

ITEMS = 260  # more than the 200 that filters leave out
OPTIONS = ConvertOptions(
    metadata={"name": "app", "description": "a stream", "version": "1", "data": "log"}
)
# By precision: the model's shape beside it, so that every form of the graph is converted once.
SHAPES = {
    "fp32": {"kernel": 5, "gated_mlp": False},
    "fp16": {"kernel": 1},
    "int8-table": {"kernel": 3},
    "int8": {"kernel": 3},
}


def tflite_model(precision):
    return tiny_model(items=ITEMS, **SHAPES[precision])


def tflite_program(precision):
    return quantize(stream_program(tflite_model(precision), 10, chunk=4), precision)
