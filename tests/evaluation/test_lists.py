"""What lists are like, and paired differences, beside naive forms of themselves."""

import math
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from glint_edge.config import ModelConfig
from glint_edge.data.record import REPEATS_FROM, DataSource
from glint_edge.data.sequences import HeldOut
from glint_edge.evaluation.appraise import appraise
from glint_edge.evaluation.lists import codes_of, gini, list_figures
from glint_edge.evaluation.metrics import metrics_of_ranks
from glint_edge.evaluation.paired import compare, comparison_line, verdict
from glint_edge.evaluation.protocols import chosen_protocol
from glint_edge.evaluation.ranking import ranked
from glint_edge.evaluation.slices import half_width
from glint_edge.model.glint_ru import GlintRU

V, K = 9, 4
HISTORY = st.lists(st.integers(0, V), min_size=1, max_size=6)
LIST = st.lists(st.integers(1, V), unique=True, max_size=K).map(
    lambda ids: ids + [0] * (K - len(ids))
)
USERS = st.lists(st.tuples(HISTORY, LIST), min_size=1, max_size=7)


def held_out(histories, targets=None):
    offsets = np.cumsum([0, *map(len, histories)])
    ids = np.concatenate([np.array(items, dtype=np.int64) for items in histories])
    return HeldOut(ids, offsets, np.array(targets or [1] * len(histories)))


@settings(max_examples=80, deadline=None)
@given(USERS, st.lists(st.integers(0, 5), min_size=V, max_size=V), st.data())
def test_lists_are_measured_as_by_hand(users, counts, data):
    histories, lists = (list(each) for each in zip(*users, strict=True))
    keys = ("", *(f"i{n}" for n in range(1, V + 1)))
    values = data.draw(st.dictionaries(st.sampled_from(keys[1:]), st.sampled_from("ab")))
    figures = list_figures(
        np.array(lists),
        held_out(histories),
        np.array([3, *counts]),
        {"kind": codes_of(keys, values)},
    )
    shown = [item for one in lists for item in one if item]
    times = sorted(shown.count(item) for item in range(1, V + 1))
    assert figures.coverage == pytest.approx(len(set(shown)) / V)
    pairs = sum(abs(a - b) for a in times for b in times)
    assert figures.gini == pytest.approx(pairs / (2 * V * sum(times)) if shown else 0)
    total = max(sum(counts), 1)
    bits = [-math.log2(max(counts[item - 1], 1) / total) for item in shown]
    assert figures.novelty == pytest.approx(sum(bits) / len(bits) if bits else 0)
    again = [i in history for history, one in users for i in one if i]
    assert figures.repeats == pytest.approx(sum(again) / len(again) if again else 0)
    shares = []
    for one in lists:
        kinds = [values[keys[item]] for item in one if keys[item] in values]
        unlike = [a != b for a, b in combinations(kinds, 2)]
        shares += [sum(unlike) / len(unlike)] if unlike else []
    expected = pytest.approx(sum(shares) / len(shares)) if shares else None
    assert figures.diversity == {"kind": expected}


def test_gini_is_between_all_alike_and_one_for_all():
    assert gini(np.full(7, 3)) == 0
    assert gini(np.array([0, 0, 0, 9])) == 0.75
    assert gini(np.zeros(4, dtype=np.int64)) == 0


def test_lists_do_not_depend_on_how_many_are_looked_at_together(monkeypatch):
    rng = np.random.default_rng(0)
    users = held_out([rng.integers(1, V + 1, n).tolist() for n in rng.integers(1, 9, 50)])
    lists = np.array([rng.permutation(V)[:K] for _ in range(50)])
    codes = {"kind": rng.integers(-1, 3, V + 1)}
    whole = list_figures(lists, users, np.arange(V + 1), codes)
    monkeypatch.setattr("glint_edge.evaluation.lists.CHUNK", 7)
    figures = list_figures(lists, users, np.arange(V + 1), codes)
    assert figures.diversity == pytest.approx(whole.diversity)
    assert replace(figures, diversity=whole.diversity) == whole


@pytest.fixture
def model():
    torch.manual_seed(0)
    return GlintRU(ModelConfig(items=V, d=8, heads=2, max_length=6)).eval()


@pytest.mark.parametrize("protocol", ["full", "unseen"])
def test_lists_are_the_best_items_that_the_protocol_ranks(model, protocol):
    histories = [[1, 2, 3], [4], [1, 2, 3, 4, 5, 6, 7]]
    users = held_out(histories, [2, 5, 8])
    lists = ranked(model, users, protocol=protocol, top=K)
    for history, one in zip(histories, lists.lists.tolist(), strict=True):
        items = torch.tensor([history[-6:]])
        scores = model.score(items, torch.tensor([items.shape[1]]))[0]
        rivals = [i for i in range(1, V + 1) if protocol == "full" or i not in history]
        best = sorted(rivals, key=lambda item: -scores[item].item())[:K]
        assert one == best + [0] * (K - len(best))
    assert lists.ranks.tolist() == ranked(model, users, protocol=protocol).ranks.tolist()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 12), st.integers(1, 12)), min_size=2, max_size=60))
def test_a_difference_is_that_of_each_user(ranks):
    ours, theirs = (np.array(each) for each in zip(*ranks, strict=True))
    comparison = compare("b", metrics_of_ranks(theirs, 5), ours, theirs)
    hits = np.array([(a <= 5) - (b <= 5) for a, b in ranks], dtype=float)
    gains = [[1 / math.log2(r + 1) if r <= 5 else 0 for r in pair] for pair in ranks]
    assert comparison.hits.mean == pytest.approx(hits.mean())
    assert comparison.hits.half_width == half_width(hits)
    assert comparison.ndcg.mean == pytest.approx(sum(a - b for a, b in gains) / len(ranks))
    mine = metrics_of_ranks(ours, 5)
    assert comparison.ndcg.mean == pytest.approx(mine.ndcg - comparison.figures.ndcg)
    back = compare("a", mine, theirs, ours)
    assert back.ndcg.mean == -comparison.ndcg.mean
    pair = {comparison.ndcg.verdict, back.ndcg.verdict}
    assert pair in ({"better", "worse"}, {"level"})


def test_the_interval_of_a_paired_difference_holds():
    rng = np.random.default_rng(0)
    inside = []
    for _ in range(300):
        ours, theirs = rng.integers(1, 21, (2, 200))
        one = compare("b", metrics_of_ranks(theirs), ours, theirs)
        inside.append(abs(one.ndcg.mean) <= one.ndcg.half_width)
    assert np.mean(inside) > 0.92


def test_the_verdict_says_what_is_more_than_noise():
    ours, random = np.array([1] * 60 + [99] * 40), np.array([1, 99] * 50)
    never = np.full(100, 99)
    one = {
        name: compare(name, metrics_of_ranks(ranks), ours, ranks)
        for name, ranks in (("popularity", never), ("neighbours", random))
    }
    figures = metrics_of_ranks(ours)
    line = verdict(figures, one)
    assert line.startswith("the held-out item is in the top 10 for 60.0% of 100 users: ")
    assert "better than popularity (0.0%, +60.0 ± 9.7 points)" in line
    assert "level with neighbours (50.0%, +10.0 ± 13." in line
    rival = compare("runs/b", metrics_of_ranks(never), ours, never)
    assert comparison_line("runs/a", figures, rival).startswith(
        "runs/a is better than runs/b, on the same 100"
    )
    same = compare("runs/b", figures, ours, ours)
    assert "no different from runs/b beyond noise" in comparison_line("runs/a", figures, same)


class Held:
    def __init__(self, again, users):
        self.again, self.users = again, users

    def validation(self):
        return held_out([[1]] * self.users, [1] * self.again + [2] * (self.users - self.again))

    test = validation


def test_what_is_ranked_is_what_the_log_is():
    users = 1000
    least = math.ceil(REPEATS_FROM * users)
    unknown = DataSource("log", "")
    for again, protocol in ((0, "unseen"), (least - 1, "unseen"), (least, "full"), (users, "full")):
        assert chosen_protocol("auto", unknown, Held(again, users)) == protocol
        assert chosen_protocol("full", unknown, Held(again, users)) == "full"
        counted = replace(unknown, repeats=again / users)
        assert chosen_protocol(None, counted, Held(users - again, users)) == protocol


def test_an_appraisal_compares_with_another_model(model):
    torch.manual_seed(1)
    other = GlintRU(model.config).eval()
    rng = np.random.default_rng(0)
    histories = [rng.integers(1, V + 1, n).tolist() for n in rng.integers(1, 6, 40)]
    users = held_out(histories, rng.integers(1, V + 1, 40).tolist())
    training = (users.ids, users.offsets)
    appraisal = appraise(model, users, training, k=3, other=("b", other, None))
    back = appraise(other, users, training, k=3, other=("a", model, None))
    assert appraisal.other.figures == back.figures and back.other.figures == appraisal.figures
    assert appraisal.other.ndcg.mean == -back.other.ndcg.mean
    assert "b" in appraisal.table("").rows[1][0]
    assert (
        appraisal.to_dict()["other"]["ndcg_at_3_paired"]["difference"] == appraisal.other.ndcg.mean
    )
    assert list(appraisal.lists) == ["model", "popularity", "neighbours"]
    again = [t in history for t, history in zip(users.targets.tolist(), histories, strict=True)]
    apart = {one.name: one.figures for one in appraisal.slices if one.by == "repeats"}
    assert apart["target: again"].users == sum(again) == appraisal.repeats * 40
    ranks = ranked(model, users).ranks
    assert apart["target: new"] == metrics_of_ranks(ranks[~np.array(again)], 3)
    assert f"({apart['target: new'].recall:.1%} where it is new to the user)" in appraisal.verdict
    alone = appraise(model, users, training, k=3)
    assert alone.to_dict() == {**appraisal.to_dict(), "other": None}


def test_a_list_of_the_whole_catalogue_is_not_praised(make_model):
    model = make_model(items=4)
    ids, offsets = np.array([1, 2, 3, 4, 1, 2]), np.array([0, 3, 6])
    users = HeldOut(ids, offsets, np.array([4, 3]))
    appraisal = appraise(model, users, (ids, offsets))
    assert appraisal.figures.recall == 1
    assert appraisal.verdict.endswith("; a list of 10 holds every item, so this tells nothing")
    assert "tells nothing" not in appraise(model, users, (ids, offsets), k=3).verdict
    same = appraise(make_model(items=1), HeldOut(ids * 0 + 1, offsets, np.array([1, 1])),
                    (ids * 0 + 1, offsets))  # fmt: skip
    assert "-0.00" not in str(same.lists_table())
