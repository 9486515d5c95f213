"""The float stream in plain torch: the reference row beside the artifacts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy.typing as npt
import torch

from glint_edge.checkpoints.checkpoint import load_checkpoint
from glint_edge.config import ModelConfig
from glint_edge.model.stream import StreamProgram, empty_state, stream_program
from glint_edge.runtime.engines import in_chunks


class TorchRuntime:
    """A float stream program, called eagerly."""

    def __init__(self, program: StreamProgram, threads: int) -> None:
        torch.set_num_threads(threads)
        self.config, self.top_k = program.config, program.top_k
        self.threads = torch.get_num_threads()
        self._program = program

    def empty_state(self) -> torch.Tensor:
        """Zeros float32 [1, S]."""
        return empty_state(self.config)

    @torch.inference_mode()
    def append(self, state: torch.Tensor, item: int) -> torch.Tensor:
        """One item further."""
        after: torch.Tensor = self._program.append(state, torch.tensor([item]))
        return after

    @torch.inference_mode()
    def append_many(self, state: torch.Tensor, items: Sequence[int]) -> torch.Tensor:
        """Whole chunks; the last one padded."""
        for chunk, count in in_chunks(items, self._program.append_many.chunk):
            ids, added = torch.from_numpy(chunk), torch.tensor([count])
            state = self._program.append_many(state, ids, added)
        return state

    @torch.inference_mode()
    def recommend(self, state: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Items int64 [1, k] and scores float32 [1, k]."""
        items, scores = self._program.recommend(state)
        return items, scores

    def to_numpy(self, tensor: torch.Tensor) -> npt.NDArray[Any]:
        """The same memory as an array."""
        return tensor.numpy()

    def from_numpy(self, array: npt.NDArray[Any]) -> torch.Tensor:
        """A copy: a saved session's array is read-only, and torch knows no such thing."""
        return torch.tensor(array)


def load(folder: Path, config: ModelConfig, top_k: int | None, threads: int) -> TorchRuntime:
    """Load a checkpoint folder and fold its model; its own configuration is what counts."""
    model = load_checkpoint(folder).model
    program = stream_program(model) if top_k is None else stream_program(model, top_k)
    return TorchRuntime(program, threads)
