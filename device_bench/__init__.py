"""Benches what was exported: parity, accuracy, latency, memory and size, on the real runtimes.

Each artifact runs in a process of its own (`device_bench.worker`), so that one may crash without
the others, and none pays for another's memory or threads. Runtimes are imported in that process,
when they are used.
"""
