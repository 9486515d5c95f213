"""The float stream in plain torch: the reference row beside the artifacts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy.typing as npt
import torch

from glint_edge.checkpoints.checkpoint import WEIGHTS, Checkpoint, load_checkpoint
from glint_edge.config import ModelConfig
from glint_edge.model.stream import StreamProgram, empty_state, stream_program
from glint_edge.processes.threads import check_threads
from glint_edge.runtime.app_bundle import AppBundle
from glint_edge.runtime.engines import in_chunks

MOST = 1000  # items that a checkpoint's Recommender ranks at once


class TorchRuntime:
    """A float stream program, called eagerly."""

    def __init__(self, program: StreamProgram, threads: int | None) -> None:
        if threads is not None:
            torch.set_num_threads(check_threads(threads))
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
    def recommend(
        self, state: torch.Tensor, bias: npt.NDArray[Any] | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Items int64 [1, k] and scores float32 [1, k]."""
        added = None if bias is None else torch.from_numpy(bias)
        items, scores = self._program.recommend(state, added)
        return items, scores

    @torch.inference_mode()
    def similar(
        self, item: int, bias: npt.NDArray[Any] | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Items int64 [1, k] and scores float32 [1, k]."""
        added = None if bias is None else torch.from_numpy(bias)
        items, scores = self._program.similar(torch.tensor([item]), added)
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
    return TorchRuntime(stream_program(model, top_k), threads)


def open_checkpoint(
    source: str | Path | Checkpoint | None, threads: int | None
) -> tuple[AppBundle, TorchRuntime]:
    """A checkpoint as what an application needs of a bundle, and its model at work.

    Args:
        source: loaded, its folder, or "hf://OWNER/NAME"; None: the shipped one.
        threads: of torch, in the whole process; None: as many as it has.

    Raises:
        CheckpointError: it is missing, damaged, of another model, or newer than this version.
        HubError: the Hub has none, refuses, or is out of reach.
    """
    if isinstance(source, str) and source.startswith("hf://"):
        from glint_edge.checkpoints.hub import fetch

        source = fetch(source)
    checkpoint = source if isinstance(source, Checkpoint) else load_checkpoint(source)
    config, catalogue = checkpoint.model.config, checkpoint.catalogue
    top_k = min(config.items - len(catalogue.retired), MOST)
    program = stream_program(checkpoint.model, top_k)
    bundle = AppBundle(
        digest=checkpoint.sha256 or "0" * 64,
        config=config,
        top_k=top_k,
        rows=program.rows,
        window=config.window_items("sliding"),
        target="torch",
        artifact=(checkpoint.folder or Path()) / WEIGHTS,
        catalogue=catalogue,
        repeats=checkpoint.data.repeats,
        neighbours=checkpoint.neighbours,
    )
    return bundle, TorchRuntime(program, threads)
