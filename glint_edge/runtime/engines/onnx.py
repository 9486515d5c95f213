"""A `.onnx` or `.ort` on ONNX Runtime."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import onnxruntime

from glint_edge.bundles.wire import ONNX_METHODS, ONNX_TENSORS
from glint_edge.config import ModelConfig
from glint_edge.errors import BundleError
from glint_edge.model.state import state_size

State: TypeAlias = npt.NDArray[np.float32]
Bias: TypeAlias = npt.NDArray[np.float32]
Items: TypeAlias = npt.NDArray[np.int64]
Scores: TypeAlias = npt.NDArray[np.float32]

APPEND, APPEND_MANY, RECOMMEND, SIMILAR = (np.array([n]) for n in ONNX_METHODS.values())
NO_ITEM, ONE = np.zeros((1, 1), dtype=np.int64), np.array([1])
NO_BIAS = np.zeros((1, 1), dtype=np.float32)  # as good as one for every row, and cheaper
FATAL_ONLY = 4  # of ONNX Runtime's own log


class OnnxRuntime:
    """The methods of a loaded model."""

    def __init__(
        self, session: onnxruntime.InferenceSession, config: ModelConfig, top_k: int
    ) -> None:
        self.config, self.top_k = config, top_k
        self.threads: int = session.get_session_options().intra_op_num_threads
        self._run, self._no_state = session.run, self.empty_state()

    def empty_state(self) -> State:
        """Zeros float32 [1, S]."""
        return np.zeros((1, state_size(self.config)), dtype=np.float32)

    def append(self, state: State, item: int) -> State:
        """One item further."""
        return self._step(APPEND, state, np.array([[item]]), ONE)

    def append_many(self, state: State, items: Sequence[int]) -> State:
        """The whole history in one call: the graph takes any length."""
        ids = np.asarray(items, dtype=np.int64)[None]
        return self._step(APPEND_MANY, state, ids, np.array([len(items)]))

    def recommend(self, state: State, bias: Bias | None = None) -> tuple[Items, Scores]:
        """Items int64 [1, k] and scores float32 [1, k]."""
        return self._list(RECOMMEND, state, NO_ITEM, bias)

    def similar(self, item: int, bias: Bias | None = None) -> tuple[Items, Scores]:
        """Items int64 [1, k] and scores float32 [1, k]."""
        return self._list(SIMILAR, self._no_state, np.array([[item]]), bias)

    def to_numpy(self, tensor: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The array itself."""
        return tensor

    def from_numpy(self, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The array itself."""
        return array

    def _step(
        self,
        method: npt.NDArray[np.int64],
        state: State,
        items: npt.NDArray[np.int64],
        count: npt.NDArray[np.int64],
    ) -> State:
        after: State = self._run(("new_state",), _feed(method, state, items, count))[0]
        return after

    def _list(
        self,
        method: npt.NDArray[np.int64],
        state: State,
        items: npt.NDArray[np.int64],
        bias: Bias | None,
    ) -> tuple[Items, Scores]:
        feed = _feed(method, state, items, ONE, NO_BIAS if bias is None else bias)
        top, scores = self._run(("top_items", "top_scores"), feed)
        return top, scores


def _feed(
    method: npt.NDArray[np.int64],
    state: State,
    items: npt.NDArray[np.int64],
    count: npt.NDArray[np.int64],
    bias: Bias = NO_BIAS,
) -> dict[str, npt.NDArray[Any]]:
    """All inputs of the graph, which every method is given."""
    return {"method": method, "state": state, "items": items, "count": count, "bias": bias}


def load(path: Path, config: ModelConfig, top_k: int | None, threads: int) -> OnnxRuntime:
    """Load a `.onnx` or `.ort`.

    Raises:
        BundleError: the runtime refuses it, or it is of another model.
    """
    session = open_session(path, threads, "export it again")
    return OnnxRuntime(session, config, _checked_top_k(session, path, config, top_k))


def open_session(path: Path, threads: int, advice: str) -> onnxruntime.InferenceSession:
    """A file in ONNX Runtime, which says nothing on its own.

    Raises:
        BundleError: the runtime refuses it; the last words are the advice.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = FATAL_ONLY
    try:
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the runtime's own have no other base
        reason = " ".join(str(error).replace(str(path), "it").split())
        raise BundleError(
            f"ONNX Runtime refuses {path} ({reason.rpartition(' : ')[2]}); {advice}"
        ) from error


def _checked_top_k(
    session: onnxruntime.InferenceSession, path: Path, config: ModelConfig, top_k: int | None
) -> int:
    """What the file says k is, once its names and shapes are those of this model's stream."""
    shapes = {tensor.name: tensor.shape for tensor in session.get_inputs() + session.get_outputs()}
    if tuple(shapes) != ONNX_TENSORS:
        raise BundleError(
            f"{path} is no stream program (it has {', '.join(shapes)}); export it again"
        )
    sizes = [shapes[name][-1] for name in ("state", "new_state", "top_items", "top_scores")]
    k = top_k or sizes[-1]
    expected = [state_size(config)] * 2 + [k] * 2
    if sizes != expected:
        raise BundleError(
            f"{path} is of another model (its state, in and out, and its top-k, items and scores, "
            f"are {sizes}, not {expected}); export it again"
        )
    return k
