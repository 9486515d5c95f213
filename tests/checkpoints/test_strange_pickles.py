"""What lies in the files of others: wrapped models, paths, endless pickles; cut files."""

import argparse
import collections
import datetime
import decimal
import fractions
import io
import pathlib
import pickle  # noqa: TID251  # makes the files that must be refused
import time
import types
import uuid
import zipfile

import pytest
import torch

from glint_edge.checkpoints.recbole import import_recbole
from glint_edge.errors import CheckpointError, GlintEdgeError
from tests.checkpoints.recbole_oracle import SETTINGS, checkpoint_bytes, weights

WEIGHTS = weights()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "GLINTRU.pth"


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "module._orig_mod."])
def test_a_model_of_several_gpus_is_the_model_in_it(path, prefix):
    path.write_bytes(checkpoint_bytes({prefix + name: w for name, w in WEIGHTS.items()}))
    model = import_recbole(path).model
    assert torch.equal(model.state_dict()["mlp_out.bias"], WEIGHTS["denseout.bias"])


def test_a_part_of_the_names_with_a_prefix_is_another_model(path):
    renamed = {f"module.{name}" if "dense" in name else name: w for name, w in WEIGHTS.items()}
    path.write_bytes(checkpoint_bytes(renamed))
    with pytest.raises(CheckpointError, match="no checkpoint of GLINT-RU"):
        import_recbole(path)


VALUES = {
    "data_path": pathlib.Path("/data/some-shop"),
    "elsewhere": pathlib.PureWindowsPath("c:/data"),
    "began": datetime.datetime(2024, 11, 23, tzinfo=datetime.UTC),
    "took": datetime.timedelta(hours=3),
    "share": decimal.Decimal("0.1"),
    "third": fractions.Fraction(1, 3),
    "run": uuid.UUID(int=7),
    "arguments": argparse.Namespace(gpu=[0, 1], place=pathlib.Path("x")),
    "more": types.SimpleNamespace(a=1),
    "groups": collections.defaultdict(list, {"a": [1]}),
    "counted": collections.Counter("abca"),
    "last": collections.deque([1, 2], maxlen=3),
    "part": slice(1, 2),
    "tries": range(3),
    "phase": 1 + 2j,
    "raw": bytearray(b"raw"),
    ("a", 1): frozenset({1, 2}),
}


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
def test_plain_values_in_a_config_do_no_harm(path, legacy):
    path.write_bytes(checkpoint_bytes(WEIGHTS, SETTINGS | VALUES, legacy=legacy))
    assert import_recbole(path).model.config.heads == SETTINGS["n_heads"]


@pytest.mark.parametrize("module", ["pathlib", "recbole.trainer", "datetime"])
def test_a_dotted_name_leads_nowhere(path, module):
    """`pathlib.os.system` is `os.system` to whoever imports it."""
    name = f"\x8c{chr(len(module))}{module}\x8c\x09os.system\x93".encode("latin1")
    path.write_bytes(zipped(name + b"(Vtouch pwned\ntR"))
    with pytest.raises(CheckpointError, match=rf"would call {module}\.os\.system, which is code"):
        import_recbole(path)


# ---- pickles that never end ---------------------------------------------------------------------


def zipped(value):
    """A file like RecBole's with the value of these opcodes as its config."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("G/data.pkl", b"\x80\x04(dVstate_dict\n(dsVconfig\n" + value + b"s.")
    return file.getvalue()


def doubled(times=50, make=b"\x86"):
    """Opcodes of a tuple that holds the one before twice, so many times: 2ᵗⁱᵐᵉˢ parts."""
    return b")" + (b"2" + make) * times


def call(name, *arguments):
    return f"c{name}\n".encode() + b"(" + b"".join(arguments) + b"tR"


def again(value, name):
    """A list of 20,000 calls with the same value."""
    return (
        value + b"q\x000c" + f"{name}\n".encode() + b"q\x010](" + b"h\x01h\x00\x85R" * 20_000 + b"e"
    )


ENDLESS = {
    "a dict's key": b"}" + doubled() + b"Ns",
    "a dict's keys": b"}(" + doubled() + b"Nu",
    "an older dict's key": b"(" + doubled() + b"Nd",
    "in a set": b"\x8f(" + doubled() + b"\x90",
    "in a frozen set": b"(" + doubled() + b"\x91",
    "a list as a key, by torch.Size": b"}" + call("torch\nSize", b"](" + doubled() + b"e") + b"Ns",
    "a set of a list": call("builtins\nset", b"](" + doubled() + b"e"),
    "an ordered dict": call("collections\nOrderedDict", b"]((" + doubled() + b"Ntte"),
    "a state": b"crecbole.config\nConfig\n)\x81(d" + doubled() + b"Nsb",
    "deep": b"}" + b")" + b"\x85" * 100_000 + b"Ns",
    "deep lists": b"]" * 100_000 + b"a" * 99_999,
    "wide lists": b"]" + b"2\x86\x85" * 60,
    "copies of a list": again(b"](" + b"K\x01" * 100_000 + b"e", "torch\nSize"),
    "copies of a text": again(b"X" + (1 << 20).to_bytes(4, "little") + b"x" * (1 << 20),
                              "_codecs\nencode"),
    "a large number": b"\x8b" + (200_000).to_bytes(4, "little") + b"\x7f" * 200_000,
}  # fmt: skip


@pytest.mark.parametrize("name", ENDLESS)
def test_a_pickle_cannot_keep_its_reader_busy(path, name):
    path.write_bytes(zipped(ENDLESS[name]))
    began = time.process_time()
    with pytest.raises(CheckpointError, match="is truncated or damaged") as caught:
        import_recbole(path)
    assert time.process_time() - began < 3
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["n_heads", "MAX_ITEM_LIST_LENGTH", "layer_norm_eps"])
@pytest.mark.parametrize("kind", [tuple, list])
def test_a_setting_that_is_no_number_is_not_written_out(path, name, kind):
    value = kind()
    for _ in range(40):
        value = kind((value, value))
    path.write_bytes(checkpoint_bytes(WEIGHTS, SETTINGS | {name: value}))
    began = time.process_time()
    with pytest.raises(CheckpointError):
        import_recbole(path)
    assert time.process_time() - began < 3


def test_keys_of_storages_are_texts(path):
    head = (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}, {"state_dict": {}})
    keys = b"](" + doubled() + b"e."
    path.write_bytes(b"".join(map(pickle.dumps, head)) + keys)
    with pytest.raises(CheckpointError, match="damaged"):
        import_recbole(path)


# ---- cut files ----------------------------------------------------------------------------------


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
def test_what_is_left_of_a_file_is_one_true_line(path, legacy):
    whole = checkpoint_bytes(WEIGHTS, legacy=legacy)
    for at in range(1, len(whole), len(whole) // 15):
        for part in (whole[:at], whole[at:], whole[:at] + whole[at + 60 :]):
            path.write_bytes(part)
            try:
                import_recbole(path)
            except GlintEdgeError as error:
                said = str(error)
                assert str(path) in said and "\n" not in said
                assert "space" not in said and "Invalid argument" not in said
