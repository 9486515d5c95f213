"""The peers are the models that they are called after, and see no later item."""

import importlib
import sys
from pathlib import Path

import pytest
import torch

# For good: scripts find their neighbours by name, and so does what runs them.
sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
peers = importlib.import_module("models.peers")
filters = importlib.import_module("models.peers.filters")
recurrence = importlib.import_module("models.peers.recurrence")

FORMS = [(name, False) for name in peers.PEERS] + [("bsarec", True), ("fmlp_rec", True)]


@pytest.fixture(params=FORMS, ids=lambda form: form[0] + ", whole" * form[1])
def peer(request):
    torch.manual_seed(1)
    name, whole = request.param
    made = peers.PEERS[name](peers.PeerConfig(items=30, d=8, max_length=9, whole=whole))
    with torch.no_grad():  # 0.02 would hide a forgotten part
        for parameter in made.parameters():
            parameter.normal_(std=0.5)
        made.embedding.weight[0] = 0
    return made.eval()


def test_each_row_of_prefixes_is_that_prefix_encoded(peer):
    items = torch.randint(1, 31, (4, 9))
    whole = peer.prefixes(items, torch.full((4,), 9))
    for n in range(9):
        alone = peer.encode(items[:, : n + 1], torch.full((4,), n + 1))
        torch.testing.assert_close(whole[:, n], alone)


def test_a_later_item_changes_no_earlier_prefix(peer):
    items = torch.randint(1, 31, (4, 9))
    before = peer.prefixes(items, torch.full((4,), 9))
    items[:, 5] = items[:, 5] % 30 + 1
    after = peer.prefixes(items, torch.full((4,), 9))
    torch.testing.assert_close(after[:, :5], before[:, :5])
    assert ((after[:, 5:] - before[:, 5:]).abs().amax(dim=-1) > 1e-4).all()


def test_scores_are_the_tied_tables_and_padding_is_never_first(peer):
    items, lengths = torch.randint(1, 31, (4, 9)), torch.tensor([1, 3, 8, 9])
    scores = peer.score(items, lengths)
    expected = peer.encode(items, lengths) @ peer.embedding.weight.T
    torch.testing.assert_close(scores[:, 1:], expected[:, 1:])
    assert (scores[:, 0] == -torch.inf).all()


def test_order_matters_and_padding_does_not(peer):
    items = torch.tensor([[3, 7, 9, 0], [7, 3, 9, 0], [3, 7, 9, 30]])
    hidden = peer.encode(items, torch.tensor([3, 3, 3]))
    assert (hidden[0] - hidden[1]).abs().max() > 1e-3
    torch.testing.assert_close(hidden[0], hidden[2])


def test_every_weight_is_trained(peer):
    peer.train()
    peer.prefixes(torch.randint(1, 31, (4, 9)), torch.full((4,), 9)).square().sum().backward()
    for name, parameter in peer.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().max() > 0, name


@pytest.mark.parametrize("n", [8, 9])
def test_a_filter_is_a_product_of_frequencies(n):
    factors = torch.randn(filters.frequencies(n), 3, dtype=torch.complex64)
    x = torch.randn(2, n, 3)
    kernel = filters.inverse_transform(n) @ torch.cat([factors.real, factors.imag])
    whole = filters.convolution(kernel.T, n, circular=True)
    expected = torch.fft.irfft(torch.fft.rfft(x, dim=1) * factors, n=n, dim=1)
    torch.testing.assert_close(torch.einsum("dts,bsd->btd", whole, x), expected)
    # At the last place of a full window the causal form is the same sum.
    causal = filters.convolution(kernel.T, n, circular=False)
    torch.testing.assert_close(causal[:, -1], whole[:, -1])
    assert causal.triu(1).abs().max() == 0


def test_a_low_pass_keeps_the_lowest_frequencies():
    bsarec = importlib.import_module("models.peers.bsarec")
    layer = bsarec.LowPass(peers.PeerConfig(items=1, max_length=10, cutoff=5, whole=True))
    whole = filters.convolution(layer.kernel, 10, circular=True)[0]
    x = torch.randn(10, 2)
    kept = torch.fft.rfft(x, dim=0)
    kept[3:] = 0  # c // 2 + 1 are kept
    torch.testing.assert_close(whole @ x, torch.fft.irfft(kept, n=10, dim=0))


def test_a_window_is_padded_on_the_left():
    items = torch.tensor([[1, 2, 3, 9, 9], [4, 9, 9, 9, 9]])
    windows = filters.as_windows(items, torch.tensor([3, 1]), 4)
    assert windows.tolist() == [[0, 1, 2, 3], [0, 0, 0, 4]]


@pytest.mark.parametrize("n", [1, 6, 8])
def test_a_recurrence_is_its_steps(n):
    taken = torch.randn(2, n, 3, dtype=torch.complex64)
    decay = torch.polar(torch.rand(3), torch.rand(3) * 6)
    h, expected = torch.zeros(2, 3, dtype=torch.complex64), []
    for at in range(n):
        h = decay * h + taken[:, at]
        expected.append(h)
    found = recurrence.complex_scan((decay.real, decay.imag), (taken.real, taken.imag))
    torch.testing.assert_close(torch.complex(*found), torch.stack(expected, dim=1))


@pytest.mark.parametrize("n", [1, 6])
def test_a_selective_scan_is_the_sum_of_what_was_taken_and_has_decayed_since(n):
    delta, x, b, c = (torch.rand(2, n, size) for size in (3, 3, 4, 4))
    a = -torch.rand(3, 4)
    since = delta.cumsum(1)[:, :, None] - delta.cumsum(1)[:, None]  # of Δ after m up to t
    left = (since[..., None] * a).exp() * torch.ones(n, n).tril()[..., None, None]
    expected = torch.einsum("bts,btmds,bmd,bmd,bms->btd", c, left, delta, x, b)
    torch.testing.assert_close(recurrence.selective_scan(delta, a, x, b, c), expected)
