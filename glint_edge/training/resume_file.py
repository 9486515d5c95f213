"""`resume.safetensors`: a run's tensors, and JSON about it, in one file with a digest over both."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import torch
from safetensors.torch import load, save
from torch import Tensor

from glint_edge.errors import CheckpointError
from glint_edge.json_files import Fault, Schema, parse

SCHEMA = Schema(Path(__file__).with_name("resume.schema.json"))
DIGEST, ABOUT = "digest", ("settings", "history", "rng.numpy")
MOST_DIGITS = 39  # of the generator's state: 128 bits


def packed(tensors: Mapping[str, Tensor], about: Mapping[str, Any]) -> bytes:
    """A run as a file.

    Args:
        tensors: by name.
        about: JSON values by the names of `ABOUT`.
    """
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    texts = {name: json.dumps(value) for name, value in about.items()}
    return save(plain, {**texts, DIGEST: _digest(plain, texts)})


def unpacked(whole: bytes, path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Inverse of `packed`, of the bytes of the file at `path`.

    Raises:
        CheckpointError: they are damaged.
    """
    try:
        tensors = load(whole)
        # The format's header: its length in 8 bytes, then JSON; `load` leaves the metadata out.
        header = parse(whole[8 : 8 + int.from_bytes(whole[:8], "little")])
        texts: dict[str, str] = header.get("__metadata__", {})
        about = {
            name: text if name == DIGEST else parse(text.encode(), most_digits=MOST_DIGITS)
            for name, text in texts.items()
            if name in (*ABOUT, DIGEST)
        }
        SCHEMA.check(about)
    except Fault as error:
        raise _damaged(path, f"it {error}") from error
    except (safetensors.SafetensorError, KeyError) as error:  # the second: of a type not known
        raise _damaged(path, str(error)) from error
    rest = {name: text for name, text in texts.items() if name != DIGEST}
    if DIGEST in texts and texts[DIGEST] != _digest(tensors, rest):
        raise _damaged(path, "its digest differs")
    for number, epoch in enumerate(about["history"], 1):
        if epoch["epoch"] != number or epoch["best_epoch"] > number:
            raise _damaged(path, f"epoch {number} is not what it says")
    return tensors, about


def _digest(tensors: Mapping[str, Tensor], texts: Mapping[str, str]) -> str:
    """Of what a resumed run depends on."""
    digest = hashlib.sha256(json.dumps(texts, sort_keys=True).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"\0{name} {tensor.dtype} {list(tensor.shape)}\0".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def require_shapes(
    expected: Mapping[str, Tensor], tensors: Mapping[str, Tensor], path: Path
) -> None:
    """Refuse tensors that are not exactly those expected.

    Raises:
        CheckpointError: one is missing, too much, or of another type or shape.
    """
    for name in expected.keys() | tensors.keys():
        one, other = expected.get(name), tensors.get(name)
        if one is None or other is None or (one.shape, one.dtype) != (other.shape, other.dtype):
            raise _damaged(path, f"{name} is not this model's")


def _damaged(path: Path, reason: str) -> CheckpointError:
    return CheckpointError(f"{path} is damaged ({reason}); start again without --resume")
