"""Quantization: float stream program → one of another precision, and what it costs."""

from quantization.fp16 import Fp16Embedding, Fp16Linear
from quantization.int8 import Int8Embedding, Int8Linear
from quantization.quantize import quantize
from quantization.report import LayerReport, layer_report

__all__ = [
    "Fp16Embedding",
    "Fp16Linear",
    "Int8Embedding",
    "Int8Linear",
    "LayerReport",
    "layer_report",
    "quantize",
]
