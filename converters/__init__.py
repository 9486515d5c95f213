"""Converters: stream program → the file that a target's runtime loads.

`glint_edge.bundles.target` says what a target is, `converters.targets` lists this package's own
and finds the others. Each has a lowering, imported only when it is used: it brings a toolchain that
takes seconds to import and may not be installed.
"""

from __future__ import annotations

import gc
import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from glint_edge.bundles.target import ConvertOptions, Target

if TYPE_CHECKING:
    from glint_edge.model.stream import StreamProgram

__all__ = ["convert", "quiet_toolchain"]

TOOLCHAINS = ("torch", "torchao", "executorch", "onnxscript", "onnx_ir", "litert_torch", "jax")
_SHARING = threading.Lock()  # held by the conversion whose nodes share where they come from


def convert(
    program: StreamProgram, target: Target, path: Path, options: ConvertOptions | None = None
) -> None:
    """Lower a stream program and write the target's file.

    Args:
        program: at a precision that the target has.
        target: from `converters.targets.find_target`.
        path: the file to write.
        options: what the target may want to know.

    Raises:
        ConversionError: the toolchain failed.
    """
    with quiet_toolchain(), _collector_paused(), _origins_shared():
        target.convert(program, path, options or ConvertOptions())


@contextmanager
def quiet_toolchain() -> Iterator[None]:
    """Hold back what toolchains say of their own insides, unless we were asked to be verbose."""
    if logging.getLogger("glint_edge").isEnabledFor(logging.DEBUG):
        yield
        return
    loggers = [logging.getLogger(name) for name in TOOLCHAINS]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


@contextmanager
def _collector_paused() -> Iterator[None]:
    """A lowering keeps millions of objects, and looking at them over and over is a fifth of it."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@contextmanager
def _origins_shared() -> Iterator[None]:
    """Let the nodes of a graph share where they come from: debuggers show it, nobody changes it.

    `NodeSource` copies it whole for each node of each pass, and it grows with each: 7 % of an
    export to ExecuTorch. A torch without it copies nothing. Of conversions in several threads one
    shares.
    """
    import torch.fx.traceback as traceback

    source = getattr(traceback, "NodeSource", None)
    if source is None or not _SHARING.acquire(blocking=False):
        yield
        return
    source.__deepcopy__ = lambda self, memo: self
    try:
        yield
    finally:
        del source.__deepcopy__
        _SHARING.release()
