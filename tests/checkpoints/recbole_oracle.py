"""What the authors' code computes, and the file RecBole saves of it: an oracle apart from ours.

The computation is written from the design's description (equation numbers are the paper's): every
history is right padded to N with item 0, whose embedding is as good as any other's, and pads take
part in everything. It reads the weights by the authors' names and shares no line with
`glint_edge.model.glint_ru`.
"""

import enum
import io
import math
import sys
import types
from contextlib import contextmanager

import torch
import torch.nn.functional as F


def weights(items=40, d=16, seed=0):
    """Random weights under the authors' names, for a catalogue of V items and the pad.

    Of the size that training starts from: larger ones make a chaotic GRU, in which int8's rounding
    grows from step to step.
    """
    draw = torch.Generator().manual_seed(seed)

    def normal(*shape, std=0.3, mean=0.0):
        return mean + std * torch.randn(*shape, generator=draw)

    made = {"item_embedding.weight": normal(items + 1, d, std=0.5)}
    made["item_embedding.weight"][0] *= 6  # so that a list without the pads is another list
    linears = ["dense1", "dense2", "projection", "dense", "dense3", "dense4", "denseout"]
    linears += [f"linearattention.{name}" for name in ("query", "key", "value", "dense")]
    shapes = {name: (d, d) for name in linears}
    shapes |= {"selective_gate.0": (d // 2, d), "selective_gate.2": (d, d // 2)}
    shapes |= {"conv1d": (d, d, 3), "conv1dforgru": (d, d, 3)}
    for name, shape in shapes.items():
        made[f"{name}.weight"] = normal(*shape, std=math.prod(shape[1:]) ** -0.5)
        made[f"{name}.bias"] = normal(shape[0])
    for name in ("LayerNorm", "linearattention.LayerNorm"):
        made[f"{name}.weight"], made[f"{name}.bias"] = normal(d, mean=1.0), normal(d)
    for name in ("ih", "hh"):
        made[f"gru_layers.weight_{name}_l0"] = normal(3 * d, d, std=(2 * d) ** -0.5)
    made["weights"] = torch.tensor([0.9, -0.4])
    return made


class Oracle:
    """The authors' forward pass over one history at a time, in float64."""

    def __init__(self, state_dict, heads, length, norm_eps=1e-12):
        self.w = {name: tensor.double() for name, tensor in state_dict.items()}
        self.heads, self.length, self.norm_eps = heads, length, norm_eps

    def scores(self, history):
        """Scores of items 1 … V after 1 to N items: float64 [V]."""
        assert 1 <= len(history) <= self.length
        row = list(history) + [0] * (self.length - len(history))
        table = self.w["item_embedding.weight"]
        hidden = self.hiddens(table[torch.tensor(row)])[len(history) - 1]
        return (table @ hidden)[1:]

    def hiddens(self, x):
        """r of every position of a padded history (eq. 12): [N, d] → [N, d]."""
        alpha = self.w["weights"].exp() / self.w["weights"].exp().sum()
        mixed = alpha[0] * self.selective_gru(x) + alpha[1] * self.attention(x)
        z = self.norm(
            "LayerNorm", x + self.linear("dense", F.gelu(self.linear("dense2", x)) * mixed)
        )
        inner = F.gelu(self.linear("dense4", z)) * self.linear("dense3", z)
        return self.norm("LayerNorm", z + self.linear("denseout", inner))

    def attention(self, x):
        """A: eq. 2 by head, an output projection, a residual, a norm of its own."""
        q, k, v = (self.linear(f"linearattention.{name}", x) for name in ("query", "key", "value"))
        width = x.shape[1] // self.heads
        contexts = []
        for head in range(self.heads):
            own = slice(head * width, (head + 1) * width)
            unit_q = F.normalize(F.elu(q[:, own]), dim=1)
            unit_k = F.normalize(F.elu(k[:, own]), dim=1)
            contexts.append(unit_q @ (unit_k.T @ v[:, own]) / math.sqrt(width))
        out = self.linear("linearattention.dense", torch.cat(contexts, dim=1))
        return self.norm("linearattention.LayerNorm", x + out)

    def selective_gru(self, x):
        """Y: eq. 5 to 9."""
        c = self.convolution("conv1d", self.linear("dense1", x))
        narrow = self.linear("selective_gate.0", c)
        gate = self.linear("selective_gate.2", narrow * torch.sigmoid(narrow))
        return self.convolution("conv1dforgru", gate * self.linear("projection", self.gru(c)))

    def gru(self, c):
        """Eq. 1 from a state of zeros, no biases; torch's order of gates: r, z, n."""
        w_in, w_state = self.w["gru_layers.weight_ih_l0"], self.w["gru_layers.weight_hh_l0"]
        h, states = torch.zeros(c.shape[1], dtype=c.dtype), []
        for now in c:
            (r, z, n), (past_r, past_z, past_n) = (w_in @ now).chunk(3), (w_state @ h).chunk(3)
            z = torch.sigmoid(z + past_z)
            n = torch.tanh(n + torch.sigmoid(r + past_r) * past_n)
            h = (1 - z) * n + z * h
            states.append(h)
        return torch.stack(states)

    def convolution(self, name, x):
        """Kernel 3, centred, zeros beyond both ends: [N, d] → [N, d]."""
        taps, nothing = self.w[f"{name}.weight"], torch.zeros(1, x.shape[1], dtype=x.dtype)
        padded = torch.cat([nothing, x, nothing])
        sides = (padded[at : at + len(x)] @ taps[:, :, at].T for at in range(3))
        return sum(sides) + self.w[f"{name}.bias"]

    def linear(self, name, x):
        return x @ self.w[f"{name}.weight"].T + self.w[f"{name}.bias"]

    def norm(self, name, x):
        centred = x - x.mean(dim=1, keepdim=True)
        variance = centred.square().mean(dim=1, keepdim=True)
        scaled = centred / torch.sqrt(variance + self.norm_eps)
        return scaled * self.w[f"{name}.weight"] + self.w[f"{name}.bias"]


@contextmanager
def recbole():
    """Modules by the names that RecBole's objects are pickled under; gone again afterwards."""
    config, enums = (
        types.ModuleType("recbole.config.configurator"),
        types.ModuleType("recbole.utils.enum_type"),
    )
    model = types.ModuleType("recbole.model.sequential_recommender.glintru")
    config.Config = type("Config", (), {"__module__": config.__name__})
    enums.ModelType = enum.Enum("ModelType", ["GENERAL", "SEQUENTIAL"], module=enums.__name__)
    model.GLINTRU = type("GLINTRU", (), {"__module__": model.__name__})
    made = {module.__name__: module for module in (config, enums, model)}
    # An enum's members are pickled through their class, so parents must be importable too.
    for name in (
        "recbole",
        "recbole.config",
        "recbole.utils",
        "recbole.model",
        "recbole.model.sequential_recommender",
    ):
        made[name] = types.ModuleType(name)
    sys.modules.update(made)
    try:
        yield config.Config, enums.ModelType, model.GLINTRU
    finally:
        for name in made:
            del sys.modules[name]


SETTINGS = {
    "dataset": "some-shop", "model": "GLINTRU", "n_heads": 2, "MAX_ITEM_LIST_LENGTH": 12,
    "layer_norm_eps": 1e-12, "dropout_prob": 0.3, "hidden_dropout_prob": 0.2,
    "attn_dropout_prob": 0.2, "num_layers": 1, "hidden_size": 16, "ITEM_ID_FIELD": "item_id",
}  # fmt: skip


def checkpoint_bytes(state_dict, settings=SETTINGS, *, legacy=False, **more):
    """What RecBole 1.2.1's trainer saves: `Trainer._save_checkpoint`'s keys and kinds of value."""
    with recbole() as (config_class, model_type, model_class):
        config = config_class()
        config.parameters = {"Training": ["epochs"], "Evaluation": ["topk"]}
        config.model_class, config.model, config.dataset = model_class, "GLINTRU", "some-shop"
        config.final_config_dict = settings | {
            "MODEL_TYPE": model_type.SEQUENTIAL,
            "device": torch.device("cpu"),
            "topk": [10],
            "metrics": {"Recall", "NDCG"},
        }
        parameters = [torch.nn.Parameter(tensor.clone()) for tensor in state_dict.values()]
        optimizer = torch.optim.Adam(parameters)
        optimizer.zero_grad()
        sum(p.square().sum() for p in parameters).backward()
        optimizer.step()
        layers = torch.nn.Module()
        ordered = layers.state_dict()  # an OrderedDict with the attribute `_metadata`
        ordered.update(state_dict)
        file = io.BytesIO()
        torch.save(
            {
                "config": config,
                "epoch": 3,
                "cur_step": 0,
                "best_valid_score": torch.tensor(0.1).double().numpy()[()],
                "state_dict": ordered,
                "other_parameter": None,
                "optimizer": optimizer.state_dict(),
                **more,
            },
            file,
            pickle_protocol=4,
            _use_new_zipfile_serialization=not legacy,
        )
        return file.getvalue()


ITEMS, HEADS, N = 40, SETTINGS["n_heads"], SETTINGS["MAX_ITEM_LIST_LENGTH"]
WEIGHTS = weights(ITEMS)
EXACT = 1e-4


def histories(length, count=3, items=ITEMS):
    """Some of one length, always the same."""
    draw = torch.Generator().manual_seed(length)
    return torch.randint(1, items + 1, (count, length), generator=draw).tolist()


def assert_top_10(items, scores, expected, atol=EXACT):
    """Artifact's ids and scores [10] against the oracle's scores of items 1 … V."""
    best, order = expected.topk(10)
    torch.testing.assert_close(scores.double(), best, atol=atol, rtol=0)
    own = expected[items - 1]
    swapped = items != order + 1
    torch.testing.assert_close(own[swapped], best[swapped], atol=1e-5, rtol=0)
    assert len(set(items.tolist())) == 10
