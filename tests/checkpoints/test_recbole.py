"""A checkpoint of the authors' code gives the authors' scores, and no code in it is run.

The oracle (recbole_oracle.py) was compared with the authors' own forward pass, over all
lengths: equal to float32 rounding.
"""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from converters.targets import targets
from device_bench.judge.tolerance import tolerance_of
from device_bench.measure.runtimes import load_runtime
from glint_edge.checkpoints.recbole import import_recbole
from glint_edge.errors import ConfigError
from glint_edge.model.stream import empty_state, stream_program
from glint_edge.runtime.engines import in_chunks
from quantization import quantize
from tests.checkpoints.recbole_oracle import (
    EXACT,
    ITEMS,
    SETTINGS,
    WEIGHTS,
    N,
    Oracle,
    assert_top_10,
    checkpoint_bytes,
    histories,
    weights,
)
from tests.conversions import convert
from tests.histories import recommend_history
from tests.skips import require

TARGETS = {"executorch": "executorch", "onnx": "onnxscript", "tflite": "litert_torch"}


def with_padding(model, padding):
    """A copy of the same weights."""
    copied = copy.deepcopy(model)
    copied.config = replace(model.config, padding=padding)
    return copied


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
