"""Benches what was exported: parity, accuracy, latency, memory and size, on the real runtimes.

A runner (`device_bench/runners`) is where an artifact runs: in Python, in a C++ program of ours, on
an emulated Arm core, a board, a phone. Each run is a process of its own, so that one may crash
without the others, and none pays for another's memory or threads. It brings raw samples back;
`measure/statistics.py` and `judge/row.py` make figures and rows of them, in one place.
"""

import glint_edge  # noqa: F401  # before any runtime: it keeps ONNX Runtime from reporting
