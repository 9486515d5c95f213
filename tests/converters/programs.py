"""Programs that several modules convert: to TFLite, which is slow, each is converted once."""

import torch

from glint_edge.bundles.target import ConvertOptions
from glint_edge.model.stream import stream_program
from quantization import quantize
from tests import conversions
from tests.small import tiny_model

ITEMS = 260  # more than the 200 that filters leave out
OPTIONS = ConvertOptions(
    metadata={"name": "app", "description": "a stream", "version": "1", "data": "log"}
)
# By precision: the model's shape beside it, so that every form of the graph is converted once.
SHAPES = {
    "fp32": {"kernel": 5, "gated_mlp": False, "variant": "paper"},
    "fp16": {"kernel": 1},
    "int8-table": {"kernel": 3},
    "int8": {"kernel": 3},
}


def small_model(precision):
    return tiny_model(items=ITEMS, **SHAPES[precision])


def small_program(precision):
    return quantize(stream_program(small_model(precision), 10, conversions.CHUNK), precision)


def extreme_model():
    """Weights of ±127 alone in int8, and activations at both ends of their range, 64 to a sum."""
    model = tiny_model(d=64)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("weight") and parameter.dim() > 1 and "embedding" not in name:
                parameter.copy_(parameter.sign() * 0.1)
        model.embedding.weight[1:] = model.embedding.weight[1:].sign()
    return model


def extreme_program(model, spare_items):
    """Of that model, or of it with another catalogue; its lists hold nearly all items."""
    return quantize(stream_program(model, 39, chunk=1, spare_items=spare_items))
