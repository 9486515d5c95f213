"""A checkpoint of the authors' code gives the authors' scores, and no code in it is run.

The oracle (recbole_oracle.py) was compared with the authors' own forward pass, over all
lengths: equal to float32 rounding.
"""

import copy
import io
import json
import os
import pickle  # noqa: TID251  # makes the files that must be refused
import zipfile
from dataclasses import replace

import numpy as np
import pytest
import torch

import glint_edge
from converters.targets import targets
from device_bench.judge.tolerance import tolerance_of
from device_bench.measure.runtimes import load_runtime
from glint_edge.checkpoints.checkpoint import load_checkpoint, save_checkpoint
from glint_edge.checkpoints.recbole import import_recbole
from glint_edge.errors import CheckpointError, ConfigError, DataError, UnknownItemError
from glint_edge.model.stream import empty_state, stream_program
from glint_edge.runtime.engines import in_chunks
from quantization import quantize
from tests.checkpoints.recbole_oracle import SETTINGS, Oracle, checkpoint_bytes, weights
from tests.conversions import convert
from tests.histories import recommend_history
from tests.skips import require

ITEMS, HEADS, N = 40, SETTINGS["n_heads"], SETTINGS["MAX_ITEM_LIST_LENGTH"]
WEIGHTS = weights(ITEMS)
EXACT = 1e-4
TARGETS = {"executorch": "executorch", "onnx": "onnxscript", "tflite": "litert_torch"}


@pytest.fixture
def save(tmp_path):
    """Write bytes as a .pth."""

    def write(data, name="GLINTRU.pth"):
        path = tmp_path / name
        path.write_bytes(data)
        return path

    return write


@pytest.fixture(scope="module")
def whole():
    """A checkpoint as RecBole writes it."""
    return checkpoint_bytes(WEIGHTS)


@pytest.fixture(scope="module")
def imported(whole, tmp_path_factory):
    """The model of it. Not to be changed."""
    path = tmp_path_factory.mktemp("recbole") / "GLINTRU.pth"
    path.write_bytes(whole)
    return import_recbole(path).model


@pytest.fixture(scope="module")
def oracle():
    return Oracle(WEIGHTS, HEADS, N)


def histories(length, count=3, items=ITEMS):
    """Some of one length, always the same."""
    draw = torch.Generator().manual_seed(length)
    return torch.randint(1, items + 1, (count, length), generator=draw).tolist()


def with_padding(model, padding):
    """A copy of the same weights."""
    copied = copy.deepcopy(model)
    copied.config = replace(model.config, padding=padding)
    return copied


def assert_top_10(items, scores, expected, atol=EXACT):
    """Artifact's ids and scores [10] against the oracle's scores of items 1 … V."""
    best, order = expected.topk(10)
    torch.testing.assert_close(scores.double(), best, atol=atol, rtol=0)
    own = expected[items - 1]
    swapped = items != order + 1
    torch.testing.assert_close(own[swapped], best[swapped], atol=1e-5, rtol=0)
    assert len(set(items.tolist())) == 10


# ---- the same scores ----------------------------------------------------------------------------


@pytest.mark.parametrize("together", [True, False], ids=["one batch", "as long as the history"])
def test_encode_gives_the_authors_scores_at_every_length(imported, oracle, together):
    for length in range(1, N + 1):
        for history in histories(length):
            width = N if together else length
            row = torch.tensor([history + [9] * (width - length)])  # what pads a row is ignored
            with torch.no_grad():
                scores = imported.score(row, torch.tensor([length]))[0, 1:]
            torch.testing.assert_close(scores.double(), oracle.scores(history), atol=EXACT, rtol=0)


def test_lengths_of_a_batch_do_not_mix(imported, oracle):
    lengths = torch.arange(1, N + 1)
    row = histories(N, 1)[0]
    with torch.no_grad():
        scores = imported.score(torch.tensor([row] * N), lengths)[:, 1:]
    expected = torch.stack([oracle.scores(row[:length]) for length in lengths])
    torch.testing.assert_close(scores.double(), expected, atol=EXACT, rtol=0)


def test_the_pads_matter_until_the_history_is_full(whole, imported, oracle):
    """Otherwise nothing above would tell the two semantics apart."""
    masked = with_padding(imported, "masked")
    for length in range(1, N + 1):
        history = histories(length)[0]
        with torch.no_grad():
            scores = masked.score(torch.tensor([history]), torch.tensor([length]))[0, 1:]
        apart = (scores - oracle.scores(history)).abs().max()
        assert apart < EXACT if length == N else apart > 0.01, length


@pytest.mark.parametrize(("d", "heads", "length"), [(8, 8, 1), (8, 1, 2), (6, 3, 3), (16, 4, 50)])
def test_the_stream_gives_the_authors_scores_at_every_length(save, d, heads, length):
    state_dict = weights(d=d, seed=length)
    settings = SETTINGS | {"n_heads": heads, "MAX_ITEM_LIST_LENGTH": length}
    model = import_recbole(save(checkpoint_bytes(state_dict, settings))).model
    program, oracle = stream_program(model, 10, chunk=4), Oracle(state_dict, heads, length)
    history, state = histories(length, 1)[0], empty_state(model.config)
    with torch.no_grad():
        for at, item in enumerate(history):
            state = program.append(state, torch.tensor([item]))
            items, scores = program.recommend(state)
            assert_top_10(items[0], scores[0], oracle.scores(history[: at + 1]))


def test_a_history_taken_in_by_chunks_gives_the_authors_scores(imported, oracle):
    program = stream_program(imported, 10, chunk=5)
    for length in range(1, N + 1):
        state, history = empty_state(imported.config), histories(length, 1)[0]
        with torch.no_grad():
            for chunk, count in in_chunks(history, 5):
                state = program.append_many(state, torch.from_numpy(chunk), torch.tensor([count]))
            items, scores = program.recommend(state)
        assert_top_10(items[0], scores[0], oracle.scores(history))


@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_the_closed_form_of_the_pads_is_the_padded_batch(make_model, kernel):
    """For any kernel, though the authors' is 3, and beyond N, where no pad is left."""
    model = make_model(kernel=kernel, max_length=7, variant="paper", padding="reference")
    with torch.no_grad():
        model.embedding.weight[0].normal_()
        program, state, history = stream_program(model), empty_state(model.config), histories(10)[0]
        for at, item in enumerate(history):
            state = program.append(state, torch.tensor([item]))
            row = torch.tensor([history[: at + 1]])
            encoded = model.encode(row, torch.tensor([at + 1]))
            torch.testing.assert_close(program.recommend.hidden(state), encoded, atol=EXACT, rtol=0)


def test_id_0_and_ids_outside_the_catalogue_are_the_pad_item(imported):
    program, lists = stream_program(imported, 10), []
    for unknown in (0, -1, ITEMS + 1, 2**40):
        state = empty_state(imported.config)
        with torch.no_grad():
            for item in (3, unknown, 5):
                state = program.append(state, torch.tensor([item]))
            lists.append(program.recommend(state)[1])
    with torch.no_grad():
        best = imported.score(torch.tensor([[3, 0, 5]]), torch.tensor([3])).topk(10).values
    for scores in lists:
        torch.testing.assert_close(scores, best, atol=EXACT, rtol=0)


def test_training_such_a_model_is_refused(imported):
    with pytest.raises(ConfigError, match="cannot be trained here"):
        imported.prefixes(torch.tensor([[1, 2]]), torch.tensor([2]))


def overlap(oracle, recommend):
    """Share of the authors' top 10 in ids after histories that leave room for pads."""
    shared = []
    for length in range(1, N):
        for history in histories(length):
            best = set((oracle.scores(history).topk(10).indices + 1).tolist())
            shared.append(len(best & set(recommend(history))) / 10)
    return np.mean(shared)


@pytest.mark.parametrize("padding", ["reference", "masked"])
def test_int8_without_the_pads_is_below_the_bar(imported, oracle, padding):
    """Otherwise the int8 artifacts would pass the next test whatever their pads add."""
    program = quantize(stream_program(with_padding(imported, padding), 10), "int8")

    def recommend(history):
        state = empty_state(program.config)
        with torch.no_grad():
            for item in history:
                state = program.append(state, torch.tensor([item]))
            return program.recommend(state)[0][0].tolist()

    bar = tolerance_of("*", "int8").top10_overlap
    assert (overlap(oracle, recommend) >= bar) == (padding == "reference")


@pytest.mark.slow
@pytest.mark.parametrize(
    # int8 rounds the same program for all targets: one of them says whether its pads are right.
    ("target", "precision"),
    [
        ("onnx", "fp32"),
        ("onnx", "int8"),
        pytest.param("executorch", "fp32", marks=pytest.mark.full),
        pytest.param("tflite", "fp32", marks=pytest.mark.full),
    ],
)
def test_every_artifact_gives_the_authors_scores(imported, oracle, tmp_path, target, precision):
    """At every length, and beyond N over the last N items."""
    require(TARGETS[target], target)
    program = quantize(stream_program(imported, 10, chunk=2), precision)
    path = tmp_path / f"model{targets()[target].suffix}"
    convert(program, targets()[target], path)
    runtime = load_runtime(target, path, imported.config, top_k=10)
    for length in [*range(1, N + 1), N + 1, N + 5]:
        for history in histories(length) if precision == "fp32" else ():
            items, scores = map(torch.from_numpy, recommend_history(runtime, history, N))
            assert_top_10(items[0].long(), scores[0], oracle.scores(history[-N:]))
    share = overlap(oracle, lambda history: recommend_history(runtime, history, N)[0][0].tolist())
    assert share >= tolerance_of(target, precision).top10_overlap
    # What pads add is in the delegate.
    if target == "executorch":
        from executorch.exir._serialize._program import deserialize_pte_binary

        plans = deserialize_pte_binary(path.read_bytes()).program.execution_plan
        recommend = next(plan for plan in plans if plan.name == "recommend")
        assert [delegate.id for delegate in recommend.delegates] == ["XnnpackBackend"]
        assert {op.name for op in recommend.operators} == {
            "aten::gt", "aten::topk", "aten::add", "aten::where",
        }  # fmt: skip


# ---- what is read -------------------------------------------------------------------------------


def test_both_of_torchs_formats_hold_the_same(save, whole):
    zipped = import_recbole(save(whole))
    legacy = import_recbole(save(checkpoint_bytes(WEIGHTS, legacy=True), "old.pth"))
    assert zipped.model.config == legacy.model.config
    for name, tensor in zipped.model.state_dict().items():
        assert torch.equal(tensor, legacy.model.state_dict()[name])
    for theirs, ours in (("denseout.bias", "mlp_out.bias"), ("weights", "mix")):
        assert torch.equal(zipped.model.state_dict()[ours], WEIGHTS[theirs])


def test_the_settings_come_from_the_config(save):
    more = {"n_heads": 4, "MAX_ITEM_LIST_LENGTH": 7, "layer_norm_eps": 0.1, "dropout_prob": 0.5}
    config = import_recbole(save(checkpoint_bytes(WEIGHTS, SETTINGS | more))).model.config
    assert (config.heads, config.max_length, config.norm_eps) == (4, 7, 0.1)
    assert (config.embedding_dropout, config.attention_dropout) == (0.5, 0.2)
    assert (config.items, config.d, config.padding) == (ITEMS, 16, "reference")


def test_halves_and_views_are_read_as_what_they_are(save):
    """Parts of one storage, transposed, in other types: what a GPU's flattened GRU looks like."""
    shared = torch.cat([WEIGHTS["dense1.weight"].flatten(), WEIGHTS["dense2.weight"].T.flatten()])
    state_dict = WEIGHTS | {
        "dense1.weight": shared[:256].view(16, 16),
        "dense2.weight": shared[256:].view(16, 16).T,
        "dense.weight": WEIGHTS["dense.weight"].half(),
        "dense3.weight": WEIGHTS["dense3.weight"].double(),
        "dense4.weight": torch.nn.Parameter(WEIGHTS["dense4.weight"]),
    }
    imported = import_recbole(save(checkpoint_bytes(state_dict))).model.state_dict()
    assert torch.equal(imported["gru_in.weight"], WEIGHTS["dense1.weight"])
    assert torch.equal(imported["mix_gate.weight"], WEIGHTS["dense2.weight"])
    assert torch.equal(imported["mix_out.weight"], WEIGHTS["dense.weight"].half().float())
    assert torch.equal(imported["mlp_in.weight"], WEIGHTS["dense3.weight"])
    assert torch.equal(imported["mlp_gate.weight"], WEIGHTS["dense4.weight"])


# ---- code in a pickle ---------------------------------------------------------------------------


def name_of(dotted):
    """Opcodes that put what a dotted name stands for on the unpickler's stack."""
    module, _, name = dotted.rpartition(".")
    return f"c{module}\n{name}\n".encode()


def call(function, *arguments):
    """Opcodes that call a function (opcodes) with texts and with what other opcodes put there."""
    given = (x if isinstance(x, bytes) else f"V{x}\n".encode() for x in arguments)
    return function + b"(" + b"".join(given) + b"tR"


TOUCH = "touch pwned"
SYSTEM = name_of("os.system")
GETATTR = name_of("builtins.getattr")
# By the call that is to be named.
ATTACKS = {
    "os.system": call(SYSTEM, TOUCH),
    "posix.system": call(name_of("posix.system"), TOUCH),
    "builtins.eval": call(name_of("builtins.eval"), "open('pwned', 'w')"),
    "builtins.exec": call(name_of("__builtin__.exec"), "open('pwned', 'w')"),
    # getattr on a module, on a class that is known, on a function that is known
    "builtins.__import__": call(
        call(GETATTR, call(name_of("builtins.__import__"), "os"), "system"), TOUCH
    ),
    "getattr(…, 'system')": call(call(GETATTR, name_of("torch.os"), "system"), TOUCH),
    "getattr(…, 'fromkeys')": call(GETATTR, name_of("collections.OrderedDict"), "fromkeys"),
    "getattr(…, '_to')": call(GETATTR, name_of("torch._utils._rebuild_parameter"), "_to"),
    # a dotted name, which some Pythons follow
    "builtins.getattr.__self__.eval": b"\x8c\x08builtins\x8c\x15getattr.__self__.eval\x93(V1\ntR",
    "functools.partial": call(name_of("functools.partial"), SYSTEM, TOUCH),
    # classes and functions of torch: the first loads another pickle, out of bytes in this one
    "torch.storage._load_from_bytes": call(name_of("torch.storage._load_from_bytes"), TOUCH),
    "torch.hub.load": call(name_of("torch.hub.load"), "someone/somewhere", "model"),
    "torch.jit.frontend.exec": call(name_of("torch.jit.frontend.exec"), "open('pwned', 'w')"),
    # by the opcodes that make an object: INST, OBJ, NEWOBJ, NEWOBJ_EX
    "torch.nn.Linear": b"(I1\nI1\nitorch.nn\nLinear\n",
    "torch.nn.GRU": b"(" + name_of("torch.nn.GRU") + b"I1\no",
    "torch.nn.Module": name_of("torch.nn.Module") + b")\x81(dVforward\nV1\nsb",
    "torch.nn.Conv1d": name_of("torch.nn.Conv1d") + b"(t(dVbias\nI1\ns\x92",
}


def attack(value, *, legacy=False):
    """A file like RecBole's with the value of these opcodes in it."""
    pickled = b"\x80\x04(dVstate_dict\n(dsVconfig\n" + value + b"s."
    if legacy:
        head = (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True})
        return b"".join(map(pickle.dumps, head)) + pickled + pickle.dumps([])
    return zipped(pickled)


def zipped(pickled):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("GLINTRU/data.pkl", pickled)
    return file.getvalue()


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
@pytest.mark.parametrize("name", ATTACKS)
def test_a_pickle_that_would_run_code_is_refused(save, tmp_path, monkeypatch, name, legacy):
    monkeypatch.chdir(tmp_path)
    path = save(attack(ATTACKS[name], legacy=legacy))
    with pytest.raises(CheckpointError) as caught:
        import_recbole(path)
    said = str(caught.value).replace("__builtin__", "builtins")
    assert f"is refused: reading it would call {name}, which is code" in said
    assert "\n" not in said
    assert list(tmp_path.iterdir()) == [path]


def test_an_object_of_a_class_of_torch_is_refused(save):
    """Made without its constructor, with a state to set: nn.Module and others act on that."""
    with pytest.raises(CheckpointError, match=r"would call torch\.nn\.modules\.linear\.Linear"):
        import_recbole(save(checkpoint_bytes(WEIGHTS, model=torch.nn.Linear(2, 2))))


def test_a_name_in_the_file_cannot_write_lines_of_its_own(save):
    name = b"\x8c\x0fos\nall is well\x1b\x8c\x06system\x93"
    with pytest.raises(CheckpointError, match=r"would call os all is well \.system, which"):
        import_recbole(save(attack(call(name))))


def test_the_first_pickle_of_the_older_format_is_no_way_in_either(save):
    with pytest.raises(CheckpointError, match=r"would call os\.system"):
        import_recbole(save(b"\x80\x02" + ATTACKS["os.system"] + b"."))


def test_a_pickle_cannot_change_this_program(save):
    """By BUILD it can set attributes of what it may name: none of ours is to be set."""
    state = b"(dV_to\nV1\ns"
    for opcodes in (
        name_of("torch._utils._rebuild_tensor_v2") + state + b"b",
        name_of("numpy.ndarray") + b"N" + state + b"\x86b",
        name_of("collections.OrderedDict") + b"N" + state + b"\x86b",
    ):
        with pytest.raises(CheckpointError, match="damaged"):
            import_recbole(save(attack(opcodes)))
    import_recbole(save(checkpoint_bytes(WEIGHTS)))


def test_classes_that_are_only_mentioned_do_no_harm(save):
    """As RecBole's config mentions the model's class, which may be of any module."""
    import_recbole(save(checkpoint_bytes(WEIGHTS, mentioned=[torch.nn.Linear, os.system])))


# ---- damage, and other models -------------------------------------------------------------------


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
def test_a_truncated_file_is_one_clear_line_wherever_it_ends(save, legacy):
    data = checkpoint_bytes(WEIGHTS, legacy=legacy)
    for end in [1, 2, 3, *range(7, len(data) - 1, len(data) // 97), len(data) - 1]:
        path = save(data[:end])
        with pytest.raises(CheckpointError) as caught:
            import_recbole(path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_flipped_bit_in_the_weights_is_found(save, whole):
    at = whole.index(WEIGHTS["dense1.weight"].numpy().tobytes())
    damaged = whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]
    with pytest.raises(CheckpointError, match=r"damaged at dense1\.weight"):
        import_recbole(save(damaged))


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
@pytest.mark.parametrize(
    ("opcodes", "says"),
    [(b"Nr\xff\xff\xff\x7f", "it counts wrongly"), (b"\x96\xff\xff\xff\x3f" + bytes(4), "bytes")],
    ids=["a memo of 16 GB", "a bytearray of 1 GB"],
)
def test_a_damaged_size_is_found_before_the_unpickler_allocates_it(save, opcodes, says, legacy):
    with pytest.raises(CheckpointError, match=rf"damaged \(.*{says}"):
        import_recbole(save(attack(opcodes, legacy=legacy)))


def without(name):
    return {key: value for key, value in WEIGHTS.items() if key != name}


SASREC = {
    "item_embedding.weight": torch.ones(5, 4),
    "position_embedding.weight": torch.ones(5, 4),
    **{
        f"trm_encoder.layer.0.{part}.{kind}": torch.ones(shape)
        for part in ("multi_head_attention.query", "multi_head_attention.dense")
        for kind, shape in (("weight", (4, 4)), ("bias", 4))
    },
    **{f"LayerNorm.{kind}": torch.ones(4) for kind in ("weight", "bias")},
}


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (lambda: b"", "no file that torch.save wrote"),
        (lambda: b"user\titem\n1\t2\n", "no file that torch.save wrote"),
        (lambda: pickle.dumps({"state_dict": {}}), "some other pickle"),
        (
            lambda: checkpoint_bytes(SASREC, SETTINGS | {"model": "SASRec"}),
            r"GLINT-RU \('SASRec'\)",
        ),
        (lambda: checkpoint_bytes(without("projection.bias")), r"has no projection\.bias"),
        (
            lambda: checkpoint_bytes(WEIGHTS | {"gru_layers.weight_ih_l1": torch.ones(48, 16)}),
            r"has 'gru_layers\.weight_ih_l1', which the authors' GLINT-RU has not",
        ),
        (
            lambda: checkpoint_bytes(WEIGHTS | {"conv1d.weight": torch.ones(16, 16, 5)}),
            r"conv1d\.weight has the shape \[16, 16, 5\]",
        ),
        (
            lambda: checkpoint_bytes(WEIGHTS | {"dense.bias": torch.full((16,), float("nan"))}),
            r"dense\.bias holds numbers that are not finite",
        ),
        (
            lambda: zipped(pickle.dumps({"state_dict": dict.fromkeys(WEIGHTS, 3)})),
            "is no tensor",
        ),
        (lambda: checkpoint_bytes(WEIGHTS, SETTINGS | {"n_heads": 3}), "must divide d"),
        (lambda: checkpoint_bytes(WEIGHTS, {"model": "GLINTRU"}), "no setting 'n_heads'"),
        (lambda: checkpoint_bytes(WEIGHTS, config=None), "no setting 'n_heads'"),
        (lambda: attack(b"N"), r"no checkpoint of GLINT-RU \('unknown'\)"),
        (lambda: zipped(pickle.dumps({"state_dict": [1]})), "it has no state_dict"),
        (
            lambda: checkpoint_bytes(WEIGHTS | {"dense.bias": torch.ones(0)}),
            r"damaged at dense\.bias \(a tensor has no numbers\)",
        ),
    ],
)
def test_what_is_no_glint_ru_is_one_clear_line(save, data, says):
    with pytest.raises(CheckpointError, match=says) as caught:
        import_recbole(save(data()))
    assert "\n" not in str(caught.value)


# ---- the items' keys ----------------------------------------------------------------------------


KEYS = [f"B{number:03} é" for number in range(ITEMS, 0, -1)]


def test_without_a_map_the_ids_are_the_keys(save, whole):
    keys = import_recbole(save(whole)).catalogue.keys
    assert keys == ("", *map(str, range(1, ITEMS + 1)))


@pytest.mark.parametrize(
    "text",
    ["\n".join(KEYS), "\n".join(["[PAD]", *KEYS]) + "\n", "\ufeff" + "\r\n".join(KEYS) + "\r\n"],
    ids=["plain", "with the pad", "from Windows"],
)
def test_a_map_is_one_key_a_line(save, whole, tmp_path, text):
    (tmp_path / "items.txt").write_bytes(text.encode())
    imported = import_recbole(save(whole), tmp_path / "items.txt")
    assert imported.catalogue.keys == ("", *KEYS)


@pytest.mark.parametrize(
    "more",
    [
        {"field2id_token": {"item_id": np.array(["[PAD]", *KEYS])}},
        {"field2id_token": {"item_id": np.array(["[PAD]", *KEYS], dtype=object)}},
        {"field2id_token": {"item_id": ["[PAD]", *KEYS], "user_id": np.array([1.5])}},
        {"field2token_id": {"item_id": {key: n for n, key in enumerate(["[PAD]", *KEYS])}}},
    ],
    ids=["texts", "objects", "list", "dict"],
)
def test_a_map_in_the_checkpoint_is_used_unless_another_is_given(save, tmp_path, more):
    path = save(checkpoint_bytes(WEIGHTS, **more))
    assert import_recbole(path).catalogue.keys == ("", *KEYS)
    others = [key.lower() for key in KEYS]
    (tmp_path / "items.txt").write_text("\n".join(others))
    assert import_recbole(path, tmp_path / "items.txt").catalogue.keys == ("", *others)


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        (KEYS[:-1], "lists 39 items, the model has 40"),
        ([*KEYS, "more"], "lists 41 items"),
        ([], "lists 1 items"),
        ([*KEYS[:-1], KEYS[0]], "stands there twice"),
        ([*KEYS[:6], "", *KEYS[7:]], "item 7 has no key"),
    ],
)
def test_a_map_that_does_not_fit_is_one_clear_line(save, whole, tmp_path, keys, says):
    (tmp_path / "items.txt").write_text("\n".join(keys))
    with pytest.raises(DataError, match=says):
        import_recbole(save(whole), tmp_path / "items.txt")


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"field2id_token": {"item_id": np.array(["[PAD]", *KEYS[1:]])}}, "lists 39 items"),
        ({"field2id_token": {"item_id": np.array([1.5] * 41)}}, "lists 0 items"),
        ({"field2id_token": {"item_id": ["[PAD]", *KEYS[:-1], None]}}, "lists 39 items"),
        ({"field2id_token": {"item_id": ["[PAD]", *KEYS[1:], KEYS[1]]}}, "stands there twice"),
        ({"field2token_id": {"item_id": {key: n for n, key in enumerate(KEYS)}}}, "are not 0 … 40"),
        ({"field2token_id": {"item_id": dict.fromkeys(["[PAD]", *KEYS], 1)}}, "are not 0 … 40"),
        ({"field2token_id": {"item_id": {"a": [1], "b": "1"}}}, "are not 0 … 40"),
        ({"field2token_id": {"item_id": "B001"}}, "are not 0 … 40"),
    ],
)
def test_a_map_in_the_checkpoint_that_does_not_fit_is_one_clear_line(save, more, says):
    with pytest.raises(DataError, match=says):
        import_recbole(save(checkpoint_bytes(WEIGHTS, **more)))


# ---- from the command line to a bundle, and from Python -----------------------------------------


@pytest.fixture
def folder(save, whole, run, tmp_path):
    """An imported checkpoint."""
    (tmp_path / "items.txt").write_text("\n".join(KEYS))
    out = tmp_path / "theirs"
    code, said, err = run(
        "import", save(whole), "--items", tmp_path / "items.txt", "--out", out, "--json"
    )
    assert (code, err) == (0, "")
    assert json.loads(said)["model"]["padding"] == "reference"
    return out


def test_the_folder_loads_as_any_checkpoint(folder, imported):
    loaded = load_checkpoint(folder)
    assert loaded.model.config == imported.config
    assert loaded.catalogue.keys == ("", *KEYS)
    assert torch.equal(loaded.model.embedding.weight, imported.embedding.weight)


def test_a_scorer_gives_items_and_the_authors_scores(folder, oracle):
    model = glint_edge.load_scorer(folder)
    assert model.items == ("", *KEYS)
    rows = [history + [0] * (N - length) for length in (1, N) for history in histories(length)]
    lengths = torch.tensor([1] * 3 + [N] * 3)
    scores = model.score(torch.tensor(rows), lengths)
    assert (scores[:, 0] == -torch.inf).all()
    expected = [oracle.scores(row[:n]) for row, n in zip(rows, lengths, strict=True)]
    torch.testing.assert_close(scores[:, 1:].double(), torch.stack(expected), atol=EXACT, rtol=0)
    hidden = model.encode(torch.tensor(rows), lengths)
    assert hidden.shape == (6, 16)
    own = hidden @ model.model.embedding.weight.T
    torch.testing.assert_close(own[:, 1:], scores[:, 1:])


@pytest.mark.parametrize(
    ("items", "lengths", "error"),
    [
        ([[1, 41]], [2], UnknownItemError),
        ([[1, -1]], [1], UnknownItemError),
        ([[1, 2]], [3], ConfigError),
        ([[1, 2]], [0], ConfigError),
        ([[1, 2]], [2, 1], ConfigError),
        ([1, 2], [2], ConfigError),
        ([[1.0, 2.0]], [2], ConfigError),
    ],
)
def test_impossible_histories_are_refused(folder, items, lengths, error):
    with pytest.raises(error):
        glint_edge.load_scorer(folder).score(torch.tensor(items), torch.tensor(lengths))


def test_a_scorer_without_a_path_is_the_shipped_model():
    model = glint_edge.load_scorer()
    assert model.score(torch.tensor([[1]]), torch.tensor([1])).shape == (1, len(model.items))


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("import theirs.pth --out theirs", "exists and is not empty"),
        ("import nothing.pth --out new", "no such file"),
        ("import GLINTRU.pth --out new --items nothing.txt", "no such file"),
        ("evaluate theirs", "pass --data"),
        ("export theirs --target onnx --window unbounded", "--window sliding"),
        ("export theirs --target onnx --quantize int8-qat", "--quantize int8"),
    ],
)
def test_a_refusal_is_one_line_and_exit_code_2(folder, run, tmp_path, monkeypatch, line, says):
    if line.startswith("export"):
        require("onnxscript", "onnx")
    monkeypatch.chdir(tmp_path)
    code, out, err = run(*line.split())
    assert (code, out) == (2, "")
    assert says in err
    assert err.count("\n") == 1
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("data", "keys", "says"),
    [
        (checkpoint_bytes(SASREC, SETTINGS | {"model": "SASRec"}), KEYS, "GLINT-RU ('SASRec')"),
        (checkpoint_bytes(WEIGHTS)[:20_000], KEYS, "is truncated or damaged"),
        (attack(ATTACKS["os.system"]), KEYS, "is refused: reading it would call os.system"),
        (checkpoint_bytes(WEIGHTS), KEYS[:-1], "lists 39 items, the model has 40"),
        (checkpoint_bytes(WEIGHTS), [*KEYS[:-1], KEYS[0]], "stands there twice"),
    ],
    ids=["another model", "truncated", "malicious", "an item is lacking", "an item twice"],
)
def test_a_bad_file_is_one_line_exit_code_2_and_no_folder(save, run, tmp_path, data, keys, says):
    (tmp_path / "items.txt").write_text("\n".join(keys))
    out = tmp_path / "new"
    code, said, err = run("import", save(data), "--items", tmp_path / "items.txt", "--out", out)
    assert (code, said) == (2, "")
    assert says in err
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert not out.exists()


def test_the_summary_for_people(save, whole, run, tmp_path):
    code, out, _ = run("import", save(whole), "--out", tmp_path / "new")
    assert code == 0
    assert "reference: histories of up to 12 items" in out


@pytest.fixture
def taps(tmp_path, oracle):
    """What users did, in the checkpoint's keys; what the model thinks best comes next."""
    rows, draw = ["user_id:token\titem_id:token\ttimestamp:float"], np.random.default_rng(3)
    for user in range(60):
        history = draw.integers(1, ITEMS + 1, 2 + user % 20).tolist()
        history.append(int(oracle.scores(history[-N:]).argmax()) + 1)
        rows += [f"u{user}\t{KEYS[item - 1]}\t{at}" for at, item in enumerate(history)]
    path = tmp_path / "taps.inter"
    path.write_text("\n".join(rows) + "\n")
    return path


@pytest.mark.slow
def test_from_import_to_bench(folder, taps, run, tmp_path, monkeypatch, oracle, in_process):
    """The whole way: the bundle is judged good on users' data, and answers with their keys."""
    require("onnxscript", "onnx")
    monkeypatch.setenv("GLINT_EDGE_CACHE", str(tmp_path / "cache"))
    out = tmp_path / "theirs.glint"
    code, said, err = run(
        "export", folder, "--target", "onnx", "--quantize", "none", "--out", out, "--data", taps,
        "--json",
    )  # fmt: skip
    assert code == 0, err
    manifest = json.loads(said)
    assert manifest["no_history"] == "the first items of the imported catalogue"
    (check,) = manifest["checks"]
    assert check["ok"] and check["users"] == 60
    assert "first items of the imported catalogue" in (out / "README.md").read_text()

    code, said, err = run("bench", out, "--data", taps, "--rounds", "1", "--json")
    assert code == 0, err

    history = [9, 4, 30]
    keys = ",".join(KEYS[item - 1] for item in history)
    _, said, _ = run("recommend", out, "--history", keys, "--json")
    values = json.loads(said)["items"]
    items = torch.tensor([KEYS.index(item["key"]) + 1 for item in values])
    assert_top_10(items, torch.tensor([i["score"] for i in values]), oracle.scores(history))
    _, said, _ = run("recommend", out)
    assert "no history: the first items" in said


def test_saving_again_keeps_the_padding(folder, tmp_path):
    save_checkpoint(load_checkpoint(folder), tmp_path / "again")
    assert load_checkpoint(tmp_path / "again").model.config.padding == "reference"
