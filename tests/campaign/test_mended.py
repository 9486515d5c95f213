"""What the campaign found, each kind by one input, and the right answer to it."""

import json
import signal

import numpy as np
import pandas
import polars as pl
import pytest
import safetensors.torch

from device_bench.document import read_document
from device_bench.native.exchange import OUTPUTS, RESULT, read_result
from glint_edge.checkpoints.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from glint_edge.checkpoints.near_items import read_rows
from glint_edge.config import ModelConfig, TrainConfig
from glint_edge.data.catalogue import Catalogue
from glint_edge.data.log import load_log
from glint_edge.data.record import DataSource
from glint_edge.data.sharded.sharding import make_shards
from glint_edge.data.sharded.shards import open_shards
from glint_edge.errors import (
    CheckFailed,
    CheckpointError,
    ConfigError,
    DataError,
    GlintEdgeError,
    RunnerError,
)
from glint_edge.files import cache_folder, new_folder, sha256
from glint_edge.keys import text_of_key
from glint_edge.training.begin import begin
from glint_edge.training.epochs import epochs
from glint_edge.training.field_rows import WITHOUT
from glint_edge.training.resume_file import packed, unpacked
from glint_edge.training.run_file import read_run
from glint_edge.training.run_folder import RESUME, restore, save_run
from tests.campaign.disturbances import Disturbance, forked
from tests.device_bench.reports.documents import document_of, profile_of, row_of
from tests.small import tiny_model


def test_an_error_is_one_bounded_line_without_commands_to_a_terminal():
    assert str(GlintEdgeError("a\x1b[31m\n  b\0 é\ud800")) == "a\\x1b[31m b\\x00 é\\ud800"
    long = str(DataError("begin " + "x" * 100_000 + " end; do this"))
    assert len(long) < 2000
    assert long.startswith("begin x") and long.endswith("end; do this")
    assert len(str(CheckFailed("; ".join(["a figure"] * 500)))) == 4998


@pytest.mark.parametrize("key", [np.arange(3), 10**5000, float("inf"), object()], ids=type)
def test_what_has_no_text_is_no_key(key):
    with pytest.raises(ConfigError, match="a text or a whole number"):
        text_of_key(key)


@pytest.mark.parametrize("value", [range(3), object(), {"a": 1}, 10**5000], ids=type)
def test_an_object_in_a_column_of_pandas_is_one_line(value):
    frame = pandas.DataFrame({"user": ["u"] * 3, "item": ["x", "y", value]})
    with pytest.raises(DataError, match="column 'item'"):
        load_log(frame)


def test_a_time_that_is_a_truth_value_is_none():
    frame = pl.DataFrame({"user": ["u"] * 3, "item": ["x", "y", "z"], "time": [True] * 3})
    with pytest.raises(DataError, match="the time column holds values of type Boolean"):
        load_log(frame)


@pytest.mark.parametrize("header", [b"{'descr': '<f4', 'shape': (10000000000,)", b"((((", b"\xff"])
def test_a_damaged_file_of_vectors_allocates_nothing_and_is_one_line(header, tmp_path):
    path = tmp_path / "rows.npy"
    if header.startswith(b"{"):
        header += b", 'fortran_order': False, }\n"
    path.write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
    with pytest.raises(DataError, match=r"is no readable \.npy file"):
        read_rows(path)
    np.save(path, np.eye(2))
    assert read_rows(path).tolist() == [[1, 0], [0, 1]]


def test_a_settings_file_that_is_nested_too_deep_is_one_line(tmp_path):
    (tmp_path / "run.toml").write_text(f"d = {'[' * 5000}")
    with pytest.raises(ConfigError, match=r"run\.toml is no TOML"):
        read_run(tmp_path / "run.toml")


@pytest.mark.parametrize("value", ["1e400", '"6"', "[" * 50_000, "-1", "1.5"])
def test_a_native_result_of_another_kind_is_one_line(value, tmp_path):
    (tmp_path / OUTPUTS).touch()
    (tmp_path / RESULT).write_text(f'{{"state_size": {value}, "top_k": 1}}')
    with pytest.raises(RunnerError, match=r"result\.json"):
        read_result(tmp_path, 0, 0)


# ---- shards -------------------------------------------------------------------------------------


@pytest.fixture
def shards(tmp_path):
    rows = [f"u{user},i{(user + n) % 7},{n}" for user in range(6) for n in range(5)]
    (tmp_path / "log.csv").write_text("\n".join(["user,item,time", *rows]))
    return make_shards(tmp_path / "log.csv", tmp_path / "shards", parts=1, held_out=2).folder


def put(shards, name, frame):
    """A file of shards behind its right digest."""
    frame.write_parquet(shards / name)
    about = json.loads((shards / "shards.json").read_bytes())
    about["sha256"][name] = sha256(shards / name)
    (shards / "shards.json").write_text(json.dumps(about))


@pytest.mark.parametrize(
    "items", [[[0, 1, 2]], [[1, 8, 2]], [[1, None, 2]], [None], [["a"]], [1], [[]], [[1.5]]]
)
def test_ids_of_shards_that_are_no_items_are_one_line(items, shards):
    for name in ("part-0000.parquet", "held_out.parquet"):
        put(shards, name, pl.DataFrame({"items": items}))
    log = open_shards(shards)
    for read in (log.training, log.test):
        with pytest.raises(DataError, match=r"\.parquet is damaged \(it is not what `shard`"):
            read()


@pytest.mark.parametrize(
    "change",
    [
        {"key": pl.lit("i1")}, {"key": pl.lit(7)}, {"count": pl.lit(-1)}, {"training": pl.lit(99)},
        {"count": pl.lit("x")}, {"key": pl.lit(None)}, {"count": pl.col("count") + 1},
    ],
)  # fmt: skip
def test_a_catalogue_of_shards_that_cannot_be_is_one_line(change, shards):
    put(shards, "items.parquet", pl.read_parquet(shards / "items.parquet").with_columns(**change))
    with pytest.raises(DataError, match=r"items\.parquet is damaged"):
        open_shards(shards)


# ---- an unfinished run --------------------------------------------------------------------------


@pytest.fixture
def unfinished(tmp_path):
    """A run after its first epoch, its settings, and its file's bytes."""
    model = ModelConfig(items=7, d=4, heads=2, max_length=6)
    training = TrainConfig(epochs=2, batch_positions=64, threads=1)
    settings = {
        "model": model.to_dict(), "training": training.to_dict(), "log": {}, "ranking": {},
        "features": WITHOUT,
    }  # fmt: skip
    split = load_log([[f"i{(n + m) % 7}" for m in range(5)] for n in range(7)]).split()
    run = begin(model, training, split)
    next(epochs(run, split, training))
    save_run(run, tmp_path, settings)
    return lambda data: restore(
        begin(model, training, split, resumed=True), data, tmp_path / RESUME, settings
    ), ((tmp_path / RESUME).read_bytes())


def test_a_flipped_bit_of_an_unfinished_run_is_seen(unfinished):
    resume, whole = unfinished
    resume(whole)
    for at in (-1, -400, len(whole) // 2):
        data = bytearray(whole)
        data[at] ^= 1
        with pytest.raises(CheckpointError, match="start again without --resume"):
            resume(bytes(data))


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("history", []), ("history", [{"epoch": 1}]), ("rng.numpy", {}), ("settings", {"model": 1}),
        ("settings", []), ("rng.numpy", {"bit_generator": "MT19937"}),
    ],
)  # fmt: skip
def test_what_an_unfinished_run_says_is_held_to_a_schema(part, value, unfinished, tmp_path):
    resume, whole = unfinished
    tensors, about = unpacked(whole, tmp_path)
    del about["digest"]
    with pytest.raises(CheckpointError, match="is damaged"):
        resume(packed(tensors, {**about, part: value}))


def test_tensors_that_are_not_the_models_are_one_line(unfinished, tmp_path):
    resume, whole = unfinished
    tensors, about = unpacked(whole, tmp_path)
    del about["digest"]
    for name in ("model.mix", "best.mix", "adam.0.exp_avg", "rng.torch"):
        rest = {other: tensor for other, tensor in tensors.items() if other != name}
        for wrong in (rest, {**rest, name: tensors[name].reshape(-1)[:1].clone()}):
            with pytest.raises(CheckpointError, match=f"{name} is not this model's"):
                resume(packed(wrong, about))
    deep = safetensors.torch.save(tensors, {"settings": "[" * 100_000})
    with pytest.raises(CheckpointError, match="nested too deep"):
        resume(deep)


# ---- stopped while it cleans up -----------------------------------------------------------------


def folder_written(path):
    """With what a signal does to a command."""
    signal.signal(signal.SIGTERM, lambda *_: exit(143))
    with new_folder(path) as work:
        (work / "one").touch()


def test_a_signal_at_any_step_leaves_nothing_half_written(tmp_path):
    place = tmp_path / "place"
    place.mkdir()
    counted = forked(lambda: folder_written(place / "x"), tmp_path, Disturbance(below=str(place)))
    assert counted.steps > 4
    for kind, code in (("SIGTERM", 143), ("ENOSPC", 1)):
        for at in range(counted.steps):
            disturbance = Disturbance(kind, at, str(place))
            ended = forked(lambda: folder_written(place / "x"), tmp_path, disturbance)
            assert ended.code in (0, code)
            assert {path.name for path in place.iterdir()} <= {"x"}, (kind, at)


def test_a_user_without_a_home_folder_is_told_where_a_cache_could_be(monkeypatch):
    def nowhere(*_):
        raise RuntimeError("could not determine the home directory for '~/.cache'")

    monkeypatch.delenv("GLINT_EDGE_CACHE")
    monkeypatch.setattr("platformdirs.user_cache_dir", nowhere)
    with pytest.raises(ConfigError, match="GLINT_EDGE_CACHE"):
        cache_folder()


@pytest.mark.parametrize("change", [{"runtime": None}, {"methods": [{}]}, {"methods": {}}])
def test_a_profile_of_another_kind_is_no_bench_document(change, tmp_path):
    path = tmp_path / "run.json"
    path.write_text(json.dumps(document_of(row_of(profile=profile_of("conv") | change))))
    with pytest.raises(ConfigError, match=r"is no bench result \(\$\.rows\[0\]\.profile"):
        read_document(path)
    path.write_text(json.dumps(document_of(row_of(profile=profile_of("conv")))))
    assert read_document(path)["rows"][0]["profile"]["methods"]


def test_a_flipped_bit_in_a_checkpoints_format_does_not_leave_its_digest_out(tmp_path):
    catalogue = Catalogue(("", *(f"k{n}" for n in range(1, 41))), {})
    save_checkpoint(Checkpoint(tiny_model(), catalogue, DataSource("x", "x")), tmp_path)
    whole = (tmp_path / "config.json").read_text()
    (tmp_path / "config.json").write_text(
        whole.replace('"format_version": 3', '"format_version": 2')
    )
    with pytest.raises(CheckpointError, match="its digest does not match"):
        load_checkpoint(tmp_path)
