"""A trained model on disk: one folder of safetensors and JSON, never a pickle.

config.json         model and training configuration, the data it came from, its figures,
                    sha256 of the other files, and a digest of all this
model.safetensors   the weights, float32
items.json          the user's own item keys by id, and what is shown of them
neighbours.bin      the neighbours' expert, where there is one (data/neighbours.py)
features.safetensors  where there were item features: a vector of each value (vectors.py)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import safetensors

from glint_edge.bundles.manifest import digest_of
from glint_edge.checkpoints.vectors import FieldVectors, read_vectors
from glint_edge.config import ModelConfig, TrainConfig
from glint_edge.data.catalogue import ITEMS_SCHEMA, Catalogue
from glint_edge.data.neighbours import Neighbours
from glint_edge.data.neighbours_file import NEIGHBOURS, read_beside
from glint_edge.data.record import DataSource
from glint_edge.errors import CheckpointError, ConfigError
from glint_edge.files import new_folder, sha256, write_atomic, write_json
from glint_edge.json_files import Fault, Schema
from glint_edge.staging import recover
from glint_edge.suggestions import did_you_mean, near_paths

if TYPE_CHECKING:
    from glint_edge.model.glint_ru import GlintRU

ARCHITECTURE = "GLINT-RU"
FORMAT_VERSION = 3  # 2 had no digest
WEIGHTS, CONFIG, ITEMS = "model.safetensors", "config.json", "items.json"
VECTORS = "features.safetensors"
FILES = (CONFIG, WEIGHTS, ITEMS, NEIGHBOURS, VECTORS)  # that a checkpoint may have
CONFIG_SCHEMA = Schema(Path(__file__).with_name("config.schema.json"))

# Trained by `glint-edge train --data ml-100k`, shipped in the wheel.
DEFAULT_CHECKPOINT = Path(__file__).parent / "default"


@dataclass(frozen=True, repr=False)
class Checkpoint:
    """A trained model with all that is known of it.

    Attributes:
        model: in evaluation mode.
        catalogue: item keys, and what is shown of the items.
        data: what it was trained on.
        training: how; None for an imported model.
        metrics: figures by part ("validation", "test"; with neighbours, and beside them, as
            "test_without_neighbours", without), as `RankingMetrics.to_dict` has them.
        sha256: of the weights' file; empty before it is saved.
        folder: where it was read from; None before it is saved.
        neighbours: the neighbours' expert; None: it has none.
        vectors: of the fields' values that training learned as item features; None: of none.
    """

    model: GlintRU
    catalogue: Catalogue
    data: DataSource
    training: TrainConfig | None = None
    metrics: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    sha256: str = ""
    folder: Path | None = None
    neighbours: Neighbours | None = None
    vectors: FieldVectors | None = None

    @property
    def digest(self) -> str:
        """Which model this is; empty before it is saved. Neighbours are beside it, and no part."""
        return model_digest(self.model.config, self.sha256, self.catalogue) if self.sha256 else ""

    def __repr__(self) -> str:
        where = "never saved" if self.folder is None else repr(str(self.folder))
        config, test = self.model.config, self.metrics.get("test", {})
        ndcg = f", test NDCG@10 {test['ndcg_at_10']:.4f}" if "ndcg_at_10" in test else ""
        return f"Checkpoint({where}: {config.items:,} items, d {config.d}{ndcg})"


def model_digest(config: ModelConfig, weights: str, catalogue: Catalogue) -> str:
    """Which model this is: two of one digest give the same lists of the same items.

    Args:
        config: the model's.
        weights: sha256 of their file.
        catalogue: with the items that are never recommended; what items are called is no part.
    """
    return digest_of(
        {
            "architecture": ARCHITECTURE,
            "model": config.to_dict(),
            "weights": weights,
            "items": catalogue.identity(),
        }
    )


def save_checkpoint(checkpoint: Checkpoint, folder: Path) -> None:
    """Write a checkpoint, all of it at once.

    In a folder that holds other files each of its own is replaced whole, and config.json, which
    names them, last.

    Raises:
        InUseError: another process writes there.
        OSError: the disk is full or not writable; what stood there before still loads, or, beside
            other files, says that it was interrupted.
    """
    if not folder.is_dir() or {file.name for file in folder.iterdir()} <= set(FILES):
        with new_folder(folder) as work:
            _write_files(checkpoint, work)
    else:  # a run's, which has more in it
        _write_files(checkpoint, folder)


def _write_files(checkpoint: Checkpoint, folder: Path) -> None:
    from safetensors.torch import save

    tensors = {name: t.detach().contiguous() for name, t in checkpoint.model.state_dict().items()}
    write_atomic(folder / WEIGHTS, save(tensors))
    write_json(folder / ITEMS, checkpoint.catalogue.to_dict())
    names = [WEIGHTS, ITEMS]
    if checkpoint.neighbours is not None:
        write_atomic(folder / NEIGHBOURS, checkpoint.neighbours.to_bytes())
        names.append(NEIGHBOURS)
    if checkpoint.vectors is not None:
        write_atomic(folder / VECTORS, checkpoint.vectors.to_bytes())
        names.append(VECTORS)
    config = {
        "format_version": FORMAT_VERSION,
        "architecture": ARCHITECTURE,
        "model": checkpoint.model.config.to_dict(),
        "training": checkpoint.training.to_dict() if checkpoint.training else None,
        "data": checkpoint.data.to_dict(),
        "metrics": checkpoint.metrics,
        "sha256": {name: sha256(folder / name) for name in names},
    }
    write_json(folder / CONFIG, {**config, "digest": digest_of(config)})


def load_checkpoint(folder: str | Path | None = None) -> Checkpoint:
    """Read a checkpoint folder; without one, the default checkpoint shipped with the package.

    Raises:
        CheckpointError: it is missing, damaged, of another model, or newer than this version.
    """
    folder = Path(folder) if folder is not None else DEFAULT_CHECKPOINT
    config = _read_config(folder)
    for name, digest in config["sha256"].items():
        _check_digest(folder, name, digest)
    about, catalogue = _read_model(folder, config)
    try:
        stored = config["training"]
        training = None if stored is None else TrainConfig.from_dict(stored)
        data = DataSource(**config["data"])
    except (TypeError, ConfigError) as error:
        raise CheckpointError(f"{folder / CONFIG} is incomplete: {error}; train again") from error
    model = _load_model(about, folder / WEIGHTS)
    model.retired = catalogue.retired_ids()
    return Checkpoint(
        model.eval(),
        catalogue,
        data,
        training,
        config["metrics"],
        config["sha256"][WEIGHTS],
        folder,
        read_beside(folder, about.items, CheckpointError, "train again")
        if NEIGHBOURS in config["sha256"]
        else None,
        read_vectors(folder / VECTORS, about.d) if VECTORS in config["sha256"] else None,
    )


def digest_of_folder(folder: Path) -> str:
    """`Checkpoint.digest` of a checkpoint's folder, without its weights.

    Raises:
        CheckpointError: it is missing, damaged, of another model, or newer than this version.
    """
    config = _read_config(folder)
    about, catalogue = _read_model(folder, config)
    return model_digest(about, config["sha256"][WEIGHTS], catalogue)


def _read_config(folder: Path) -> dict[str, Any]:
    """config.json, once it conforms, and is as it was written."""
    path = folder / CONFIG
    recover(folder)
    try:
        config = CONFIG_SCHEMA.load(path)
        if isinstance(config, dict):
            _require_known(folder, config)
        CONFIG_SCHEMA.check(config)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise _not_there(folder, CONFIG) from error
    except Fault as error:
        raise CheckpointError(f"{path} is incomplete: it {error}; train again") from error
    rest = {name: value for name, value in config.items() if name != "digest"}
    # Formats 1 and 2 had none; where there is one it holds, whatever became of the format's number.
    has_digest = config["format_version"] > 2 or "digest" in config
    if has_digest and config.get("digest") != digest_of(rest):
        raise CheckpointError(
            f"{path} is damaged or was edited: its digest does not match; restore it, or continue "
            "the training: glint-edge train --resume"
        )
    whole: dict[str, Any] = config
    return whole


def _require_known(folder: Path, config: Mapping[str, Any]) -> None:
    if config.get("architecture") != ARCHITECTURE:
        raise CheckpointError(f"{folder} is not a GLINT-RU checkpoint; train one: glint-edge train")
    if config.get("format_version") not in range(1, FORMAT_VERSION + 1):
        raise CheckpointError(
            f"{folder} has checkpoint format {config.get('format_version')!r}, this version reads "
            f"1 to {FORMAT_VERSION}; use the glint-edge that wrote it, or train again"
        )


def _read_model(folder: Path, config: Mapping[str, Any]) -> tuple[ModelConfig, Catalogue]:
    """The model's configuration, and the catalogue that belongs to it."""
    try:
        about = ModelConfig.from_dict(config["model"])
    except ConfigError as error:
        raise CheckpointError(f"{folder / CONFIG} is incomplete: {error}; train again") from error
    try:
        catalogue = Catalogue.from_dict(ITEMS_SCHEMA.read(folder / ITEMS))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise _not_there(folder, ITEMS) from error
    except (Fault, ConfigError) as error:
        raise CheckpointError(f"{folder / ITEMS} {error}; train again") from error
    if len(catalogue.keys) != about.items + 1:
        raise CheckpointError(
            f"{folder / ITEMS} lists {len(catalogue.keys) - 1} items, the model has "
            f"{about.items}; restore the file that belongs to it"
        )
    return about, catalogue


def _not_there(folder: Path, name: str) -> CheckpointError:
    hint = did_you_mean(near_paths(folder), "give a folder that `glint-edge train` wrote")
    return CheckpointError(f"{folder} is not a checkpoint: it has no {name}; {hint}")


def _check_digest(folder: Path, name: str, digest: str) -> None:
    path = folder / name
    if not path.is_file():
        raise CheckpointError(f"{folder} has no {name}; restore it, or train again")
    if sha256(path) != digest:
        raise CheckpointError(
            f"{path} is damaged or from another checkpoint (its sha256 differs from {CONFIG}); "
            "restore it, or continue the training: glint-edge train --resume"
        )


def _load_model(config: ModelConfig, path: Path) -> GlintRU:
    """The model with its weights; nothing of its size is allocated before they are seen to fit."""
    import torch  # only now: a refusal needs none
    from safetensors.torch import load_file

    from glint_edge.model.glint_ru import GlintRU

    try:
        weights = load_file(path)
        with torch.device("meta"):
            expected = GlintRU(config).state_dict()
        for name, tensor in expected.items():
            if name not in weights or weights[name].shape != tensor.shape:
                raise RuntimeError(f"no {name} of shape {list(tensor.shape)}")
        model = GlintRU(config)
        model.load_state_dict(weights)
    except (safetensors.SafetensorError, RuntimeError) as error:
        first = str(error).strip().splitlines()[-1].strip()
        raise CheckpointError(f"{path} does not hold this model's weights ({first})") from error
    if not all(weight.isfinite().all() for weight in weights.values()):
        raise CheckpointError(f"{path} holds numbers that are not finite; train again")
    return model
