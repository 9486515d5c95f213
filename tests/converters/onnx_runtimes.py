"""Stream programs on ONNX Runtime."""

import onnxruntime

from converters import convert
from converters.targets import find_target
from glint_edge.bundles.target import ConvertOptions
from glint_edge.runtime.engines.onnx import OnnxRuntime, load

TAPS = [7, 3, 3, 21, 40, 9, 1, 2, 30, 11, 41, 0]


def converted(program, path, **options):
    convert(program, find_target("onnx"), path, ConvertOptions(**options))
    return load(path, program.config, program.top_k, threads=1)


def of_bytes(model, program):
    """A runtime of a model that was never written: quicker by what a conversion checks."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return OnnxRuntime(session, program.config, program.top_k)
