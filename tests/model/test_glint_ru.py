"""The model against its equations, and what a prediction may depend on."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from glint_edge.config import ModelConfig
from glint_edge.model.along import ATTENTION_BLOCK
from glint_edge.model.dropout import Dropout
from glint_edge.model.glint_ru import GlintRU
from glint_edge.model.low_pass import LowPass
from tests.model.equations import oracle


@pytest.mark.parametrize("length", [1, 2, 3, 9])
@pytest.mark.parametrize(
    "shape",
    [
        {},
        {"variant": "paper"},
        {"input_norm": False},
        {"low_pass": False},
        {"kernel": 1},
        {"kernel": 5},
        {"gated_mlp": False},
        {"d": 6, "heads": 1, "norm_eps": 0.1},
        {"heads": 16, "kernel": 5},
    ],
    ids=str,
)
def test_encode_computes_the_equations(make_model, shape, length):
    model = make_model(seed=length, **shape)
    items = torch.randint(0, 41, (1, length))
    with torch.no_grad():
        hidden = model.encode(items, torch.tensor([length]))
    np.testing.assert_allclose(hidden[0], oracle(model, items[0].tolist()), atol=1e-4, rtol=0)


@settings(deadline=None, max_examples=25)
@given(
    st.integers(0, 10_000),
    st.sampled_from([(4, 2), (6, 3), (16, 4), (32, 1)]),
    st.sampled_from([1, 3, 5, 7]),
    st.booleans(),
    st.lists(st.integers(1, 14), min_size=1, max_size=4),
)
def test_prefixes_is_encode_of_every_prefix(make_model, seed, shape, kernel, gated_mlp, lengths):
    model = make_model(seed, d=shape[0], heads=shape[1], kernel=kernel, gated_mlp=gated_mlp)
    length = max(lengths)
    generator = torch.Generator().manual_seed(seed)
    items = torch.randint(0, 41, (len(lengths), length), generator=generator)
    with torch.no_grad():
        hidden = model.prefixes(items, torch.tensor(lengths))
        for row, own in enumerate(lengths):
            each = model.encode(items[[row] * own], torch.arange(own) + 1)
            torch.testing.assert_close(hidden[row, :own], each, atol=1e-4, rtol=0)
    assert torch.isfinite(hidden).all()


@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_prefixes_is_encode_across_attention_blocks(make_model, kernel):
    model = make_model(kernel=kernel)
    length = 2 * ATTENTION_BLOCK + 3
    items = torch.randint(1, 41, (1, length))
    with torch.no_grad():
        hidden = model.prefixes(items, torch.tensor([length]))[0]
        each = model.encode(items.expand(length, -1), torch.arange(length) + 1)
    torch.testing.assert_close(hidden, each, atol=1e-4, rtol=0)


# --- what a prediction may depend on


@pytest.fixture(params=[1, 3, 5], ids="kernel={}".format)
def any_model(request, make_model):
    return make_model(kernel=request.param)


def test_nothing_beyond_a_length_matters(any_model):
    lengths = torch.tensor([1, 4, 7, 12])
    items = torch.randint(1, 41, (4, 12))
    beyond = torch.arange(12) >= lengths[:, None]
    garbage = torch.where(beyond, torch.randint(0, 41, (4, 12)), items)
    wider = torch.cat([garbage, torch.randint(0, 41, (4, 6))], dim=1)
    with torch.no_grad():
        hidden, prefixes = any_model.encode(items, lengths), any_model.prefixes(items, lengths)
        for other in (garbage, wider):
            torch.testing.assert_close(any_model.encode(other, lengths), hidden, atol=1e-5, rtol=0)
            again = any_model.prefixes(other, lengths)[:, :12]
            torch.testing.assert_close(again[~beyond], prefixes[~beyond], atol=1e-5, rtol=0)


def test_a_history_is_the_same_alone_and_in_any_batch(any_model):
    lengths = torch.tensor([9, 1, 5])
    items, order = torch.randint(1, 41, (3, 9)), torch.tensor([2, 0, 1])
    with torch.no_grad():
        hidden = any_model.encode(items, lengths)
        shuffled = any_model.encode(items[order], lengths[order])
        torch.testing.assert_close(shuffled, hidden[order], atol=1e-5, rtol=0)
        for row in range(3):
            alone = any_model.encode(items[row, None, : lengths[row]], lengths[row, None])
            torch.testing.assert_close(alone[0], hidden[row], atol=1e-5, rtol=0)


def test_prefixes_do_not_see_the_future(any_model):
    length = ATTENTION_BLOCK + 6
    items = torch.randint(1, 41, (1, length))
    with torch.no_grad():
        hidden = any_model.prefixes(items, torch.tensor([length]))[0]
        for known in (1, 2, 3, ATTENTION_BLOCK - 1, ATTENTION_BLOCK, length - 1):
            other = items.clone()
            other[:, known:] = items[:, known:] % 40 + 1  # every later item is another one
            changed = any_model.prefixes(other, torch.tensor([length]))[0]
            torch.testing.assert_close(changed[:known], hidden[:known], atol=1e-6, rtol=0)
            assert (changed[known] - hidden[known]).abs().max() > 1e-3  # the comparison can fail


def test_every_item_of_a_history_matters(any_model):
    items = torch.randint(1, 41, (1, 8))
    with torch.no_grad():
        hidden = any_model.encode(items, torch.tensor([8]))
        for at in range(8):
            other = items.clone()
            other[0, at] = items[0, at] % 40 + 1
            assert (any_model.encode(other, torch.tensor([8])) - hidden).abs().max() > 1e-3


def test_scores_are_products_with_the_table_and_padding_is_never_ranked(model):
    items, lengths = torch.randint(1, 41, (3, 6)), torch.tensor([6, 2, 4])
    with torch.no_grad():
        scores, hidden = model.score(items, lengths), model.encode(items, lengths)
    assert scores.shape == (3, 41)
    assert (scores[:, 0] == -math.inf).all()
    expected = torch.einsum("bd,vd->bv", hidden, model.embedding.weight[1:].detach())
    torch.testing.assert_close(scores[:, 1:], expected)


# --- weights, gradients, initialisation, dropout


@pytest.mark.parametrize(
    ("variant", "d", "count"),
    [("paper", 64, 99_490), ("paper", 128, 395_586), ("edge", 64, 99_874)],
)
def test_the_weights_without_the_table(variant, d, count):
    model = GlintRU(ModelConfig(items=5, d=d, variant=variant))
    # Two LayerNorms, a decay and a β.
    assert count == 24 * d**2 + 18.5 * d + 2 + (6 * d if variant == "edge" else 0)
    assert sum(p.numel() for p in model.parameters()) - model.embedding.weight.numel() == count


def test_light_is_the_model_without_its_gated_mlp():
    full, light = (
        {name for name, _ in GlintRU(ModelConfig(items=5, gated_mlp=on)).named_parameters()}
        for on in (True, False)
    )
    layers = ("mlp_gate", "mlp_in", "mlp_out")
    assert full - light == {f"{layer}.{part}" for layer in layers for part in ("weight", "bias")}


@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_every_weight_learns_from_prefixes_but_the_padding_row(make_model, kernel):
    model = make_model(kernel=kernel, items=12)
    items = torch.cat([torch.randperm(12).view(1, 12) + 1, torch.zeros(1, 12).long()], dim=1)
    hidden = model.prefixes(items, torch.tensor([20]))  # unknown items among them
    weights = torch.linspace(-1, 1, hidden[:, :20].numel()).view(1, 20, -1)
    (hidden[:, :20] * weights).sum().backward()

    dead = {"embedding.weight": torch.zeros(13, 1, dtype=torch.bool)}
    dead["embedding.weight"][0] = True
    # Y is only read at a prefix's last position, which never has a right neighbour.
    dead["conv_out.weight"] = torch.arange(kernel) > (kernel - 1) // 2
    dead["low_pass.decay"] = model.low_pass.decay > 4.0  # as near to 1 as a decay may be
    for name, parameter in model.named_parameters():
        learns = ~dead.get(name, torch.tensor(False)).expand_as(parameter)
        assert torch.equal(parameter.grad != 0, learns), name


def test_an_unknown_item_divides_nothing_by_zero():
    """Fresh biases are zero, so its query and key are too: their norm is 0/0 without epsilon."""
    model = GlintRU(ModelConfig(items=5, d=8)).eval()
    items, lengths = torch.tensor([[0, 0, 3]]), torch.tensor([3])
    hidden = torch.cat([model.encode(items, lengths), model.prefixes(items, lengths)[0]])
    hidden.sum().backward()
    assert torch.isfinite(hidden).all()
    for name, parameter in model.named_parameters():
        assert torch.isfinite(parameter.grad).all(), name


def test_the_table_starts_xavier_normal_with_zeros_for_the_unknown_item():
    torch.manual_seed(0)
    table = GlintRU(ModelConfig(items=2000, d=64)).embedding.weight.detach()
    assert (table[0] == 0).all()
    assert table[1:].std().item() == pytest.approx(math.sqrt(2 / (2001 + 64)), rel=0.01)


def test_linears_and_gru_start_xavier_uniform_without_bias():
    torch.manual_seed(0)
    model = GlintRU(ModelConfig(items=5, d=64))
    weights = {n: p.detach() for n, p in model.named_parameters() if "conv" not in n}
    matrices = [n for n, p in weights.items() if p.dim() == 2 and n != "embedding.weight"]
    assert len(matrices) == 15
    for name in matrices:
        bound = math.sqrt(6 / sum(weights[name].shape))
        largest = weights[name].abs().max().item()
        assert 0.98 * bound < largest <= bound, name
        assert weights[name].std().item() == pytest.approx(bound / math.sqrt(3), rel=0.05), name
    assert not [n for n in weights if n.startswith("gru.bias")]
    for name in weights:
        if name.endswith("bias"):
            assert (weights[name] == 0).all(), name
    assert model.mix.tolist() == [0.5, 0.5]


def test_convolutions_and_norms_keep_torchs_start():
    torch.manual_seed(0)
    model = GlintRU(ModelConfig(items=5, d=64))
    for conv in (model.conv_in, model.conv_out):
        bound = 1 / math.sqrt(64 * 3)
        for tensor in (conv.weight, conv.bias):
            assert 0.9 * bound < tensor.abs().max().item() <= bound
    for norm in (model.norm, model.attention_norm):
        assert (norm.weight == 1).all()
        assert (norm.bias == 0).all()


def twice(model, form):
    """One form run twice on the same histories."""
    items, lengths = torch.arange(24).view(3, 8) + 1, torch.tensor([8, 3, 5])
    with torch.no_grad():
        return [getattr(model, form)(items, lengths)[:, :3] for _ in range(2)]


@pytest.mark.parametrize("form", ["encode", "prefixes"])
@pytest.mark.parametrize("which", ["embedding_dropout", "attention_dropout", "block_dropout"])
def test_each_dropout_acts_in_training_alone(make_model, form, which):
    rates = {"embedding_dropout": 0.0, "attention_dropout": 0.0, "block_dropout": 0.0}
    model = make_model(**rates | {which: 0.5})
    first, second = twice(model, form)
    assert torch.equal(first, second)
    first, second = twice(model.train(), form)
    assert not torch.equal(first, second)


@pytest.mark.parametrize("form", ["encode", "prefixes"])
def test_without_dropout_training_computes_what_evaluation_does(make_model, form):
    model = make_model(embedding_dropout=0.0, attention_dropout=0.0, block_dropout=0.0)
    evaluated, _ = twice(model, form)
    trained, _ = twice(model.train(), form)
    assert torch.equal(trained, evaluated)


def test_where_the_dropouts_stand(model):
    layer_of, found = {}, []  # tensor → the layer that made it; (dropout, layer it follows)

    def watch(name):
        def hook(module, inputs, output):
            if isinstance(module, Dropout):
                found.append((name, layer_of.get(inputs[0], "low_pass")))
            else:
                layer_of[output] = name

        return hook

    layers = [x for x in model.named_children() if not isinstance(x[1], nn.GRU | LowPass)]
    hooks = [layer.register_forward_hook(watch(name)) for name, layer in layers]
    try:
        model.encode(torch.tensor([[3, 1, 2]]), torch.tensor([3]))
    finally:
        for hook in hooks:
            hook.remove()
    assert sorted(found) == [
        ("attention_drop", "attention_out"),
        ("block_drop", "gate_up"),
        ("block_drop", "mix_out"),
        ("block_drop", "mlp_out"),
        ("embedding_drop", "input_norm"),
        ("low_pass_drop", "low_pass"),
    ]
