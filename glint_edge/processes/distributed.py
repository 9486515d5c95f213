"""Training in several processes: each takes a part of every batch, and all take the same step.

    torchrun --nproc-per-node=2 -m glint_edge train --data LOG --out RUN

torchrun starts the processes and tells each its rank. They begin with the same weights, draw the
same batches, and add up their gradients, each weighted by its share of the batch's predictions: the
sum is the gradient that one process would have had. Rank 0 alone writes and reports; of those that
fail, the first one says so.
"""

from __future__ import annotations

import logging
import os
import signal
import types
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

from glint_edge.errors import ConfigError, ProcessDied
from glint_edge.suggestions import did_you_mean, near

if TYPE_CHECKING:
    import torch
    from torch import Tensor
    from torch.distributed.distributed_c10d import Store

    from glint_edge.model.protocols import Encoder

log = logging.getLogger(__name__)

DEVICES = {"cpu": "cpu", "cuda": "cuda, a gpu"}  # by what they are called

DIED = (
    "another process of this training died, or torchrun was stopped; what was trained up to the "
    "last complete epoch is kept: start all of them again with --resume"
)


class Alone:
    """One process: every part is the whole."""

    rank = 0
    size = 1

    def part(self, batch: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """This process's rows of a batch whose tensors are [B, …]; there may be none."""
        return batch

    def total(self, value: float) -> float:
        """The sum of every process's value."""
        return value

    def add_gradients(self, model: Encoder) -> None:
        """Replace each gradient by the sum of every process's."""

    def gather(self, values: Tensor) -> Tensor:
        """Every process's values [n], n its own, one after another by rank."""
        return values

    def copy_of_first(self, data: bytes) -> bytes:
        """The bytes that rank 0 has."""
        return data


def find_device(name: str) -> torch.device:
    """Where this process computes: the CPU, or its own GPU of this machine's.

    Raises:
        ConfigError: there is no such device.
    """
    if name not in DEVICES:
        hint = did_you_mean(near(name, DEVICES), f"choose one of {', '.join(DEVICES)}")
        raise ConfigError(f"device {name!r} is unknown; {hint}")
    import torch

    if name == "cpu":
        return torch.device("cpu")
    index, count = int(os.environ.get("LOCAL_RANK", "0")), torch.cuda.device_count()
    if not count:
        raise ConfigError(
            "torch finds no CUDA device here; leave out --device cuda, or install a CUDA build of "
            "torch where there is one"
        )
    if index >= count:
        raise ConfigError(f"process {index} has no GPU, there are {count}; start fewer processes")
    torch.cuda.set_device(index)
    return torch.device("cuda", index)


@contextmanager
def joined() -> Iterator[Alone]:
    """The other processes that torchrun started, until the end of the block; alone without it.

    Raises:
        ProcessDied: another process died, or torchrun ends this one because of that.
        SystemExit: this one fails too, but not as the first: what matters has been said.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield Alone()
        return
    import torch
    import torch.distributed as dist
    from torch.distributed.rendezvous import rendezvous

    from glint_edge.processes.together import Together

    if dist.is_initialized():  # by a block around this one, which ends it
        yield Together()
        return
    # torchrun's own store, which outlives any of the processes.
    store, rank, size = next(rendezvous("env://"))
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    dist.init_process_group(backend, store=store, rank=rank, world_size=size)
    before = signal.signal(signal.SIGTERM, _stopped)
    try:
        yield Together()
        signal.signal(signal.SIGTERM, before)
    except Exception as error:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # torchrun's must not cut the line short
        if not _is_first_to_fail(store):
            log.debug("so did this process:", exc_info=error)
            raise SystemExit(ProcessDied.exit_code) from error
        raise
    finally:
        dist.destroy_process_group()


def _stopped(signal: int, frame: types.FrameType | None) -> NoReturn:
    # Often sooner than the broken connection is noticed, as a step may take seconds.
    raise ProcessDied(DIED)


def _is_first_to_fail(store: Store) -> bool:
    try:
        return bool(store.add("failed", 1) == 1)
    except RuntimeError:  # the store is gone, with torchrun
        return True
