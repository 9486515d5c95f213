"""The native runner: a C++ program that runs one artifact without Python.

`src/` is the program, one executable a runtime; `build` compiles it against the libraries that the
runtime's Python package ships; `exchange` is what goes in and comes out. It knows nothing of where
the program runs: `device_bench.runners.native` starts it on this machine, others elsewhere.
"""
