"""A file that would run code, is damaged, or of another model: refused in one clear line."""

import os
import pickle  # noqa: TID251  # makes the files that must be refused

import pytest
import torch

from glint_edge.checkpoints.recbole import import_recbole
from glint_edge.errors import CheckpointError
from tests.checkpoints.foreign_files import ATTACKS, SASREC, attack, call, name_of, zipped
from tests.checkpoints.recbole_oracle import (
    SETTINGS,
    WEIGHTS,
    checkpoint_bytes,
)

# ---- code in a pickle ---------------------------------------------------------------------------


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
