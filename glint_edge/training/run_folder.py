"""A run's folder: claimed for one run, saved to after each epoch, restored from after a kill.

    run.toml             what was asked for: `glint-edge train --config run.toml` repeats it
    resume.safetensors   model, best model, Adam's moments, random state: replaced whole after
                         each epoch, gone when the run is finished
    metrics.jsonl        one line an epoch
    curves.png           the same, drawn when the run is finished
    config.json …        then also the checkpoint of the best epoch (checkpoints/checkpoint.py)

A resumed run continues from the last complete epoch, bit for bit as if it had not stopped.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from glint_edge.config import ModelConfig
from glint_edge.errors import CheckpointError
from glint_edge.files import write_atomic
from glint_edge.locks import acquire, release
from glint_edge.staging import sweep
from glint_edge.training.epochs import Epoch, Run
from glint_edge.training.field_rows import WITHOUT
from glint_edge.training.resume_file import packed, require_shapes, unpacked
from glint_edge.training.run_file import RUN_FILE
from glint_edge.training.run_place import LOCK, METRICS, RESUME, require_free

log = logging.getLogger(__name__)

CURVES = "curves.png"


@contextmanager
def claimed(folder: Path, resume: bool) -> Iterator[None]:
    """Make the folder, before any work is done, and hold off others until the end of the block.

    Raises:
        ConfigError: a run would be overwritten, or there is none to resume.
        InUseError: another process trains into it.
    """
    if resume or not folder.is_dir():
        require_free(folder, resume)  # before anything is made
    folder.mkdir(parents=True, exist_ok=True)
    lock = acquire(folder / LOCK, folder)
    try:
        sweep(folder)
        require_free(folder, resume)
        yield
    finally:
        release(lock, folder / LOCK)


def save_run(run: Run, folder: Path, settings: dict[str, Any]) -> None:
    """Replace `resume.safetensors` and metrics.jsonl; `settings`: what a resumed run must share."""
    tensors = {f"model.{n}": t for n, t in run.model.state_dict().items()}
    tensors |= {f"best.{n}": t for n, t in run.best.items()}
    if run.average:
        tensors |= {f"average.{number}": t for number, t in enumerate(run.average.weights)}
        tensors["steps"] = torch.tensor(run.average.steps)
    for index, state in run.optimizer.state_dict()["state"].items():
        tensors |= {f"adam.{index}.{name}": value for name, value in state.items()}
    tensors["rng.torch"] = torch.get_rng_state()
    about = {
        "settings": settings,
        "history": [vars(epoch) for epoch in run.history],
        "rng.numpy": run.rng.bit_generator.state,
    }
    write_atomic(folder / RESUME, packed(tensors, about))
    write_metrics(run, folder)


def write_metrics(run: Run, folder: Path) -> None:
    """Replace metrics.jsonl: written anew, so that a resumed run repeats no epoch in it."""
    lines = "".join(json.dumps(vars(epoch)) + "\n" for epoch in run.history)
    write_atomic(folder / METRICS, lines.encode())


def restore(run: Run, whole: bytes, path: Path, settings: dict[str, Any]) -> None:
    """Put a run back to its last complete epoch, from the bytes of the file at `path`.

    Raises:
        CheckpointError: they are damaged, or the run was started with other settings.
    """
    tensors, about = unpacked(whole, path)
    # Once without: such a run goes on, by the protocol of now.
    stored = {
        **{name: settings[name] for name in ("log", "ranking")},
        "features": WITHOUT,
        **about["settings"],
    }
    stored["model"] = {**ModelConfig.BEFORE, **stored["model"]}
    if any(stored[part].keys() != settings[part].keys() for part in ("model", "training")):
        raise CheckpointError(
            f"{path} was started by another version of glint-edge; finish it with that one, or "
            "start again without --resume in another --out"
        )
    if stored["log"] != settings["log"]:
        raise CheckpointError(
            f"{path} was started with another log, or this one has changed since; pass the log of "
            "then, or start again without --resume in another --out"
        )
    if stored["features"]["digest"] != settings["features"]["digest"]:
        raise CheckpointError(
            f"{path} was started with other item features; pass the --items and --item-field of "
            "then, or start again without --resume in another --out"
        )
    if stored != settings:
        raise CheckpointError(
            f"{path} was started with other settings: {_differences(stored, settings)}; pass those "
            f"of then (--config {path.with_name(RUN_FILE)}), or start again without --resume in "
            "another --out"
        )
    if not all(tensor.isfinite().all() for tensor in tensors.values()):
        raise CheckpointError(
            f"{path} holds numbers that are not finite; start again without --resume in another "
            "--out, with a lower --learning-rate"
        )
    require_shapes(_expected(run), tensors, path)
    run.model.load_state_dict(_group(tensors, "model."))
    run.best = _group(tensors, "best.")
    if run.average:
        for number, mean in _group(tensors, "average.").items():
            run.average.weights[int(number)].copy_(mean)
        run.average.steps = int(tensors["steps"])
    adam = run.optimizer.state_dict()
    adam["state"] = {}
    for name, value in _group(tensors, "adam.").items():
        index, key = name.split(".", 1)
        adam["state"].setdefault(int(index), {})[key] = value
    run.optimizer.load_state_dict(adam)
    run.history = [Epoch(**values) for values in about["history"]]
    run.rng.bit_generator.state = about["rng.numpy"]
    torch.set_rng_state(tensors["rng.torch"])
    log.info("resumed %s after epoch %d", path.parent, len(run.history))


def _expected(run: Run) -> dict[str, Tensor]:
    """The tensors that are saved of a run after an epoch, by name; their values do not count."""
    model = run.model.state_dict()
    expected = {
        f"{part}.{name}": value for part in ("model", "best") for name, value in model.items()
    }
    if run.average:
        expected |= {f"average.{n}": mean for n, mean in enumerate(run.average.weights)}
        expected["steps"] = torch.tensor(0)
    parameters = [each for group in run.optimizer.param_groups for each in group["params"]]
    for index, parameter in enumerate(parameters):
        expected |= {f"adam.{index}.{name}": parameter for name in ("exp_avg", "exp_avg_sq")}
        expected[f"adam.{index}.step"] = torch.tensor(0.0)
    return {**expected, "rng.torch": torch.get_rng_state()}


def _group(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name[len(prefix) :]: t for name, t in tensors.items() if name.startswith(prefix)}


def _differences(stored: dict[str, Any], settings: dict[str, Any]) -> str:
    return ", ".join(
        f"{name} {stored[part].get(name)!r} then, {settings[part].get(name)!r} now"
        for part in settings
        for name in {**settings[part], **stored[part]}
        if stored[part].get(name) != settings[part].get(name)
    )
