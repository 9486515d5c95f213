"""A bundle in a Python application: real artifacts in both runtimes, sessions, bad input."""

import hashlib
import json
import subprocess
import sys
import threading

import numpy as np
import pytest
import torch
from hypothesis import given, settings

from glint_edge.apps.module import embed, find_platform
from glint_edge.bundles.bundle import load_bundle
from glint_edge.errors import (
    BundleError,
    ConfigError,
    UnknownItemError,
)
from glint_edge.model.stream import empty_state, stream_program
from glint_edge.runtime import BundleStore, Recommender, replay_golden
from tests.bundles_changed import relist
from tests.runtime.windowed import KEYS, N, keys
from tests.skips import require

pytestmark = pytest.mark.slow


def found(recommendations):
    return [one.key for one in recommendations], [one.score for one in recommendations]


# ---- what it recommends -------------------------------------------------------------------------


@pytest.mark.golden
def test_the_golden_vectors_hold_through_the_public_calls(bundle, recommender):
    whole = load_bundle(bundle)
    assert len(whole.golden.cases) > 4
    for case in whole.golden.cases:
        history = [whole.catalogue.keys[item] for item in case.history]
        got = recommender.recommend(history, 12, exclude_seen=False)
        assert [one.key for one in got] == [whole.catalogue.keys[item] for item in case.items]
        scores = np.array([one.score for one in got])
        assert np.abs(scores - case.scores).max() <= whole.golden.score_error


@pytest.mark.golden
def test_the_replay_passes_and_finds_another_model(copy, recommender):
    assert replay_golden(recommender) == ()
    golden = json.loads((copy / "golden.json").read_bytes())
    for name in ("state_sum", "items"):
        other = json.loads(json.dumps(golden))
        case = other["cases"][2]  # of one item: a load looks at the longest
        case[name] = (
            case[name] + 0.1 * case["state_norm"] if name == "state_sum" else case[name][::-1]
        )
        (copy / "golden.json").write_text(json.dumps(other))
        relist(copy, "golden.json")
        failures = replay_golden(Recommender.load(copy))
        assert [line.split(":")[0] for line in failures] == [
            f"by {method}, golden case 2 (1 item)" for method in ("append", "append_many")
        ]


@pytest.mark.golden
def test_the_embedded_module_replays_and_remembers(bundle, target, tmp_path):
    whole = load_bundle(bundle)
    embed(whole, find_platform("python"), tmp_path / "module")

    def ran(script, *words):
        done = subprocess.run(
            [sys.executable, tmp_path / "module" / script, *words], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done

    assert ran("test_golden.py").stdout == "the artifact computes here what golden.json says\n"
    case = next(case for case in whole.golden.cases if len(case.history) == 3)
    *before, last = (whole.catalogue.keys[item] for item in case.history)
    ran("example.py", *before)
    third = ran("example.py", last, "unheard of")
    # LiteRT says a line of itself before.
    assert third.stderr.splitlines()[-1] == "left out, not in the catalogue: 1"
    listed = [line.split()[1] for line in third.stdout.splitlines()]
    best = [whole.catalogue.keys[item] for item in case.items if whole.catalogue.keys[item] != last]
    assert len(best) >= 9 and listed[: len(best)] == best[:10]  # without what was just tapped
    session = tmp_path / "module" / "session.bin"
    session.write_bytes(session.read_bytes()[:-1])
    assert ran("example.py").stdout == third.stdout


def test_an_update_is_held_to_its_golden_vectors(copy, bundle, tmp_path):
    def fetch(path):
        return (tmp_path / path).read_bytes()

    def check(path):
        assert replay_golden(Recommender.load(path)) == ()

    def publish(bytes_of_items):
        (copy / "items.json").write_bytes(bytes_of_items)
        relist(copy, "items.json")
        version = hashlib.sha256((copy / "manifest.json").read_bytes()).hexdigest()
        told = {"path": "app.glint", "manifest_sha256": version}
        (tmp_path / "latest.json").write_text(json.dumps(told))

    store = BundleStore(tmp_path / "store", bundle)
    renamed = (copy / "items.json").read_bytes().replace(b"First", b"Newer")
    publish(renamed)
    assert store.update(fetch, check) is True
    titles = [one.title for one in store.open(Recommender.load).recommend([], 12)]
    assert "Newer" in titles
    golden = json.loads((copy / "golden.json").read_bytes())
    max(golden["cases"], key=lambda case: len(case["history"]))["scores"][0] += 1.0
    (copy / "golden.json").write_text(json.dumps(golden))
    relist(copy, "golden.json")
    publish(renamed.replace(b"Newer", b"Newest"))
    with pytest.raises(BundleError, match="is not what was exported"):
        store.update(fetch, check)
    titles = [one.title for one in store.open(Recommender.load).recommend([], 12)]
    assert "Newer" in titles


def test_titles_come_with_the_items_that_have_one(recommender):
    by_key = {one.key: one.title for one in recommender.recommend([], 12)}
    assert by_key["k1"] == "First"
    assert by_key["k2"] == "Zweiter – ２"
    assert by_key["k3"] is None


@settings(max_examples=25, deadline=None)
@given(history=keys, more=keys)
def test_a_session_gives_what_its_last_items_give(recommender, history, more):
    """Of N to N + N/4 of them, beyond the window's edge."""
    session, held = recommender.start(history), history[-N:]
    for key in more:
        session.append(key)
        held = [*held, key]
        held = held[-N:] if len(held) > N + N // 4 else held
    state = recommender.empty()
    for key in held:
        state = recommender.step(state, recommender.id_of(key))
    assert session.history == [*history, *more]
    _, scores = recommender.ranked(state)
    listed = found(session.top(12, exclude_seen=False))
    np.testing.assert_allclose(listed[1], scores[0], atol=0.03)
    resumed = recommender.resume(session.save())
    assert found(resumed.top(12, exclude_seen=True)) == found(session.top(12, exclude_seen=True))
    assert resumed.history[-N:] == session.history[-N:]
    assert len(resumed.history) <= N + len(set(session.history))
    assert session.skipped == 0


def test_beyond_the_window_a_tap_seldom_encodes_again(recommender, monkeypatch):
    calls = []
    encode = recommender.encode
    monkeypatch.setattr(recommender, "encode", lambda ids: calls.append(len(ids)) or encode(ids))
    session = recommender.start(KEYS[:N])
    for key in KEYS[:20]:
        session.append(key)
    assert len(calls) == 1 + 20 // (N // 4 + 1)


def test_only_the_window_counts(recommender):
    long = KEYS[:20]
    assert found(recommender.recommend(long)) == found(recommender.recommend(long[-N:]))


def test_an_unbounded_session_keeps_all(windowed_model, export_app):
    require("onnxscript", "onnx")
    unbounded = Recommender.load(export_app("onnx", "unbounded"))
    program = stream_program(windowed_model, 12)
    with torch.no_grad():
        state = empty_state(windowed_model.config)
        for item in range(1, 21):
            state = program.append(state, torch.tensor([item]))
        items, scores = program.recommend(state)
    session = unbounded.start(KEYS[:9])
    for key in KEYS[9:20]:
        session.append(key)
    whole = unbounded.recommend(KEYS[:20], 12, exclude_seen=False)
    for got in (session.top(12, exclude_seen=False), whole):
        assert [one.key for one in got] == [f"k{item}" for item in items[0].tolist()]
        np.testing.assert_allclose(found(got)[1], scores[0].numpy(), atol=1e-4)


def test_what_was_seen_is_left_out_on_request(recommender):
    plain, _ = found(recommender.recommend(["k3"], 12))
    history = ["k3", plain[0], plain[4]]
    shown, _ = found(recommender.recommend(history, 12, exclude_seen=False))
    assert set(shown) & set(history)
    left, _ = found(recommender.recommend(history, 12, exclude_seen=True))
    stays = [key for key in shown if key not in history]
    assert (left[: len(stays)], len(left)) == (stays, 12), "others take their place"


def test_fewer_are_the_first_of_more(recommender):
    assert recommender.recommend(["k5"], 3) == recommender.recommend(["k5"], 12)[:3]


@pytest.mark.parametrize("k", [0, -1])
def test_a_list_of_nothing_is_refused(recommender, k):
    with pytest.raises(ConfigError, match=f"k is at least 1, not {k}"):
        recommender.recommend(["k5"], k)


def test_threads_take_turns(recommender):
    history = KEYS[:5]
    expected, wrong = found(recommender.recommend(history)), []

    def work():
        for _ in range(50):
            session = recommender.start(history[:2])
            for key in history[2:]:
                session.append(key)
            if found(session.top())[0] != expected[0]:
                wrong.append(session)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


# ---- unknown items ------------------------------------------------------------------------------


def test_an_unknown_item_is_refused_and_changes_nothing(recommender):
    session = recommender.start(["k1"])
    before = session.save()
    for call in (lambda: session.append("nonesuch"), lambda: recommender.start(["k1", "nonesuch"])):
        with pytest.raises(UnknownItemError, match=r"'nonesuch' is not in the catalogue of .*skip"):
            call()
    assert session.save() == before


def test_the_padding_id_has_no_key(recommender):
    with pytest.raises(UnknownItemError):
        recommender.recommend([""])


def test_unknown_items_are_skipped_and_counted(bundle, recommender):
    skipping = Recommender.load(bundle, unknown="skip")
    session = skipping.start(["k1", "nonesuch", "k2", "neither"])
    session.append("k3")
    session.append("nor this")
    assert session.skipped == 3
    assert session.history == ["k1", "k2", "k3"]
    np.testing.assert_allclose(
        found(session.top())[1], found(recommender.recommend(["k1", "k2", "k3"]))[1], atol=1e-5
    )


def test_there_is_no_third_way_with_unknown_items(bundle):
    with pytest.raises(ConfigError, match="'refuse' or 'skip', not 'ignore'"):
        Recommender.load(bundle, unknown="ignore")


def test_a_retired_item_is_known_and_never_recommended(recommender):
    assert "k40" not in found(recommender.recommend(["k40", "k39"], 12))[0]
