"""Quantization: float stream program → int8 stream program, and what it costs."""

from quantization.quantize import quantize
from quantization.report import LayerReport, layer_report

__all__ = ["LayerReport", "layer_report", "quantize"]
