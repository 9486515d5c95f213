"""A tiny model, and a bundle of one, exported as by `glint-edge export` but for the checks."""

import torch

from converters.export import export
from converters.options import ExportOptions
from glint_edge.checkpoints.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from glint_edge.config import ModelConfig
from glint_edge.data.catalogue import Catalogue
from glint_edge.data.record import DataSource
from glint_edge.model.glint_ru import GlintRU

APP = DataSource("app", "app")
HISTORIES = [[1, 2, 3], list(range(5, 11)), [7]]


def tiny_model(seed=0, **config):
    """A seeded model in evaluation mode, with no term that initialisation would hide.

    Fresh biases are zero, norms the identity and the mix 0.5/0.5: a forgotten bias or swapped
    mixing weights would change nothing. Here they are all drawn at random.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = GlintRU(ModelConfig(**{"items": 40, "d": 16, "heads": 4} | config)).eval()
        with torch.no_grad():
            model.embedding.weight[1:].normal_(std=0.5)
            for name, parameter in model.named_parameters():
                if name.endswith("norm.weight"):
                    parameter.normal_(mean=1.0, std=0.3)
                elif name.endswith("bias"):
                    parameter.normal_(std=0.3)
            model.mix.copy_(torch.tensor([0.9, -0.4]))
    return model


def small_bundle(
    model, folder, target="onnx", titles=(), keys=(), *,
    quantize="none", data=APP, metrics=None, **shown,
):  # fmt: skip
    """`app.glint` in a folder, its checkpoint beside it; keys are k1, k2, … unless said.

    `data` and `metrics` are the checkpoint's, `shown` other attributes of its catalogue.
    """
    keys = keys or [f"k{number}" for number in range(1, model.config.items + 1)]
    catalogue = Catalogue(("", *keys), dict(titles), **shown)
    save_checkpoint(Checkpoint(model, catalogue, data, metrics=metrics or {}), folder / "run")
    options = ExportOptions((target,), quantize, 10, folder / "app.glint", chunk=4)
    return export(
        load_checkpoint(folder / "run"), options,
        folder=folder / "run", histories=HISTORIES, check=lambda *_: [],
    ).path  # fmt: skip
