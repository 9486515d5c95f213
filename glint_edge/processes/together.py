"""One of several processes that torchrun started, as torch lets them exchange tensors."""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch import Tensor

from glint_edge.errors import ProcessDied
from glint_edge.model.protocols import Encoder
from glint_edge.processes.distributed import DIED, Alone

SMALL = 1 << 16  # elements of a gradient that is not worth an exchange of its own


class Together(Alone):
    """One of several processes that torchrun started; made by `join`."""

    def __init__(self) -> None:
        self.rank, self.size = dist.get_rank(), dist.get_world_size()

    def part(self, batch: tuple[Tensor, ...]) -> tuple[Tensor, ...]:  # noqa: D102  # Alone's
        return tuple(tensor[self.rank :: self.size] for tensor in batch)

    def total(self, value: float) -> float:  # noqa: D102  # Alone's
        held = torch.tensor(value, dtype=torch.float64)
        self._all_reduce(held)
        return float(held)

    def add_gradients(self, model: Encoder) -> None:  # noqa: D102  # Alone's
        gradients = []
        for parameter in model.parameters():
            # A process without rows has none; all must take part alike.
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            gradients.append(parameter.grad)
        # Each exchange waits for the slowest process: the small ones, most of them, go as one.
        for large in (g for g in gradients if g.numel() > SMALL):
            self._all_reduce(large)
        small = [g for g in gradients if g.numel() <= SMALL]
        whole = torch.cat([g.flatten() for g in small])
        self._all_reduce(whole)
        for gradient, summed in zip(small, whole.split([g.numel() for g in small]), strict=True):
            gradient.copy_(summed.view_as(gradient))

    def gather(self, values: Tensor) -> Tensor:  # noqa: D102  # Alone's
        sizes = torch.zeros(self.size, dtype=torch.int64)
        sizes[self.rank] = len(values)
        self._all_reduce(sizes)
        # Each writes into its own place of zeros: the sum is all of them, one after another.
        whole = torch.zeros(int(sizes.sum()), dtype=values.dtype)
        start = int(sizes[: self.rank].sum())
        whole[start : start + len(values)] = values
        self._all_reduce(whole)
        return whole

    def copy_of_first(self, data: bytes) -> bytes:  # noqa: D102  # Alone's
        size = int(self.total(len(data) if self.rank == 0 else 0))
        held = torch.zeros(size, dtype=torch.uint8)
        if self.rank == 0:
            held = torch.frombuffer(bytearray(data), dtype=torch.uint8)
        self._all_reduce(held)  # the others' are zeros
        return held.numpy().tobytes()

    def _all_reduce(self, tensor: Tensor) -> None:
        try:
            dist.all_reduce(tensor)
        except RuntimeError as error:
            raise ProcessDied(DIED) from error
