"""A changed catalogue written over the constants of a converted file, without its toolchain.

Of a program with spare rows (`glint_edge.model.stream.stream_program`), a change of the catalogue
changes constants and no shape: the table's rows, their scales where they are int8, their inverse
lengths, and what is added to each item's score. Every target stores each of them as one block of
bytes, so what the program before the change says is looked for in the file, and what the one after
it says is put in its place. Nothing is assumed of the format: a file in which a block cannot be
found is refused.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from glint_edge.errors import ConversionError
from glint_edge.model.stream import StreamProgram
from quantization import Int8Embedding

UNSIGNED = 128  # what ONNX files add to an int8, see converters.to_onnx.layers


def rewrite(file: bytes, before: StreamProgram, after: StreamProgram) -> bytes:
    """The file of `before` as that of `after`, which differs in its catalogue alone.

    Args:
        file: what a converter made of `before`.
        before: with spare items (0 or more), as all such programs have.
        after: of the same shapes and precision.

    Returns:
        A file of the same length.

    Raises:
        ConversionError: the programs differ in shape, or a constant is not in the file.
    """
    if before.spare_items is None or after.spare_items is None:
        raise ConversionError("the catalogue of this file is fixed; convert again with spare items")
    places: list[tuple[int, bytes]] = []
    blocks = zip(_blocks(before), _blocks(after), strict=True)
    for (name, forms), (_, new_forms) in blocks:
        edits = [
            (at, new.tobytes())
            for old, new in zip(forms, new_forms, strict=True)
            for at in _places(file, _same_shape(old, new).tobytes())
        ]
        if not edits:
            raise ConversionError(
                f"the {name} of the model are not in the file as they were; convert again"
            )
        places += edits
        places += _renamed(file, forms, new_forms)
    changed = bytearray(file)
    for at, new_bytes in places:
        changed[at : at + len(new_bytes)] = new_bytes
    return bytes(changed)


Forms = list[npt.NDArray[np.generic]]


def _blocks(program: StreamProgram) -> Iterator[tuple[str, Forms]]:
    """What depends on the catalogue, by name, in the forms that files store it in."""
    table = program.append.item.table
    if isinstance(table, Int8Embedding):
        rows = table.q.numpy()
        yield "item rows", [rows, (rows.astype(np.int16) + UNSIGNED).astype(np.uint8)]
        yield "scales of the item rows", [table.scale.numpy()]
    else:
        yield "item rows", [table.weight.detach().numpy()]
    bias = program.recommend.scores.bias
    assert bias is not None  # of every program with spare items
    yield "numbers that are added to scores", [bias.detach().numpy()]
    inverse = program.similar.inverse.numpy()
    yield "inverse lengths of the item rows", [inverse, inverse[:, 1:-1]]


def _same_shape(
    old: npt.NDArray[np.generic], new: npt.NDArray[np.generic]
) -> npt.NDArray[np.generic]:
    if (old.shape, old.dtype) != (new.shape, new.dtype):
        raise ConversionError(
            f"the changed catalogue needs a table of {new.shape[0]} rows, the file has "
            f"{old.shape[0]}; convert again"
        )
    return old


def _places(file: bytes, block: bytes) -> Iterator[int]:
    at = file.find(block)
    while at >= 0:
        yield at
        at = file.find(block, at + len(block))


def _renamed(file: bytes, old: Forms, new: Forms) -> Iterator[tuple[int, bytes]]:
    """ExecuTorch calls XNNPACK's constants by their sha256, and so does a cache of weights."""
    for before, after in zip(old, new, strict=True):
        name = hashlib.sha256(before.tobytes()).hexdigest().encode()
        for at in _places(file, name):
            yield at, hashlib.sha256(after.tobytes()).hexdigest().encode()
