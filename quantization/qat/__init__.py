"""Quantization-aware training: a few epochs with int8's rounding inside."""
