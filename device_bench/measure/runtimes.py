"""Artifacts that run: those of any engine, or the float model in torch itself.

What a loaded artifact offers is `glint_edge.runtime.engines.Runtime`.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from pathlib import Path

from glint_edge.config import ModelConfig
from glint_edge.errors import BundleError, ConfigError
from glint_edge.runtime.engines import Runtime, Tensor, engines, find_engine, load_artifact

# The float stream in torch: what the others are compared with. Its "file" is a checkpoint folder.
REFERENCE = "torch"
# What a target's Python bindings import beside its runtime, and no app has.
BESIDE = {"executorch": ("torch",)}
# Before a target's name: the program that one would export without this tool.
STOCK = "stock:"


def require_runtime(target: str) -> None:
    """Make sure that an artifact can be run here, without importing its runtime.

    Raises:
        BundleError: no installed package brings an engine for this target.
        MissingExtraError: its runtime is not installed.
    """
    if target == REFERENCE or target.startswith(STOCK):
        return
    try:
        find_engine(target)
    except ConfigError as error:
        raise BundleError(
            f"this glint-edge cannot run {target!r} artifacts (it runs {', '.join(engines())}); "
            "upgrade glint-edge, or install the package that brings it"
        ) from error


def prepare_beside(target: str) -> None:
    """Import what is not the runtime, but comes with its bindings: its memory is not theirs."""
    for name in BESIDE.get(target, ()):
        importlib.import_module(name)


def prepare_runtime(target: str) -> None:
    """Import what loading an artifact needs (seconds).

    Raises:
        BundleError: no installed package brings an engine for this target.
        MissingExtraError: its runtime is not installed.
    """
    require_runtime(target)
    if target == REFERENCE:
        importlib.import_module("glint_edge.runtime.engines.torch")
    elif target.startswith(STOCK):
        from device_bench.measure import stock_engine

        stock_engine.prepare(target.removeprefix(STOCK))
    else:
        find_engine(target).prepare()


def load_runtime(
    target: str, path: Path, config: ModelConfig, *, top_k: int | None = None, threads: int = 1
) -> Runtime:
    """Load an artifact in this process.

    Args:
        target: an installed target's name, "torch", or "stock:" and a stock program's name.
        path: the file; for torch's a checkpoint folder.
        config: the model's.
        top_k: items that `recommend` must return; None takes what the file says.
        threads: CPU threads of the runtime.

    Raises:
        BundleError: the runtime refuses the file, or the file is of another model.
        MissingExtraError: the runtime is not installed.
    """
    require_runtime(target)
    if target == REFERENCE:
        from glint_edge.runtime.engines import torch as run_torch

        return run_torch.load(path, config, top_k, threads)
    if target.startswith(STOCK):
        from device_bench.measure import stock_engine

        return stock_engine.load(target.removeprefix(STOCK), path, config, top_k, threads)
    return load_artifact(target, path, config, top_k, threads)


def replay(runtime: Runtime, ids: Iterable[int]) -> Tensor:
    """The state after these items, oldest first, one `append` each."""
    state = runtime.empty_state()
    for item in ids:
        state = runtime.append(state, item)
    return state
