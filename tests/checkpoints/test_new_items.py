"""Items that nobody has tapped: a vector by their fields, or else by the words of their titles."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from glint_edge.checkpoints.changes import add_items
from glint_edge.checkpoints.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from glint_edge.checkpoints.new_items import as_learned, items_of_table, rows_of_titles
from glint_edge.checkpoints.vectors import FieldVectors
from glint_edge.data.catalogue import Catalogue
from glint_edge.data.items import ItemFile
from glint_edge.data.record import DataSource
from glint_edge.errors import ConfigError, DataError

ITEMS = 12


@pytest.fixture
def trained(make_model):
    """Even items are red hats, odd ones blue shoes; training learned the colours."""
    model = make_model(items=ITEMS, d=4, heads=2)
    with torch.no_grad():
        model.embedding.weight[1::2] = torch.tensor([1.0, 0, 0, 0])
        model.embedding.weight[2::2] = torch.tensor([0, 2.0, 0, 0])
    keys = tuple(f"k{n}" for n in range(1, ITEMS + 1))
    titles = {key: "Shoe (1995)" if n % 2 == 0 else "Hat (2001)" for n, key in enumerate(keys)}
    vectors = FieldVectors(
        (("colour", "blue"), ("colour", "red")), torch.tensor([[3.0, 0, 0, 0], [0, 3, 0, 0]]), "|"
    )
    return Checkpoint(
        model, Catalogue(("", *keys), titles), DataSource("taps", "taps.csv"), vectors=vectors
    )


TABLE = pd.DataFrame({
    "sku": ["k1", "b", "mix", "a", "worded", "strange", "bare"],
    "colour": ["red", "blue", "blue|red|green", "red", "green", "", ""],
    "title": ["", "Shoe", "", "", "A hat", "Nothing", ""],
})  # fmt: skip


def test_fields_come_first_then_titles_and_the_rest_is_left_out(trained):
    new, left_out = items_of_table(trained, as_learned(ItemFile(TABLE), trained), strength=0.5)
    assert [item.key for item in new] == ["b", "mix", "a", "worded"]
    assert left_out == ["strange", "bare"]
    rows = {item.key: item.row for item in new}
    norms = trained.model.embedding.weight[1:].norm(dim=1).tolist()
    assert {round(norm) for norm in norms} == {1, 2}
    taps = [20 / (20 + number) for number in range(1, len(norms) + 1)]  # the first ones count more
    length = 0.5 * float(np.average(norms, weights=taps))
    torch.testing.assert_close(rows["b"], torch.tensor([length, 0, 0, 0]))
    torch.testing.assert_close(rows["a"], torch.tensor([0, length, 0, 0]))
    torch.testing.assert_close(rows["mix"], torch.tensor([1.0, 1, 0, 0]) * length / 2**0.5)
    assert rows["worded"][1] > 0.9 * length  # as hats are
    assert {item.key: item.title for item in new}["worded"] == "A hat"
    after = add_items(trained, new)
    assert after.catalogue.keys[-4:] == ("b", "mix", "a", "worded") and after.vectors


def test_named_items_alone_with_titles_of_ones_own(trained):
    items = as_learned(ItemFile(TABLE, fields=("colour",)), trained)
    new, left_out = items_of_table(trained, items, ("a", "bare"), ("", "Hat"), strength=0)
    assert [item.key for item in new] == ["a", "bare"] and not left_out
    torch.testing.assert_close(new[0].row, torch.tensor([0, 3.0, 0, 0]))  # as it comes out
    assert new[1].title == "Hat"


def test_titles_alone_say_enough_of_a_model_without_features(trained):
    plain = replace(trained, vectors=None)
    rows = rows_of_titles(plain, {"x": "HAT, new", "y": "Unheard", "z": ""})
    assert list(rows) == ["x"] and rows["x"][1] > 3 * rows["x"][0].abs()
    # What was added was not trained, and teaches nothing.
    new, _ = items_of_table(plain, ItemFile(TABLE), ("worded",), strength=1)
    again = rows_of_titles(add_items(plain, new), {"x": "HAT, new"})
    torch.testing.assert_close(again["x"], rows["x"])


@pytest.mark.parametrize(
    ("keys", "titles", "error", "says"),
    [
        (("nobody",), (), DataError, "has no row of item 'nobody'"),
        (("bare",), (), DataError, "no value of the fields colour, and no word"),
        ((), ("x",), ConfigError, "1 title for 0 items"),
    ],
)
def test_what_cannot_be_made(trained, keys, titles, error, says):
    with pytest.raises(error, match=says):
        items_of_table(trained, ItemFile(TABLE), keys, titles, strength=1)
    with pytest.raises(DataError, match="is in the catalogue already"):
        items_of_table(trained, ItemFile(TABLE.head(1)), strength=1)


def test_catalogue_add_takes_a_table_alone(trained, tmp_path, run):
    where = tmp_path / "run"
    save_checkpoint(trained, where)
    TABLE.to_csv(tmp_path / "new.csv", index=False)
    asked = ("--items", tmp_path / "new.csv", "--item-field", "colour", "--json")
    code, out, err = run("catalogue", "add", where, *asked)
    assert code == 0, err
    assert json.loads(out)["added"] == ["b", "mix", "a", "worded"]
    assert json.loads(out)["left_out"] == ["strange", "bare"]
    assert "left out, since nothing known is near them: strange, bare" in " ".join(err.split())
    after = load_checkpoint(tmp_path / "run.v2")
    assert after.catalogue.titles["worded"] == "A hat"
    assert after.catalogue.fields["colour"]["mix"] == "blue, red, green"
    # Its vectors stay, for the next ones.
    assert after.vectors.pairs == trained.vectors.pairs
    code, _, err = run("catalogue", "add", where, "--item", "x")
    assert code == 2 and "or --items alone" in " ".join(err.split())
