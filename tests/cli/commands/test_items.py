"""A shop's table of items, from training to a list: titles, fields and pictures on the way."""

import json
import tomllib

import pytest

from glint_edge.bundles.bundle import load_bundle
from glint_edge.checkpoints.checkpoint import load_checkpoint
from glint_edge.data.items import ItemFile
from glint_edge.runtime import Recommender
from glint_edge.training.run_file import command_of, requested
from tests.skips import require

FLAGS = ("--item-field", "category,brand", "--item-image", "photo")


@pytest.fixture(scope="module")
def products(tmp_path_factory):
    """Of items i0 … i23, and one to come; the log has i24, too."""
    rows = ["sku,name,category,brand,photo"]
    rows += [f"i{n},Item {n},c{n % 3},,https://cdn.example/{n}.png" for n in (*range(24), 99)]
    path = tmp_path_factory.mktemp("shop") / "products.csv"
    path.write_text("\n".join(rows) + "\n")
    return path


@pytest.fixture(scope="module")
def shop(trained, products, tmp_path_factory):
    """A bundle that shows items as the table says, of a checkpoint that does not."""
    require("onnxscript", "onnx")
    from tests.cli.conftest import call

    out = tmp_path_factory.mktemp("shop") / "shop.glint"
    asked = ("--target", "onnx", "--spare-items", 3, "--out", out)
    assert call("export", trained, *asked, "--items", products, *FLAGS) in (0, 1)
    return out


def shown(where):
    load = load_bundle if where.suffix == ".glint" else load_checkpoint
    plain = load(where).catalogue.to_dict()
    return plain["titles"], plain.get("fields", {}), plain.get("images", {})


def whole(without=()):
    known = [n for n in range(24) if n not in without]
    return (
        {f"i{n}": f"Item {n}" for n in known},
        {"category": {f"i{n}": f"c{n % 3}" for n in known}},
        {f"i{n}": f"https://cdn.example/{n}.png" for n in known},
    )


def test_train_takes_the_table_and_the_run_file_repeats_it(taps, products, tmp_path, run):
    out = tmp_path / "run"
    levers = ("--d", 8, "--max-length", 8, "--epochs", 1, "--threads", 1)
    flags = ("--items", products, *FLAGS)
    code, _, err = run("train", "--data", taps, "--out", out, *flags, *levers)
    assert code == 0, err
    assert "products.csv: i24 has no row: it is shown by its key" in " ".join(err.split())
    assert shown(out) == whole()
    values = tomllib.loads((out / "run.toml").read_text())
    assert values["items"] == str(products) and values["item_field"] == ["category", "brand"]
    again = requested(out / "run.toml", {})
    assert again.items == ItemFile(str(products), fields=("category", "brand"), image="photo")
    assert f"--items {products} --item-field category --item-field brand" in command_of(
        again.settings
    )


def test_columns_without_a_table_are_refused_before_any_work(trained, tmp_path, run):
    for command in (("train", "--data", "x", "--out", tmp_path / "r"), ("export", trained),
                    ("catalogue", "describe", trained)):  # fmt: skip
        code, _, err = run(*command, "--item-title", "name")
        assert code == 2 and "--item-title is about --items" in " ".join(err.split())
    code, _, err = run("catalogue", "describe", trained)
    assert code == 2 and "--items is missing" in err


def test_lists_show_titles_and_on_request_fields(shop, run):
    code, out, err = run("recommend", shop, "--history", "i1,i2", "--json")
    assert code == 0, err
    rows = {row["key"]: row for row in json.loads(out)["items"]}
    known = next(row for key, row in rows.items() if key != "i24")
    number = known["key"][1:]
    assert known == {
        "key": known["key"], "title": f"Item {number}", "score": known["score"],
        "fields": {"category": f"c{int(number) % 3}"}, "image": f"https://cdn.example/{number}.png",
    }  # fmt: skip
    plain = run("recommend", shop, "--history", "i1,i2")[1]
    more = run("recommend", shop, "--history", "i1,i2", "--show-fields")[1]
    assert "category" in more and "category" not in plain and "Item " in plain
    one = Recommender.load(shop).recommend(["i1", "i2"], 1)[0]
    assert one.to_dict() == next(iter(rows.values()))


def test_inspect_says_what_is_shown(shop, run):
    values = json.loads(run("inspect", shop, "--json")[1])
    assert values["shown"] == {"titles": 24, "fields": {"category": 24}, "images": 24}
    assert "24 titles, 24 category, 24 images" in run("inspect", shop)[1]


def test_the_catalogue_goes_on_showing_items(shop, products, run):
    """Described again, with one item more, one less: of one float model, which has no titles."""
    code, _, err = run("catalogue", "retire", shop, "--item", "i3")
    assert code in (0, 1), err
    second = shop.with_name("shop.v2.glint")
    assert shown(second) == whole()
    # By a word of its title: the model learned no fields, and all others of the table are known.
    code, _, err = run("catalogue", "add", second, "--items", products, *FLAGS)
    assert code in (0, 1), err
    titles, fields, images = shown(shop.with_name("shop.v3.glint"))
    assert titles == whole()[0] | {"i99": "Item 99"}
    assert fields["category"]["i99"] == "c0" and images["i99"].endswith("/99.png")


@pytest.mark.parametrize("kind", ["bundle", "checkpoint"])
def test_describing_anew_changes_what_is_shown_and_no_model(
    kind, shop, trained, products, tmp_path, run, monkeypatch
):
    """Without its float model, too."""
    where = shop if kind == "bundle" else trained
    out = tmp_path / ("new.glint" if kind == "bundle" else "new")
    monkeypatch.setenv("GLINT_EDGE_CACHE", str(tmp_path / "cache"))
    table = tmp_path / "more.csv"
    table.write_text("sku,title,shelf\n" + "".join(f"i{n},New {n},s\n" for n in range(25)))
    asked = ("--items", table, "--item-field", "shelf", "--out", out, "--json")
    code, values, err = run("catalogue", "describe", where, *asked)
    assert code in (0, 1), err
    values = json.loads(values)
    assert values["version"] == 2 and values[kind] == str(out)
    titles, fields, images = shown(out)
    assert titles == {f"i{n}": f"New {n}" for n in range(25)}
    assert fields == {"shelf": {f"i{n}": "s" for n in range(25)}}
    assert images == (whole()[2] if kind == "bundle" else {})
    names = {"bundle": ("model.onnx", "golden.json"), "checkpoint": ("model.safetensors",)}[kind]
    for name in names:
        assert (out / name).read_bytes() == (where / name).read_bytes()
    if kind == "bundle":
        before, after = load_bundle(where), load_bundle(out)
        assert before.manifest["digest"] != after.manifest["digest"]
        assert before.manifest["checks"] == after.manifest["checks"]
        history = ["i1", "i2"]
        lists = [Recommender.load(one).recommend(history) for one in (where, out)]
        scores = [[(row.key, row.score) for row in rows] for rows in lists]
        assert scores[0] == scores[1] and lists[1][0].title.startswith("New ")
    else:
        before, after = load_checkpoint(where), load_checkpoint(out)
        assert before.digest == after.digest and before.metrics == after.metrics
