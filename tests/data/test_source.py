from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from glint_edge.config import ModelConfig
from glint_edge.data.catalogue import Catalogue
from glint_edge.data.log import read
from glint_edge.data.named import NAMED
from glint_edge.data.options import LoadOptions
from glint_edge.data.reading.columns import Columns
from glint_edge.data.record import DataSource
from glint_edge.data.sequences import Sequences
from glint_edge.data.source import (
    find_split,
    held_out,
    in_catalogue,
    is_at_hand,
    read_beside,
    resolve,
    some_histories,
)
from glint_edge.errors import ConfigError, DataError


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "taps.csv"
    path.write_text(
        "who,what,when\n"
        + "".join(f"u{u},i{i},{t}\n" for u in range(4) for t, i in enumerate([u, 5, 6, 7, u + 1]))
    )
    return path


OPTIONS = LoadOptions(Columns(user="who", item="what", time="when"), k_core=2)


def test_a_log_is_read_again_as_it_was(log):
    read_log = read(str(log), OPTIONS)
    source = read_log.source
    again = read_beside(source)
    assert again.sequences() == read_log.sequences()
    assert again.whole.keys == read_log.whole.keys
    assert LoadOptions.from_dict(source.options) == OPTIONS
    assert source.summary["users"] == 4
    assert source.attribution == ""


def test_a_log_that_changed_since_is_read_and_said(log, caplog):
    source = read(str(log), OPTIONS).source
    read_beside(source)
    assert "has changed" not in caplog.text
    log.write_text(log.read_text() + "u0,i6,9\n")
    read_beside(source, None, LoadOptions(k_core=1))  # another reading says nothing of the log
    read_beside(replace(source, digest=""))
    assert "has changed" not in caplog.text
    read_beside(source)
    assert "taps.csv has changed since the model was trained" in caplog.text


def test_what_is_said_goes_before_what_is_stored_and_that_before_the_defaults(log):
    stored = DataSource("taps.csv", str(log), LoadOptions(OPTIONS.columns, "csv", 2).to_dict())
    assert resolve(stored) == (str(log), LoadOptions(OPTIONS.columns, "csv", 2))
    said = LoadOptions(Columns(item="sku"), k_core=0)
    columns = Columns(user="who", item="sku", time="when")
    assert resolve(stored, "other.csv", said) == ("other.csv", LoadOptions(columns, "csv", 0))
    assert resolve(DataSource("x", "x.csv"), None, said) == (
        "x.csv",
        LoadOptions(said.columns, k_core=0),
    )


def test_of_what_is_stored_only_that_holds_which_the_other_log_can_have(log, tmp_path):
    stored = DataSource("taps.csv", str(log), LoadOptions(OPTIONS.columns, None, 2).to_dict())
    lines = tmp_path / "taps.txt"
    lines.write_text("u1 i5 i6 i7\nu2 i5 i6 i7\n")
    lists = {"u1": ["i5", "i6", "i7"], "u2": ["i5", "i6", "i7"]}
    frame = pl.DataFrame({"who": ["u1", "u2"] * 3, "what": ["i5", "i5", "i6", "i6", "i7", "i7"]})
    frame = frame.with_row_index("when")
    for data in (lines, str(lines), lists, frame):
        assert read_beside(stored, data).sequences() == lists
    with pytest.raises(DataError, match="has no column names to choose"):
        read_beside(stored, lines, OPTIONS)


def test_a_log_that_is_read_already_takes_no_options(log):
    read_log = read(str(log), OPTIONS)
    source = DataSource("other", "other.csv", OPTIONS.to_dict())
    assert read_beside(source, read_log) is read_log
    with pytest.raises(ConfigError, match="is read already"):
        read_beside(source, read_log, LoadOptions(k_core=5))


def test_other_data_are_read_as_the_checkpoint_s_own(log, tmp_path):
    later = tmp_path / "later.csv"
    later.write_text(
        "who,what,when,user,item\n" + "".join(f"u,i{n},{9 - n},v,w\n" for n in (5, 6, 7))
    )
    read_log = read(str(log), OPTIONS)
    catalogue = Catalogue(read_log.whole.keys, {})
    items = find_split(
        read_log.source, catalogue, str(later), LoadOptions(k_core=0), offline=True
    ).test()
    assert [catalogue.keys[item] for item in (*items.ids, *items.targets)] == ["i7", "i6", "i5"]


def test_a_path_is_kept_whole_so_that_another_folder_finds_it(log, monkeypatch):
    monkeypatch.chdir(log.parent)
    source = read("taps.csv", OPTIONS).source
    monkeypatch.chdir("/")
    assert is_at_hand(source)
    read_beside(source)


def test_named_data_carry_their_attribution(ml_100k):
    source = read("ml-100k", LoadOptions()).source
    assert source.source == "ml-100k"
    assert source.attribution == NAMED["ml-100k"].attribution
    assert source.summary == {"users": 943, "items": 1682, "interactions": 100_000}


def sequences_of(keys, ids):
    return Sequences("s", ("", *keys), np.array(ids), np.array([0, len(ids)]), ("u",), {}, {})


def test_items_are_renumbered_by_key_and_unknown_ones_become_0(caplog):
    known = in_catalogue(
        sequences_of(("a", "b", "new"), [1, 2, 3, 1]), Catalogue(("", "b", "a"), {})
    )
    assert known.ids.tolist() == [2, 1, 0, 2]
    assert known.keys == ("", "b", "a")
    assert "1 of 4 interactions" in caplog.text


def test_no_shared_item_is_refused():
    with pytest.raises(DataError, match="shares no item"):
        in_catalogue(sequences_of(("a",), [1, 1, 1]), Catalogue(("", "z"), {}))


def test_the_same_catalogue_costs_nothing():
    sequences = sequences_of(("a", "b"), [1, 2, 1])
    assert in_catalogue(sequences, Catalogue(("", "a", "b"), {})) is sequences


def test_splits(log):
    sequences = read(str(log), OPTIONS).whole
    last = [sequences.history(user)[-1] for user in range(len(sequences))]
    assert held_out(sequences, "test").targets.tolist() == last
    with pytest.raises(ConfigError, match="validation, test"):
        held_out(sequences, "train")


def test_data_that_are_gone_leave_accuracy_unmeasured(log, caplog):
    read_log = read(str(log), OPTIONS)
    sequences, source = read_log.whole, read_log.source
    catalogue = Catalogue(sequences.keys, {})
    assert find_split(source, catalogue, None, offline=False) is not None
    log.unlink()
    assert find_split(source, catalogue, None, offline=False) is None
    assert "accuracy is not measured: taps.csv is not at hand; pass --data" in caplog.text
    with pytest.raises(DataError):
        find_split(source, catalogue, str(log), offline=False)


def test_offline_never_fetches(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("GLINT_EDGE_CACHE", str(tmp_path))
    monkeypatch.setattr("glint_edge.pip.subprocess.run", lambda *a, **k: pytest.fail("fetched"))
    source = DataSource("ml-100k", "ml-100k")
    assert find_split(source, Catalogue(("", "1"), {}), None, offline=True) is None
    assert "accuracy is not measured" in caplog.text


def test_a_failed_fetch_leaves_accuracy_unmeasured(tmp_path, monkeypatch, caplog):
    def no_network(name):
        raise DataError("pip could not download ml-100k")

    monkeypatch.setenv("GLINT_EDGE_CACHE", str(tmp_path))
    monkeypatch.setattr("glint_edge.data.log.download", no_network)
    source = DataSource("ml-100k", "ml-100k")
    assert find_split(source, Catalogue(("", "1"), {}), None, offline=False) is None
    assert "pip could not download" in caplog.text


def test_some_histories_are_of_different_users_and_not_too_long(log):
    test_items = held_out(read(str(log), LoadOptions(OPTIONS.columns)).whole, "test")
    config = ModelConfig(items=8, max_length=4)
    histories = some_histories(test_items, config, count=4)
    assert len({tuple(history) for history in histories}) == 4
    short = some_histories(test_items, ModelConfig(items=8, max_length=3), count=4)
    assert short == [history[-3:] for history in histories]
