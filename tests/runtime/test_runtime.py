"""A bundle in a Python application: real artifacts in both runtimes, sessions, bad input."""

import hashlib
import json
import shutil
import struct
import subprocess
import sys
import threading
import zlib

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from converters.export import export
from converters.options import ExportOptions
from glint_edge.apps.module import embed, find_platform
from glint_edge.bundles.bundle import load_bundle
from glint_edge.bundles.manifest import digest_of
from glint_edge.checkpoints.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from glint_edge.data.catalogue import Catalogue
from glint_edge.data.record import DataSource
from glint_edge.errors import (
    BundleError,
    ConfigError,
    MissingExtraError,
    SessionError,
    UnknownItemError,
)
from glint_edge.model.stream import empty_state, stream_program
from glint_edge.runtime import BundleStore, Recommender, replay_golden
from glint_edge.runtime.session_bytes import pack, unpack
from tests.skips import require

pytestmark = pytest.mark.slow

N, ITEMS = 6, 40
KEYS = [f"k{n}" for n in range(1, ITEMS + 1)]
TARGETS = ("onnx", "tflite")
keys = st.lists(st.sampled_from(KEYS), max_size=3 * N)


@pytest.fixture(scope="module")
def model(make_model):
    made = make_model(items=ITEMS, max_length=N)
    made.retired = (40,)
    return made


@pytest.fixture(scope="module", params=["onnx", pytest.param("tflite", marks=pytest.mark.full)])
def target(request):
    package = {"onnx": "onnxscript", "tflite": "litert_torch"}[request.param]
    require(package, request.param)
    return request.param


@pytest.fixture(scope="module")
def make_bundle(model, tmp_path_factory):
    catalogue = Catalogue(("", *KEYS), {"k1": "First", "k2": "Zweiter – ２"}, retired=("k40",))
    folder = tmp_path_factory.mktemp("run")
    save_checkpoint(Checkpoint(model, catalogue, DataSource("app", "app")), folder)
    checkpoint = load_checkpoint(folder)

    def make(target, window="sliding"):
        out = tmp_path_factory.mktemp("bundle") / "app.glint"
        options = ExportOptions((target,), "none", 12, out, window, chunk=4)
        histories = [[1, 2, 3], list(range(5, 11)), [7]]
        return export(
            checkpoint, options, folder=folder, histories=histories, check=lambda *_: []
        ).path

    return make


@pytest.fixture(scope="module")
def bundle(target, make_bundle):
    return make_bundle(target)


@pytest.fixture(scope="module")
def recommender(bundle):
    return Recommender.load(bundle)


@pytest.fixture
def copy(bundle, tmp_path):
    return shutil.copytree(bundle, tmp_path / "app.glint")


def found(recommendations):
    return [one.key for one in recommendations], [one.score for one in recommendations]


# ---- what it recommends -------------------------------------------------------------------------


@pytest.mark.golden
def test_the_golden_vectors_hold_through_the_public_calls(bundle, recommender):
    whole = load_bundle(bundle)
    assert len(whole.golden.cases) == 4
    for case in whole.golden.cases:
        history = [whole.catalogue.keys[item] for item in case.history]
        got = recommender.recommend(history, 12)
        assert [one.key for one in got] == [whole.catalogue.keys[item] for item in case.items]
        scores = np.array([one.score for one in got])
        assert np.abs(scores - case.scores).max() <= whole.golden.score_error


@pytest.mark.golden
def test_the_replay_passes_and_finds_another_model(copy, recommender):
    assert replay_golden(recommender) == ()
    golden = json.loads((copy / "golden.json").read_bytes())
    for name in ("state_sum", "items"):
        other = json.loads(json.dumps(golden))
        case = other["cases"][1]
        case[name] = (
            case[name] + 0.1 * case["state_norm"] if name == "state_sum" else case[name][::-1]
        )
        (copy / "golden.json").write_text(json.dumps(other))
        relisted(copy, "golden.json")
        failures = replay_golden(Recommender.load(copy))
        assert [line.split(":")[0] for line in failures] == [
            f"by {method}, golden case 1 (3 items)" for method in ("append", "append_many")
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

    assert ran("test_golden.py").stdout == "golden.json holds\n"
    ran("example.py", "k1", "k2")
    third = ran("example.py", "k3", "unheard of")
    # LiteRT says a line of itself before.
    assert third.stderr.splitlines()[-1] == "left out, not in the catalogue: 1"
    case = next(case for case in whole.golden.cases if case.history == [1, 2, 3])
    listed = [line.split()[1] for line in third.stdout.splitlines()]
    assert listed == [whole.catalogue.keys[item] for item in case.items[:10]]
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
        relisted(copy, "items.json")
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
    golden["cases"][2]["scores"][0] += 1.0
    (copy / "golden.json").write_text(json.dumps(golden))
    relisted(copy, "golden.json")
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
    np.testing.assert_allclose(found(session.top(12))[1], scores[0], atol=0.03)
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


def test_an_unbounded_session_keeps_all(model, make_bundle):
    require("onnxscript", "onnx")
    unbounded = Recommender.load(make_bundle("onnx", "unbounded"))
    program = stream_program(model, 12)
    with torch.no_grad():
        state = empty_state(model.config)
        for item in range(1, 21):
            state = program.append(state, torch.tensor([item]))
        items, scores = program.recommend(state)
    session = unbounded.start(KEYS[:9])
    for key in KEYS[9:20]:
        session.append(key)
    for got in (session.top(12), unbounded.recommend(KEYS[:20], 12)):
        assert [one.key for one in got] == [f"k{item}" for item in items[0].tolist()]
        np.testing.assert_allclose(found(got)[1], scores[0].numpy(), atol=1e-4)


def test_what_was_seen_is_left_out_on_request(recommender):
    plain, _ = found(recommender.recommend(["k3"], 12))
    history = ["k3", plain[0], plain[4]]
    shown, _ = found(recommender.recommend(history, 12))
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


# ---- saved sessions -----------------------------------------------------------------------------


@settings(max_examples=15, deadline=None)
@given(history=keys, more=st.sampled_from(KEYS))
def test_a_session_resumes_where_it_was_saved(recommender, history, more):
    session = recommender.start(history)
    resumed = recommender.resume(session.save())
    assert resumed.save() == session.save()
    for one in (session, resumed):
        one.append(more)
    # All that can count: the last N, and before them each other item once, as seen.
    assert resumed.history[-N:] == [*history, more][-N:]
    assert set(resumed.history) == {*history, more}
    assert resumed.top(12) == session.top(12)


def test_the_bytes_are_laid_out_as_documented():
    state, ids = np.array([1.5, -2.0, 0.25], np.float32), [3, 1, 2**31 - 1]
    digest = bytes(range(32))
    body = b"GLINTSES" + struct.pack("<II", 1, 3) + digest + struct.pack("<I3f3i", 3, *state, *ids)
    assert pack(digest.hex(), state, ids) == body + struct.pack("<I", zlib.crc32(body))
    told = unpack(pack(digest.hex(), state, ids))
    assert (told.digest, told.ids) == (digest.hex(), tuple(ids))
    assert np.array_equal(told.state, state)


def test_every_flipped_byte_of_a_session_is_seen(recommender):
    saved = recommender.start(["k1", "k9"]).save()
    for place in {*range(60), *range(60, len(saved), 97), len(saved) - 1}:
        broken = bytearray(saved)
        broken[place] ^= 1
        with pytest.raises(SessionError, match="start one from the history"):
            recommender.resume(bytes(broken))


@pytest.mark.parametrize("kept", [0, 4, 8, 30, 55, -1, -4])
def test_every_cut_of_a_session_is_seen(recommender, kept):
    saved = recommender.start(["k1", "k9"]).save()
    with pytest.raises(SessionError, match="start one from the history"):
        recommender.resume(saved[:kept])


def test_a_session_of_another_bundle_or_format_is_refused(recommender):
    digest = recommender.bundle.digest
    state = recommender.empty()[0]
    with pytest.raises(SessionError, match="with another bundle"):
        recommender.resume(pack("00" * 32, state, [1]))
    for wrong in (pack(digest, state[:-1], [1]), pack(digest, state, [0]),
                  pack(digest, state, [ITEMS + 1]), pack(digest, state, [-1])):  # fmt: skip
        with pytest.raises(SessionError, match="damaged"):
            recommender.resume(wrong)
    later = bytearray(pack(digest, state, [1]))
    later[8] = 2
    with pytest.raises(SessionError, match="format 2, this glint-edge reads 1; upgrade"):
        recommender.resume(bytes(later))


# ---- bundles that are not whole -----------------------------------------------------------------


def rewritten(folder, **changes):
    """A manifest with other values, and the digest that fits them."""
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text("utf-8")) | changes
    manifest["digest"] = digest_of(manifest)
    path.write_text(json.dumps(manifest), "utf-8")


def relisted(folder, name):
    """The manifest after a file has been changed."""
    files = json.loads((folder / "manifest.json").read_bytes())["files"]
    data = (folder / name).read_bytes()
    told = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    rewritten(folder, files=files | {name: told})


@pytest.mark.parametrize("name", ["items.json", "artifact"])
def test_a_damaged_file_is_refused(copy, target, name):
    file = copy / (f"model.{target}" if name == "artifact" else name)
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(BundleError, match="sha256"):
        Recommender.load(copy)
    file.write_bytes(whole[:-1])
    with pytest.raises(BundleError, match="bytes, its manifest says"):
        Recommender.load(copy)
    file.unlink()
    with pytest.raises(BundleError, match="is missing"):
        Recommender.load(copy)


def test_a_manifest_that_was_edited_or_is_newer_is_refused(copy):
    text = (copy / "manifest.json").read_text("utf-8")
    (copy / "manifest.json").write_text(text.replace('"top_k": 12', '"top_k": 11'), "utf-8")
    with pytest.raises(BundleError, match="digest does not match"):
        Recommender.load(copy)
    rewritten(copy, schema_version=3)
    with pytest.raises(BundleError, match="upgrade glint-edge"):
        Recommender.load(copy)
    rewritten(copy, schema_version=1)
    with pytest.raises(BundleError, match="know no filters; export it again"):
        Recommender.load(copy)
    rewritten(copy, schema_version=2, files="none")
    with pytest.raises(BundleError, match=r"damaged at \$\.files"):
        Recommender.load(copy)
    (copy / "manifest.json").write_text("[1", "utf-8")
    with pytest.raises(BundleError, match="damaged"):
        Recommender.load(copy)
    (copy / "manifest.json").unlink()
    with pytest.raises(BundleError, match="is not a bundle"):
        Recommender.load(copy)


def test_a_target_the_bundle_lacks_is_refused(bundle, target):
    other = next(name for name in TARGETS if name != target)
    with pytest.raises(BundleError, match=f"no artifact for {other} .*--target {other}"):
        Recommender.load(bundle, target=other)
    with pytest.raises(ConfigError, match="'nonesuch' has no runtime here"):
        Recommender.load(bundle, target="nonesuch")


def test_a_missing_runtime_is_named(bundle, target, monkeypatch):
    monkeypatch.setattr("glint_edge.runtime.app_bundle.missing", lambda packages: packages)
    extra = {"onnx": "runtime-onnx", "tflite": "runtime-litert"}[target]
    with pytest.raises(MissingExtraError, match=rf"glint-edge\[{extra}\]"):
        Recommender.load(bundle)


def test_it_runs_without_torch(bundle):
    """Nothing of the toolkit's own is imported: a block stands in the way of each."""
    script = f"""
import sys
for name in ("torch", "polars", "jsonschema", "typer", "rich", "matplotlib", "onnx", "jinja2"):
    sys.modules[name] = None  # importing it fails
from glint_edge.runtime import BundleStore, Recommender, replay_golden
print(Recommender.load({str(bundle)!r}).recommend(["k1", "k2"], 1)[0].key)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() in KEYS
