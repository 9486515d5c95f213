"""A checkpoint of the authors' code, as RecBole 1.2.1 saves it → one of ours.

What is read: `config` (RecBole's object: heads, N, epsilon, dropout), `state_dict` by the names
below, and the items' keys. Everything else (the optimizer, the epoch) is left where it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from glint_edge.checkpoints.checkpoint import Checkpoint
from glint_edge.checkpoints.inert_pickle import Inert, StoredArray, StoredTensor
from glint_edge.checkpoints.torch_file import DAMAGE, TorchFile, read_torch_file
from glint_edge.config import ModelConfig
from glint_edge.data.catalogue import Catalogue
from glint_edge.data.record import DataSource
from glint_edge.errors import CheckpointError, ConfigError, DataError
from glint_edge.model.glint_ru import GlintRU
from glint_edge.suggestions import no_file

PAD = "[PAD]"  # RecBole's token 0
# How torch names the weights of a model that is wrapped, as for several GPUs.
WRAPPERS = ("module.", "_orig_mod.")
BLOCK_DROPOUT = 0.3  # written into the authors' code
DROPOUT = 0.2  # where the file says none

# Their layers by ours; weights and biases have the same names.
LAYERS = {
    "query": "linearattention.query",
    "key": "linearattention.key",
    "value": "linearattention.value",
    "attention_out": "linearattention.dense",
    "attention_norm": "linearattention.LayerNorm",
    "gru_in": "dense1",
    "conv_in": "conv1d",
    "gru": "gru_layers",
    "gate_down": "selective_gate.0",
    "gate_up": "selective_gate.2",
    "gru_out": "projection",
    "conv_out": "conv1dforgru",
    "mix_gate": "dense2",
    "mix_out": "dense",
    "norm": "LayerNorm",
    "mlp_gate": "dense4",
    "mlp_in": "dense3",
    "mlp_out": "denseout",
    "embedding": "item_embedding",
    "mix": "weights",
}


def import_recbole(path: Path, items: Path | None = None) -> Checkpoint:
    """Read a RecBole checkpoint of GLINT-RU. No code in it is run, and RecBole is not needed.

    Args:
        path: MODEL.pth.
        items: the items' keys in RecBole's order, one a line, with or without [PAD]. None takes
            them from the checkpoint, or, where it has none, the ids themselves.

    Raises:
        CheckpointError: it would run code, is damaged, or is of another model.
        DataError: the keys are not those of this catalogue.
        OSError: a file cannot be read.
    """
    file = read_torch_file(path, inert_packages=frozenset({"recbole"}))
    saved = file.value
    if not isinstance(saved, dict) or not isinstance(saved.get("state_dict"), dict):
        raise CheckpointError(f"{path} is no RecBole checkpoint: it has no state_dict")
    settings = _settings(saved.get("config"))
    state_dict = _unwrapped(saved["state_dict"])
    stored = _tensors(path, state_dict, _text(settings, "model", "unknown"))
    tensors = {name: _floats(path, file, name, tensor) for name, tensor in stored.items()}
    config = _model_config(path, settings, tensors["embedding.weight"].shape)
    model = GlintRU(config)
    _load(path, model, tensors)
    if items is not None:
        keys = _keys_of_file(items, config.items)
    else:
        keys = _keys_of_checkpoint(path, saved, settings, config.items)
    # What it was trained on is not at hand: users pass --data.
    source = DataSource(name=_text(settings, "dataset", path.stem), source="")
    return Checkpoint(model.eval(), Catalogue(("", *keys), {}), source)


def _settings(config: object) -> Mapping[str, Any]:
    """RecBole's settings by name."""
    if isinstance(config, Inert):
        config = config.values.get("final_config_dict")
    return config if isinstance(config, dict) else {}


def _text(settings: Mapping[str, Any], name: str, otherwise: str) -> str:
    """A setting that is to be a text; a stranger's file may hold anything there."""
    value = settings.get(name)
    return value if isinstance(value, str) and value.isprintable() else otherwise


# ---- the weights --------------------------------------------------------------------------------


def _unwrapped(state_dict: Mapping[Any, Any]) -> Mapping[Any, Any]:
    """The weights by the names they have where the model is not wrapped."""
    for prefix in WRAPPERS * 2:
        if all(isinstance(name, str) and name.startswith(prefix) for name in state_dict):
            state_dict = {name.removeprefix(prefix): state_dict[name] for name in state_dict}
    return state_dict


def _tensors(path: Path, state_dict: Mapping[Any, Any], model: str) -> dict[str, StoredTensor]:
    """The tensors by our names: all of them, and no other."""
    with torch.device("meta"):
        ours = GlintRU(ModelConfig(items=1, variant="paper")).state_dict()
    theirs = {name: _their_name(name) for name in ours}
    if lacking := sorted(set(theirs.values()) - set(state_dict)):
        raise CheckpointError(
            f"{path} is no checkpoint of GLINT-RU ({model!r}): it has no {lacking[0]}; "
            "give one that the authors' code saved"
        )
    if more := [str(name)[:80] for name in state_dict if name not in theirs.values()]:
        raise CheckpointError(
            f"{path} has {more[0]!r}, which the authors' GLINT-RU has not: it computes something "
            "else, which this version cannot import"
        )
    tensors = {name: state_dict[theirs[name]] for name in ours}
    if strange := [name for name, value in tensors.items() if not isinstance(value, StoredTensor)]:
        raise CheckpointError(f"{path} is damaged: {theirs[strange[0]]} is no tensor")
    return tensors


def _their_name(name: str) -> str:
    layer, dot, kind = name.partition(".")
    return LAYERS[layer] + dot + kind


def _floats(path: Path, file: TorchFile, name: str, stored: StoredTensor) -> Tensor:
    theirs = _their_name(name)
    try:
        tensor = file.tensor(stored).float()
    except DAMAGE as error:
        raise CheckpointError(
            f"{path} is truncated or damaged at {theirs} ({error}); copy it again"
        ) from error
    if not tensor.isfinite().all():
        raise CheckpointError(f"{path}: {theirs} holds numbers that are not finite; train it again")
    return tensor


def _load(path: Path, model: GlintRU, tensors: Mapping[str, Tensor]) -> None:
    for name, wanted in model.state_dict().items():
        if tensors[name].shape != wanted.shape:
            raise CheckpointError(
                f"{path}: {_their_name(name)} has the shape {list(tensors[name].shape)}, "
                f"GLINT-RU's is {list(wanted.shape)}; embedding_size must equal hidden_size, and "
                "kernels be 3"
            )
    model.load_state_dict(dict(tensors))


# ---- the configuration --------------------------------------------------------------------------


def _model_config(path: Path, settings: Mapping[str, Any], embedding: torch.Size) -> ModelConfig:
    def setting(name: str, default: float | None = None) -> Any:  # noqa: ANN401  # ModelConfig knows which kind of number
        value = settings.get(name, default)
        if name not in settings and default is None:
            raise CheckpointError(
                f"{path} has no setting {name!r} in its config, without which its scores are not "
                "known; save it with RecBole's trainer"
            )
        if not isinstance(value, int | float):  # nor is it shown: lists may lie in lists
            raise CheckpointError(f"{path} has a setting that cannot be: {name} is no number")
        return value

    if len(embedding) != 2:
        raise CheckpointError(f"{path} is damaged: its item_embedding is no table")
    try:
        return ModelConfig(
            items=embedding[0] - 1,
            variant="paper",
            d=embedding[1],
            heads=setting("n_heads"),
            kernel=3,
            max_length=setting("MAX_ITEM_LIST_LENGTH"),
            embedding_dropout=setting("dropout_prob", DROPOUT),
            attention_dropout=setting("hidden_dropout_prob", DROPOUT),
            block_dropout=BLOCK_DROPOUT,
            norm_eps=setting("layer_norm_eps"),
            padding="reference",
        )
    except ConfigError as error:
        raise CheckpointError(f"{path} has a setting that cannot be: {error}") from error


# ---- the items' keys ----------------------------------------------------------------------------


def _keys_of_file(path: Path, items: int) -> list[str]:
    """One key a line."""
    if not path.is_file():
        raise DataError(no_file(path, "write one item a line, in RecBole's order"))
    try:
        # With or without the byte order mark that Windows' editors put first.
        keys = path.read_text("utf-8-sig").removesuffix("\n").split("\n")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is no UTF-8 text; write one item a line") from error
    return _checked(keys, items, str(path))


def _keys_of_checkpoint(
    path: Path, saved: Mapping[Any, Any], settings: Mapping[str, Any], items: int
) -> list[str]:
    """RecBole's own tables if someone saved one along; else the ids."""
    field = _text(settings, "ITEM_ID_FIELD", "item_id")
    tokens = _of_field(saved.get("field2id_token"), field)
    if tokens is not None:
        return _checked(_texts(tokens), items, f"{path}, field2id_token")
    ids = _of_field(saved.get("field2token_id"), field)
    if ids is not None:
        where = f"{path}, field2token_id"
        pairs = ids.items() if isinstance(ids, dict) else ()
        by_id = {number: token for token, number in pairs if isinstance(number, int)}
        if len(pairs) != items + 1 or set(by_id) != set(range(items + 1)):
            raise DataError(f"{where}: its ids are not 0 … {items}; give the keys with --items")
        return _checked(_texts([by_id[number] for number in range(items + 1)]), items, where)
    return [str(number) for number in range(1, items + 1)]


def _of_field(by_field: object, field: str) -> object:
    return by_field.get(field) if isinstance(by_field, dict) else None


def _texts(tokens: object) -> list[str]:
    """Tokens as texts; what is no list of them is none."""
    if isinstance(tokens, StoredArray):
        return tokens.texts
    if not isinstance(tokens, (list, tuple)):
        return []
    return [str(token) for token in tokens if isinstance(token, (str, int))]


def _checked(keys: Sequence[str], items: int, where: str) -> list[str]:
    """A key for each of ids 1 … V, none twice and none empty; the pad's, if given, is left out."""
    keys = list(keys[1:] if keys and keys[0] == PAD else keys)
    if len(keys) != items:
        raise DataError(
            f"{where} lists {len(keys):,} items, the model has {items:,}; "
            "give all of them in RecBole's order, one a line"
        )
    if "" in keys:
        raise DataError(f"{where}: item {keys.index('') + 1} has no key")
    if len(set(keys)) != len(keys):
        seen: set[str] = set()
        twice = next(key for key in keys if key in seen or seen.add(key))  # type: ignore[func-returns-value]  # `add` is false
        raise DataError(f"{where}: {twice!r} stands there twice; each item has a key of its own")
    return keys
