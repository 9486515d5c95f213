"""A `.glnt` on the engine (`glint_edge/engine`), by ctypes."""

from __future__ import annotations

import ctypes
import importlib.util
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from glint_edge.bundles.engine_file import HEAD, Head
from glint_edge.config import ModelConfig
from glint_edge.engine.library import MODULE
from glint_edge.errors import BundleError

State: TypeAlias = npt.NDArray[np.float32]
Bias: TypeAlias = npt.NDArray[np.float32]
Lists: TypeAlias = tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]

ID_MIN, ID_MAX = -1, 2**31 - 1  # ids are int32 here; what lies beyond is unknown either way
REASONS = {-1: "it is no file of the engine", -2: "a newer glint-edge wrote it"}
DAMAGED = "it is damaged"


@cache
def library() -> ctypes.CDLL:
    """The engine's library.

    Raises:
        ImportError: it was not built.
    """
    spec = importlib.util.find_spec(MODULE)
    if spec is None or spec.origin is None:
        raise ImportError("its library was not built")
    loaded = ctypes.CDLL(spec.origin)
    pointer, size, number = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int32
    listed = [number, pointer, pointer]
    for name, result, arguments in (
        ("model_bytes", size, []),
        ("open", ctypes.c_int, [pointer, pointer, size]),
        ("use", ctypes.c_int, [pointer, ctypes.c_char_p]),
        ("kernels_name", ctypes.c_char_p, [pointer]),
        ("state_floats", size, [pointer]),
        ("workspace_bytes", size, [pointer]),
        ("append", None, [pointer, pointer, pointer, number]),
        ("append_many", None, [pointer, pointer, pointer, pointer, size]),
        ("recommend", number, [pointer, pointer, pointer, pointer, *listed]),
        ("similar", number, [pointer, pointer, number, pointer, *listed]),
    ):
        function = getattr(loaded, f"glint_{name}")
        function.restype, function.argtypes = result, arguments
    return loaded


class EngineRuntime:
    """An open model.

    Attributes:
        kernels: what it computes with: "portable", or a processor's own.
    """

    threads = 1

    def __init__(self, file: npt.NDArray[np.uint8], config: ModelConfig, top_k: int) -> None:
        """Open a file's bytes, which must not change.

        Raises:
            BundleError: the engine refuses them; the reason alone.
        """
        self.config, self.top_k = config, top_k
        self._engine, self._file = library(), file
        self._model = np.zeros(self._engine.glint_model_bytes(), dtype=np.uint8)
        self._at = self._model.ctypes.data
        if error := self._engine.glint_open(self._at, file.ctypes.data, len(file)):
            raise BundleError(REASONS.get(error, DAMAGED))
        self.state: int = self._engine.glint_state_floats(self._at)
        self._workspace = np.zeros(self._engine.glint_workspace_bytes(self._at), dtype=np.uint8)
        self._work = self._workspace.ctypes.data

    @property
    def kernels(self) -> str:
        """See the class."""
        name: bytes = self._engine.glint_kernels_name(self._at)
        return name.decode()

    def use(self, kernels: str) -> None:
        """Compute with other kernels of this build.

        Raises:
            BundleError: there are none of this name here.
        """
        if self._engine.glint_use(self._at, kernels.encode()):
            raise BundleError(f"this engine has no kernels {kernels!r} for this processor")

    def empty_state(self) -> State:
        """Zeros float32 [1, S]."""
        return np.zeros((1, self.state), dtype=np.float32)

    def append(self, state: State, item: int) -> State:
        """One item further."""
        after = _owned(state)
        known = min(max(item, ID_MIN), ID_MAX)
        self._engine.glint_append(self._at, self._work, after.ctypes.data, known)
        return after

    def append_many(self, state: State, items: Sequence[int]) -> State:
        """The whole history in one call."""
        after = _owned(state)
        ids = np.clip(np.asarray(items, dtype=np.int64), ID_MIN, ID_MAX).astype(np.int32)
        self._engine.glint_append_many(
            self._at, self._work, after.ctypes.data, ids.ctypes.data, len(ids)
        )
        return after

    def recommend(self, state: State, bias: Bias | None = None) -> Lists:
        """Items int64 [1, k] and scores float32 [1, k]; fewer where a bias of −∞ leaves fewer."""
        kept = np.ascontiguousarray(state, dtype=np.float32)
        return self._list(self._engine.glint_recommend, kept.ctypes.data, bias)

    def similar(self, item: int, bias: Bias | None = None) -> Lists:
        """Items int64 [1, k] and scores float32 [1, k]."""
        return self._list(self._engine.glint_similar, min(max(item, ID_MIN), ID_MAX), bias)

    def to_numpy(self, tensor: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The array itself."""
        return tensor

    def from_numpy(self, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The array itself."""
        return array

    def _list(self, method: Any, of: int, bias: Bias | None) -> Lists:  # noqa: ANN401  # ctypes' own
        items = np.empty((1, self.top_k), dtype=np.int32)
        scores = np.empty((1, self.top_k), dtype=np.float32)
        kept = None if bias is None else np.ascontiguousarray(bias, dtype=np.float32)
        count = method(
            self._at, self._work, of, None if kept is None else kept.ctypes.data, self.top_k,
            items.ctypes.data, scores.ctypes.data,
        )  # fmt: skip
        return items[:, :count].astype(np.int64), scores[:, :count]


def _owned(state: State) -> State:
    """A copy, which the engine then changes."""
    return np.array(state, dtype=np.float32, order="C")


def load(path: Path, config: ModelConfig, top_k: int | None, threads: int) -> EngineRuntime:
    """Open a `.glnt`; it is mapped, and nothing of it is copied.

    Raises:
        BundleError: the engine refuses it, or it is of another model.
        ImportError: the library was not built.
    """
    library()
    if path.stat().st_size < HEAD.size:
        raise BundleError(f"{path} is no file of the engine; export it again")
    file = np.memmap(path, dtype=np.uint8, mode="r")
    head = Head(*HEAD.unpack(bytes(file[: HEAD.size])))
    try:
        runtime = EngineRuntime(file, config, top_k or head.top_k)
    except BundleError as error:
        raise BundleError(f"the engine refuses {path} ({error}); export it again") from error
    if not head.is_of(config) or not 1 <= runtime.top_k <= head.rows - 2:
        raise BundleError(f"{path} is of another model; export it again")
    return runtime
