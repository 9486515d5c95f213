"""Converters: stream program → the file that a target's runtime loads.

One module a target, imported only when it is used: each brings a toolchain that takes seconds to
import and may not be installed.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from glint_edge.errors import ConfigError, ConversionError, MissingExtraError
from glint_edge.stream import StreamProgram

__all__ = ["TARGETS", "Target", "convert", "find_target"]


@dataclass(frozen=True)
class Target:
    """What a target can do, known without importing its toolchain.

    Attributes:
        name: what `--target` takes.
        module: has `convert(program, path)`.
        suffix: of the file.
        extra: the pip extra that brings the toolchain.
        packages: its import names; all must be there.
        precisions: of the programs it can lower.
        runtime: the least version of each runtime that is known to run the file.
    """

    name: str
    module: str
    suffix: str
    extra: str
    packages: tuple[str, ...]
    precisions: tuple[str, ...]
    runtime: Mapping[str, str]

    @property
    def missing(self) -> list[str]:
        """Packages that are not installed."""
        return [name for name in self.packages if importlib.util.find_spec(name) is None]


TARGETS: Mapping[str, Target] = {
    "executorch": Target(
        name="executorch",
        module="converters.to_executorch",
        suffix=".pte",
        extra="executorch",
        packages=("executorch", "torchao"),
        precisions=("fp32", "int8"),
        runtime={"executorch": "1.5.1"},
    ),
}


def find_target(name: str, precision: str) -> Target:
    """Look a target up, before anything slow is done.

    Raises:
        ConfigError: it is unknown, or cannot hold this precision.
        MissingExtraError: its toolchain is not installed.
    """
    target = TARGETS.get(name)
    if target is None:
        raise ConfigError(f"target {name!r} is unknown; choose one of {', '.join(TARGETS)}")
    if precision not in target.precisions:
        raise ConfigError(
            f"{name} has no {precision}; choose one of {', '.join(target.precisions)}"
        )
    if target.missing:
        raise MissingExtraError(target.extra, f"the target {name}")
    return target


def convert(program: StreamProgram, target: Target, path: Path) -> None:
    """Lower a stream program and write the target's file.

    Args:
        program: at a precision that the target has.
        target: from `find_target`.
        path: the file to write.

    Raises:
        ConversionError: the installed toolchain is not of the versions this one was built for.
    """
    with _quiet_toolchain():
        try:
            converter = importlib.import_module(target.module)
        except ImportError as error:
            raise ConversionError(
                f"the installed {' and '.join(target.packages)} do not fit together ({error}); "
                f"pip install --upgrade 'glint-edge[{target.extra}]'"
            ) from error
        converter.convert(program, path)


@contextmanager
def _quiet_toolchain() -> Iterator[None]:
    """Hold back what toolchains say of their own insides, unless we were asked to be verbose."""
    if logging.getLogger("glint_edge").isEnabledFor(logging.DEBUG):
        yield
        return
    loggers = [logging.getLogger(name) for name in ("torch", "torchao", "executorch")]
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
