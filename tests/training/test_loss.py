import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from glint_edge.training import loss
from glint_edge.training.loss import catalogue_cross_entropy


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 40), st.integers(1, 9), st.integers(2, 50), st.integers(1, 400),
    st.sampled_from([0.1, 10.0, 300.0]), st.integers(0, 2**31),
)  # fmt: skip
def test_value_and_gradients_are_torchs(positions, d, items, logits, spread, seed):
    generator = torch.Generator().manual_seed(seed)
    hidden = torch.randn(positions, d, generator=generator, dtype=torch.float64) * spread
    table = torch.randn(items, d, generator=generator, dtype=torch.float64)
    targets = torch.randint(items, (positions,), generator=generator)

    def run(compute):
        inputs = hidden.clone().requires_grad_(), table.clone().requires_grad_()
        value = compute(*inputs)
        (3 * value).backward()  # a factor, as further terms of a loss would bring
        return value.detach(), inputs[0].grad, inputs[1].grad

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loss, "LOGITS", logits)  # blocks of every size, down to one row
        patch.setattr(loss, "LEAST_ROWS", 1)
        ours = run(lambda h, e: catalogue_cross_entropy(h, e, targets))
    for mine, theirs in zip(ours, run(lambda h, e: F.cross_entropy(h @ e.T, targets)), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("items", "rows"), [(100, 100), (10_000, 3)])
def test_no_more_logits_are_held_than_a_block(items, rows, monkeypatch):
    held = []
    product = torch.mm

    def watch(left, right, *, out):
        held.append(tuple(out.shape))
        return product(left, right, out=out)

    monkeypatch.setattr(loss, "LOGITS", 10_000)
    monkeypatch.setattr(loss, "LEAST_ROWS", 3)
    monkeypatch.setattr(torch, "mm", watch)
    catalogue_cross_entropy(torch.randn(500, 4), torch.randn(items, 4), torch.zeros(500).long())
    assert max(held) == (rows, items)
    assert sum(part for part, _ in held) == 500
