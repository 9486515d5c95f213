"""What quantization changed: each tensor's type and bytes, and the error each layer adds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from glint_edge.model.state import NOTHING_LEFT
from glint_edge.model.stream import StreamProgram, empty_state
from quantization.quantize import REPLACED


@dataclass(frozen=True)
class LayerReport:
    """One weight, norm or constant of a method.

    Attributes:
        method: "append" or "recommend".
        name: the tensor's module in the stream program.
        dtype: what the numbers are stored as; scales and biases of an int8 layer are float32 and
            counted in its bytes.
        shape: of the weight.
        bytes: with scales and bias.
        error: ‖its output − float output‖₂ / ‖float output‖₂ on the float program's own inputs,
            so what this layer alone adds; None where nothing was quantized or nothing was run.
    """

    method: str
    name: str
    dtype: str
    shape: tuple[int, ...]
    bytes: int
    error: float | None

    def to_dict(self) -> dict[str, Any]:
        """As the manifest has it."""
        return {**asdict(self), "shape": list(self.shape)}


def layer_report(
    program: StreamProgram, reference: StreamProgram, histories: Iterable[Sequence[int]]
) -> list[LayerReport]:
    """Describe a program, layer by layer.

    Args:
        program: of any precision.
        reference: the float program it was made from.
        histories: item ids, run through `reference` to see real activations.
    """
    probe = _Probe(program, reference)
    with torch.inference_mode():
        for history in histories:
            state = empty_state(reference.config)
            for item in history:
                state = reference.append(state, torch.tensor([item]))
            reference.recommend(state)
    probe.close()
    return [
        LayerReport(method, name, *_size(module), probe.error(method, name))
        for method, root in _methods(program)
        for name, module in _layers(root)
    ]


class _Probe:
    """Runs each replaced layer beside its float twin, on the twin's inputs, by forward hooks."""

    def __init__(self, program: StreamProgram, reference: StreamProgram) -> None:
        self._sums: dict[tuple[str, str], list[float]] = {}  # squared error, squared output
        self._handles = []
        for (method, root), (_, twins) in zip(_methods(program), _methods(reference), strict=True):
            twin_of = dict(twins.named_modules())
            for name, layer in root.named_modules():
                if isinstance(layer, REPLACED):
                    hook = self._hook(method, name, layer)
                    self._handles.append(twin_of[name].register_forward_hook(hook))

    def _hook(self, method: str, name: str, layer: nn.Module) -> Any:  # noqa: ANN401  # torch's hook type
        sums = self._sums.setdefault((method, name), [0.0, 0.0])

        def compare(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            counts = output > NOTHING_LEFT  # but for what is never recommended
            sums[0] += (layer(*inputs) - output)[counts].square().sum().item()
            sums[1] += output[counts].square().sum().item()

        return compare

    def error(self, method: str, name: str) -> float | None:
        """The relative error so far; None of a layer that is float or was not run."""
        wrong, whole = self._sums.get((method, name), (0.0, 0.0))
        return (wrong / whole) ** 0.5 if whole else None

    def close(self) -> None:
        for handle in self._handles:
            handle.remove()


def _methods(program: StreamProgram) -> list[tuple[str, nn.Module]]:
    # `append_many` holds what `append` holds.
    return [("append", program.append), ("recommend", program.recommend)]


def _layers(root: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """The modules that hold tensors themselves."""
    for name, module in root.named_modules():
        if any(True for _ in _tensors(module)):
            yield name or "constants", module


def _tensors(module: nn.Module) -> Iterator[Tensor]:
    yield from module.parameters(recurse=False)
    yield from module.buffers(recurse=False)


def _size(module: nn.Module) -> tuple[str, tuple[int, ...], int]:
    """Type and shape of a module's largest tensor, bytes of all."""
    tensors = list(_tensors(module))
    largest = max(tensors, key=Tensor.numel)
    total = sum(tensor.numel() * tensor.element_size() for tensor in tensors)
    return str(largest.dtype).removeprefix("torch."), tuple(largest.shape), total
