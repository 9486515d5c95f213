"""A stream program as an ONNX file."""
