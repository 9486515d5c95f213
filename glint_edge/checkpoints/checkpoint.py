"""A trained model on disk: one folder of safetensors and JSON, never a pickle.

config.json         model and training configuration, the data it came from, its figures,
                    sha256 of the weights
model.safetensors   the weights, float32
items.json          the user's own item keys and titles by id
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import safetensors

from glint_edge.config import ModelConfig, TrainConfig
from glint_edge.data.catalogue import Catalogue
from glint_edge.data.record import DataSource
from glint_edge.errors import CheckpointError, ConfigError
from glint_edge.files import sha256, write_atomic, write_json

if TYPE_CHECKING:
    from glint_edge.model.glint_ru import GlintRU

FORMAT_VERSION = 2
# Settings that format 1 did not know, with what was done then.
BEFORE_2 = {
    "schedule": "constant", "warmup_epochs": 0, "loss": "cross-entropy", "negatives": 1024,
    "calibration": 0.75, "label_smoothing": 0.0, "temperature": 0.0, "seen_margin": 0.0,
    "item_dropout": 0.0, "crop": 0.0, "l2": 0.0, "precision": "float32",
}  # fmt: skip
WEIGHTS, CONFIG, ITEMS = "model.safetensors", "config.json", "items.json"

# Trained by `glint-edge train --data ml-100k`, shipped in the wheel.
DEFAULT_CHECKPOINT = Path(__file__).parent / "default"


@dataclass(frozen=True, repr=False)
class Checkpoint:
    """A trained model with all that is known of it.

    Attributes:
        model: in evaluation mode.
        catalogue: item keys and titles.
        data: what it was trained on.
        training: how; None for an imported model.
        metrics: figures by split ("validation", "test"), as `RankingMetrics.to_dict` has them.
        sha256: of the weights' file; empty before it is saved.
        folder: where it was read from; None before it is saved.
    """

    model: GlintRU
    catalogue: Catalogue
    data: DataSource
    training: TrainConfig | None = None
    metrics: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    sha256: str = ""
    folder: Path | None = None

    def __repr__(self) -> str:
        where = "never saved" if self.folder is None else repr(str(self.folder))
        config, test = self.model.config, self.metrics.get("test", {})
        ndcg = f", test NDCG@10 {test['ndcg_at_10']:.4f}" if "ndcg_at_10" in test else ""
        return f"Checkpoint({where}: {config.items:,} items, d {config.d}{ndcg})"


def save_checkpoint(checkpoint: Checkpoint, folder: Path) -> None:
    """Write a checkpoint; each file is replaced whole, and config.json, which names them, last.

    Raises:
        OSError: the disk is full or not writable; what stood there before still loads, or says
            that it was interrupted.
    """
    from safetensors.torch import save

    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: t.detach().contiguous() for name, t in checkpoint.model.state_dict().items()}
    write_atomic(folder / WEIGHTS, save(tensors))
    write_json(folder / ITEMS, checkpoint.catalogue.to_dict())
    data = checkpoint.data
    write_json(
        folder / CONFIG,
        {
            "format_version": FORMAT_VERSION,
            "architecture": "GLINT-RU",
            "model": checkpoint.model.config.to_dict(),
            "training": checkpoint.training.to_dict() if checkpoint.training else None,
            "data": {
                "name": data.name,
                "source": data.source,
                "options": dict(data.options),
                "attribution": data.attribution,
                "summary": dict(data.summary),
            },
            "metrics": checkpoint.metrics,
            "sha256": {name: sha256(folder / name) for name in (WEIGHTS, ITEMS)},
        },
    )


def load_checkpoint(folder: str | Path | None = None) -> Checkpoint:
    """Read a checkpoint folder; without one, the default checkpoint shipped with the package.

    Raises:
        CheckpointError: it is missing, damaged, of another model, or newer than this version.
    """
    folder = Path(folder) if folder is not None else DEFAULT_CHECKPOINT
    config = _read_json(folder, CONFIG)
    if config.get("architecture") != "GLINT-RU":
        raise CheckpointError(f"{folder} is not a GLINT-RU checkpoint; train one: glint-edge train")
    if config.get("format_version") not in (1, FORMAT_VERSION):
        raise CheckpointError(
            f"{folder} has checkpoint format {config.get('format_version')!r}, this version reads "
            f"1 and {FORMAT_VERSION}; use the glint-edge that wrote it, or train again"
        )
    try:
        for name, digest in config["sha256"].items():
            _check_digest(folder, name, digest)
        from glint_edge.model.glint_ru import GlintRU  # only now: a refusal needs no torch

        model = GlintRU(ModelConfig.from_dict(config["model"]))
        catalogue = Catalogue.from_dict(_read_json(folder, ITEMS))
        model.retired = catalogue.retired_ids()
        training = _training(config["training"], config["format_version"])
        data = DataSource(**config["data"])
        metrics, digest = config["metrics"], config["sha256"][WEIGHTS]
    except (KeyError, TypeError, AttributeError, ConfigError) as error:
        raise CheckpointError(f"{folder / CONFIG} is incomplete: {error}; train again") from error
    _load_weights(model, folder / WEIGHTS)
    if len(catalogue.keys) != model.config.items + 1:
        raise CheckpointError(
            f"{folder / ITEMS} lists {len(catalogue.keys) - 1} items, the model has "
            f"{model.config.items}; restore the file that belongs to it"
        )
    return Checkpoint(model.eval(), catalogue, data, training, metrics, digest, folder)


def _training(stored: dict[str, Any] | None, version: int) -> TrainConfig | None:
    if stored is None:
        return None
    return TrainConfig.from_dict(BEFORE_2 | stored if version == 1 else stored)


def _read_json(folder: Path, name: str) -> Any:  # noqa: ANN401  # JSON is any of its types
    path = folder / name
    try:
        return json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError) as error:
        raise CheckpointError(
            f"{folder} is not a checkpoint: it has no {name}; give a folder that "
            "`glint-edge train` wrote"
        ) from error
    except ValueError as error:
        raise CheckpointError(f"{path} is damaged ({error}); train again") from error


def _check_digest(folder: Path, name: str, digest: str) -> None:
    path = folder / name
    if not path.is_file():
        raise CheckpointError(f"{folder} has no {name}; restore it, or train again")
    if sha256(path) != digest:
        raise CheckpointError(
            f"{path} is damaged or from another checkpoint (its sha256 differs from {CONFIG}); "
            "restore it, or continue the training: glint-edge train --resume"
        )


def _load_weights(model: GlintRU, path: Path) -> None:
    from safetensors.torch import load_file

    try:
        model.load_state_dict(load_file(path))
    except (safetensors.SafetensorError, RuntimeError) as error:
        first = str(error).strip().splitlines()[-1].strip()
        raise CheckpointError(f"{path} does not hold this model's weights ({first})") from error
