"""Baselines beside naive forms of themselves, slices that add up, both windows."""

import io
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from glint_edge.cli import render
from glint_edge.config import ModelConfig
from glint_edge.data.sequences import HeldOut
from glint_edge.errors import ConfigError
from glint_edge.evaluation.appraise import appraise
from glint_edge.evaluation.baselines import REACH, LastItemNeighbours, Popularity
from glint_edge.evaluation.metrics import metrics_of_ranks
from glint_edge.evaluation.ranking import NEVER, evaluate, ranked
from glint_edge.evaluation.slice_plot import draw_slices
from glint_edge.evaluation.slices import half_width, popularity_ranks, slices
from glint_edge.model.glint_ru import GlintRU
from tests.small import tiny_neighbours

V = 12
SEQUENCES = st.lists(st.lists(st.integers(1, V), min_size=1, max_size=12), min_size=1, max_size=6)


def flat(sequences):
    offsets = np.cumsum([0, *(len(s) for s in sequences)])
    return np.concatenate([np.array(s, dtype=np.int64) for s in sequences]), offsets


def counts_of(ids):
    return np.bincount(ids, minlength=V + 1)


@settings(max_examples=60, deadline=None)
@given(SEQUENCES, st.integers(1, V))
def test_neighbours_are_counted_as_by_hand(sequences, last):
    ids, offsets = flat(sequences)
    counts = counts_of(ids)
    near = np.zeros(V + 1)
    for sequence in sequences:
        for n, a in enumerate(sequence):
            for m, b in enumerate(sequence):
                if a == last and b != last and 0 < abs(n - m) <= REACH:
                    near[b] += 1
    expected = near + counts / (counts.max() + 1)
    model = LastItemNeighbours(ids, offsets, counts)
    # The last item decides, whatever stands before and behind it.
    items = torch.tensor([[last, 0, 0], [5, last, 7]])
    for row in model.score(items, torch.tensor([1, 2])):
        assert row[0] == -math.inf
        np.testing.assert_allclose(row[1:], expected[1:])


def test_popularity_ranks_the_target_by_its_count():
    counts = np.array([0, 9, 7, 7, 1])
    users = HeldOut(np.array([2, 3, 4]), np.array([0, 1, 2, 3]), np.array([1, 3, 4]))
    assert ranked(Popularity(counts), users).ranks.tolist() == [1, 3, 4]
    assert popularity_ranks(np.array([0, 7, 9, 7, 0])).tolist() == [0, 2, 1, 3, 0]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_the_slices_of_a_kind_are_all_users_once_and_average_to_the_whole(data):
    users = data.draw(st.integers(1, 40))
    ranks, lengths, popularity = (
        np.array(data.draw(st.lists(st.integers(low, high), min_size=users, max_size=users)))
        for low, high in ((1, 30), (1, 400), (0, 60))
    )
    found = slices(ranks, lengths, popularity, 60, beside={"other": ranks[::-1]})
    whole = metrics_of_ranks(ranks)
    for kind in ("all", "history", "popularity"):
        parts = [part for part in found if part.by == kind]
        assert sum(part.figures.users for part in parts) == users
        for name in ("ndcg", "recall", "mrr"):
            for figures in ([p.figures for p in parts], [p.beside["other"] for p in parts]):
                mean = sum(f.users * getattr(f, name) for f in figures) / users
                # The others' ranks are the same, of other users: so is their mean.
                assert mean == pytest.approx(getattr(whole, name))


def test_edges_of_the_slices():
    parts = slices(
        np.array([1, 1, 1, 1]), np.array([5, 6, 200, 201]), np.array([1, 2, 0, 100]), 100
    )
    assert [part.name for part in parts] == [
        "all users", "1-5 items (cold)", "6-10 items", "101-200 items", "over 200 items",
        "target: untrained", "target: 0%-1%", "target: 1%-10%", "target: 50%-100%",
    ]  # fmt: skip


def test_the_interval_is_wide_where_users_are_few():
    rng = np.random.default_rng(0)
    few, many = (
        slices(rng.integers(1, 21, n), np.full(n, 3), np.full(n, 1), 10)[0].half_width
        for n in (300, 30_000)
    )
    assert few == pytest.approx(many * math.sqrt(100), rel=0.1)
    alone = slices(np.array([1]), np.array([3]), np.array([1]), 10)[0]
    assert alone.half_width == 1.0


@pytest.mark.parametrize("users", [12, 60, 400])
def test_the_interval_holds_where_nobody_was_hit(users):
    """Hits so rare that the sample often has none: the truth must be in 95 of 100 intervals."""
    rng = np.random.default_rng(1)
    share = 1.5 / users
    hits = (rng.random((2000, users)) < share).astype(float)
    inside = [abs(sample.mean() - share) <= half_width(sample) for sample in hits]
    assert np.mean(inside) >= 0.95
    assert half_width(np.zeros(users)) == 3 / users


@pytest.fixture
def measured():
    torch.manual_seed(1)
    model = GlintRU(ModelConfig(items=V, d=8, heads=2, max_length=6)).eval()
    rng = np.random.default_rng(0)
    lengths = rng.integers(1, 15, 50)
    ids = rng.integers(1, V + 1, lengths.sum())
    users = HeldOut(ids, np.cumsum([0, *lengths]), rng.integers(1, V + 1, 50))
    return model, users, lengths


def test_the_windows_differ_for_longer_histories_alone(measured):
    model, users, lengths = measured
    sliding, unbounded = (ranked(model, users, window=w).ranks for w in ("sliding", "unbounded"))
    short = lengths <= 6
    assert (sliding[short] == unbounded[short]).all()
    assert (sliding != unbounded).any()
    # The stream that keeps all sees what `encode` sees of the whole history.
    for user in np.flatnonzero(~short)[:5]:
        history = torch.from_numpy(users.ids[users.offsets[user] : users.offsets[user + 1]])
        scores = model.score(history[None], torch.tensor([len(history)]))[0]
        assert unbounded[user] == int((scores >= scores[users.targets[user]]).sum())
    kept = [user for user in range(50) if short[user]]
    fitting = HeldOut(
        np.concatenate([users.ids[users.offsets[u] : users.offsets[u + 1]] for u in kept]),
        np.cumsum([0, *lengths[kept]]), users.targets[kept],
    )  # fmt: skip
    both = [ranked(model, fitting, window=w).ranks.tolist() for w in ("sliding", "unbounded")]
    assert both[0] == both[1] == sliding[short].tolist()
    with pytest.raises(ConfigError, match="sliding, unbounded"):
        ranked(model, users, window="all")


@pytest.mark.parametrize("protocol", ["full", "unseen", "sampled-pop100"])
@pytest.mark.parametrize("window", ["sliding", "unbounded"])
def test_ranks_do_not_depend_on_how_many_users_fit(measured, monkeypatch, protocol, window):
    model, users, lengths = measured
    given = {"protocol": protocol, "window": window, "popularity": counts_of(users.ids)}
    expected = ranked(model, users, **given).ranks
    seen = []
    score = model.score
    monkeypatch.setattr(model, "score", lambda i, n: seen.append(tuple(i.shape)) or score(i, n))
    monkeypatch.setattr("glint_edge.evaluation.ranking.POSITIONS", 16)
    assert ranked(model, users, **given).ranks.tolist() == expected.tolist()
    assert max(rows * columns for rows, columns in seen) <= 16
    longest = lengths.max() if window == "unbounded" else 6
    assert max(columns for _, columns in seen) == longest


def test_a_history_far_longer_than_others_costs_its_own_length(measured, monkeypatch):
    model, _, _ = measured
    lengths = np.array([*[3] * 500, 20_000, *[3] * 500])
    users = HeldOut(np.ones(lengths.sum(), np.int64), np.cumsum([0, *lengths]), np.full(1001, 2))
    cells = []
    score = model.score
    monkeypatch.setattr(model, "score", lambda i, n: cells.append(i.numel()) or score(i, n))
    ranked(model, users, window="unbounded")
    assert sum(cells) == lengths.sum()  # no short history is padded to the long one


def ring(users, rng):
    """Everyone goes on to the next of twelve items; all are equally popular."""
    return [[1 + (start + n) % V for n in range(6)] for start in rng.integers(0, V, users).tolist()]


def test_neighbours_win_where_the_last_item_decides():
    rng = np.random.default_rng(0)
    ids, offsets = flat(ring(60, rng))
    histories, starts = flat([sequence[:1] for sequence in ring(40, rng)])
    users = HeldOut(histories, starts, 1 + histories % V)
    counts = counts_of(ids)
    popularity = metrics_of_ranks(ranked(Popularity(counts), users).ranks, 2)
    neighbours = metrics_of_ranks(ranked(LastItemNeighbours(ids, offsets, counts), users).ranks, 2)
    assert neighbours.recall > 0.6 > popularity.recall


@settings(max_examples=40, deadline=None)
@given(SEQUENCES, st.booleans())
def test_baselines_rank_as_a_loop_over_users_does(sequences, unseen):
    ids, offsets = flat(sequences)
    counts = counts_of(ids)
    rng = np.random.default_rng(len(ids))
    users = HeldOut(ids, offsets, rng.integers(1, V + 1, len(sequences)))
    expected = {"popularity": [], "neighbours": []}
    for history, target in zip(sequences, users.targets.tolist(), strict=True):
        near = np.zeros(V + 1)
        for other in sequences:
            for n, item in enumerate(other):
                if item == history[-1]:
                    for b in other[max(0, n - REACH) : n] + other[n + 1 : n + 1 + REACH]:
                        near[b] += b != item
        rivals = [i for i in range(1, V + 1) if i != target and not (unseen and i in history)]
        for name, key in (
            ("popularity", lambda i: counts[i]),
            ("neighbours", lambda i: (near[i], counts[i])),  # noqa: B023  # used in this turn
        ):
            never = unseen and target in history
            rank = NEVER if never else 1 + sum(key(i) >= key(target) for i in rivals)
            expected[name].append(rank)
    protocol = "unseen" if unseen else "full"
    models = (Popularity(counts), LastItemNeighbours(ids, offsets, counts))
    for model, ranks in zip(models, expected.values(), strict=True):
        assert ranked(model, users, protocol=protocol).ranks.tolist() == ranks


def test_an_appraisal_has_all_of_it(measured):
    model, users, _ = measured
    steps = []
    appraisal = appraise(model, users, (users.ids, users.offsets), on_step=steps.append)
    assert appraisal.figures == metrics_of_ranks(ranked(model, users).ranks)
    assert appraisal.unbounded == metrics_of_ranks(ranked(model, users, window="unbounded").ranks)
    assert appraisal.unbounded != appraisal.figures
    assert set(appraisal.baselines) == {"popularity", "neighbours"}
    assert [step.partition(": ")[2] for step in steps] == [
        "the model", "unbounded", "popularity", "neighbours",
    ]  # fmt: skip
    for part in appraisal.slices:
        assert list(part.beside) == ["unbounded", "popularity", "neighbours"]
    assert appraisal.slices[0].beside["neighbours"] == appraisal.baselines["neighbours"]
    told = appraisal.slices[0].to_dict()
    assert told["ndcg_at_10"] == appraisal.figures.ndcg
    assert told["beside"]["unbounded"] == appraisal.unbounded.to_dict()
    short = HeldOut(users.ids[:3], np.array([0, 3]), users.targets[:1])
    appraisal = appraise(model, short, (users.ids, users.offsets))
    assert appraisal.unbounded is None
    assert list(appraisal.slices[0].beside) == ["popularity", "neighbours"]
    assert "of 1 user" in appraisal.verdict and "of 1 users" not in appraisal.verdict


def test_the_baselines_know_the_training_interactions_alone(measured):
    """Training and histories are disjoint here: what is held out must not lift its own rank."""
    model, _, _ = measured
    training = flat([[1, 2, 3], [1, 2]])
    users = HeldOut(np.array([9, 9, 9, 9]), np.array([0, 2, 4]), np.array([8, 8]))
    appraisal = appraise(model, users, training)
    for figures in appraisal.baselines.values():  # all that was not trained on ties with the target
        assert figures.recall == 0
    assert appraisal.slices[-1].name == "target: untrained"


def test_plots_are_drawn_or_refused(measured, tmp_path):
    model, users, _ = measured
    parts = appraise(model, users, (users.ids, users.offsets)).slices
    draw_slices(tmp_path / "a.png", parts)
    assert (tmp_path / "a.png").read_bytes()[:4] == b"\x89PNG"
    draw_slices(tmp_path / "a.svg", parts)
    assert b"<svg" in (tmp_path / "a.svg").read_bytes()
    with pytest.raises(ConfigError, match=r"\.png or \.svg"):
        draw_slices(tmp_path / "a.pdf", parts)
    with pytest.raises(ConfigError, match="there is no folder"):
        draw_slices(tmp_path / "none" / "a.png", parts)


def test_the_tables_fit_a_terminal(measured):
    model, users, _ = measured
    appraisal = appraise(model, users, (users.ids, users.offsets))
    shown = io.StringIO()
    Console(file=shown, width=80).print(render.slices(appraisal.slices))
    assert "…" not in shown.getvalue()
    for part in appraisal.slices:
        assert shown.getvalue().count(part.name) >= 2


def test_the_figures_are_with_the_neighbours_and_without_them_beside(measured):
    model, users, _ = measured
    training, expert = (users.ids, users.offsets), tiny_neighbours(V)
    plain = appraise(model, users, training)
    appraisal = appraise(model, users, training, neighbours=expert)
    assert appraisal.figures == evaluate(model, users, neighbours=expert) != plain.figures
    assert (appraisal.alone, plain.alone) == (plain.figures, None)
    assert appraisal.to_dict()["without_neighbours"] == plain.figures.to_dict()
    assert "without its neighbours" in [row[0] for row in appraisal.table("").rows]
    whole = appraisal.slices[0]
    assert whole.beside["without its neighbours"] == plain.slices[0].figures
    assert appraisal.baselines == plain.baselines


def test_worse_than_neighbours_it_names_what_counts_them():
    """In a ring the item after i is i + 1; a model of zeros has no item in its ten."""
    items, ring = 40, flat([[(start + step) % 40 + 1 for step in range(5)] for start in range(40)])
    users = HeldOut(*flat([[n] for n in range(1, 41)]), np.roll(np.arange(1, 41), -1))
    model = GlintRU(ModelConfig(items=items, d=8, heads=2, max_length=6)).eval()
    with torch.no_grad():
        model.embedding.weight.zero_()  # all items tie, so that none is in a list
    plain = appraise(model, users, ring)
    assert plain.against["neighbours"].hits.verdict == "worse"
    assert [line for line in plain.lines("mine") if "--neighbours 32" in line] == plain.lines("")[
        1:
    ]
    beside = appraise(model, users, ring, neighbours=tiny_neighbours(items))
    assert not any("--neighbours" in line for line in beside.lines("mine"))
