"""A tiny model, and a bundle of one, exported as by `glint-edge export` but for the checks."""

from itertools import pairwise

import numpy as np
import torch

from converters.export import export
from converters.options import ExportOptions
from glint_edge.checkpoints.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from glint_edge.config import ModelConfig
from glint_edge.data.catalogue import Catalogue
from glint_edge.data.neighbours import Neighbours
from glint_edge.data.record import DataSource
from glint_edge.model.glint_ru import GlintRU

APP = DataSource("app", "app")


def tiny_model(seed=0, **config):
    """A seeded model in evaluation mode, with no term that initialisation would hide.

    Fresh biases are zero, norms the identity and the mix 0.5/0.5: a forgotten bias or swapped
    mixing weights would change nothing. Here they are all drawn at random.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        # An export takes in golden histories of up to N items, one by one.
        small = {"items": 40, "d": 16, "heads": 4, "max_length": 50}
        model = GlintRU(ModelConfig(**small | config)).eval()
        with torch.no_grad():
            model.embedding.weight[1:].normal_(std=0.5)
            for name, parameter in model.named_parameters():
                if name.endswith("norm.weight"):
                    parameter.normal_(mean=1.0, std=0.3)
                elif name.endswith("bias"):
                    parameter.normal_(std=0.3)
            model.mix.copy_(torch.tensor([0.9, -0.4]))
            if model.config.has_low_pass:
                model.low_pass.decay.uniform_(-1.0, 5.0)  # beyond the greatest, too
                model.low_pass.high.uniform_(0.2, 1.5)
    return model


def tiny_neighbours(items=40, each=4, *, seed=0, c=0.5, gamma=30.0, **head):
    """Drawn neighbours; items that end in 7 have none, those that end in 3 themselves, too."""
    draw = np.random.default_rng(seed)
    steps = np.sort(
        draw.permuted(np.tile(np.arange(1, 3 * each), (items + 1, 1)), axis=1)[:, :each]
    )
    steps[3::10, 0] = items  # round the ring
    rows = [
        [] if item == 0 or item % 10 == 7
        else sorted((item - 1 + step) % items + 1 for step in some)
        for item, some in enumerate(steps.tolist())
    ]  # fmt: skip
    sizes = [len(row) for row in rows]
    weights = draw.integers(1, 256, sum(sizes)).astype(np.uint8)
    starts = np.cumsum([0, *sizes])
    sums = np.array([weights[first:end].sum() for first, end in pairwise(starts)])
    scales = np.where(sums, 1 / np.maximum(sums, 1), 0).astype(np.float32)
    ids = np.concatenate(rows).astype(np.int64)
    return Neighbours(starts, scales, weights, ids, c, gamma, **head)


def expert_of(neighbours, history):
    """The expert after one history: e of each row, 0 where it has none."""
    length, e = np.array([len(history)]), np.zeros(neighbours.rows)
    _, items, values = neighbours.experts(np.array(history, dtype=np.int64), length, length)
    e[items] = values
    return e


def small_bundle(
    model, folder, target="onnx", titles=(), keys=(), *,
    quantize="none", data=APP, metrics=None, neighbours=None, **shown,
):  # fmt: skip
    """`app.glint` in a folder, its checkpoint beside it; keys are k1, k2, … unless said.

    `data`, `metrics` and `neighbours` are the checkpoint's, `shown` other attributes of its
    catalogue.
    """
    keys = keys or [f"k{number}" for number in range(1, model.config.items + 1)]
    catalogue = Catalogue(("", *keys), dict(titles), **shown)
    whole = Checkpoint(model, catalogue, data, metrics=metrics or {}, neighbours=neighbours)
    save_checkpoint(whole, folder / "run")
    options = ExportOptions((target,), quantize, 10, folder / "app.glint", chunk=4)
    return export(
        load_checkpoint(folder / "run"), options,
        folder=folder / "run", check=lambda *_: [],
    ).path  # fmt: skip
