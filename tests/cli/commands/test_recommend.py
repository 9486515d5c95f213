"""`glint-edge recommend`."""

import io
import json
import re
import shutil
from pathlib import Path

import pytest

import glint_edge as ge
from glint_edge.bundles.bundle import load_bundle
from glint_edge.checkpoints.checkpoint import DEFAULT_CHECKPOINT
from glint_edge.cli.model_words import open_model
from glint_edge.data.record import DataSource
from glint_edge.runtime.recommendation import Recommendation, Recommendations
from tests.cli.streams import only_line
from tests.skips import require
from tests.small import small_bundle


def test_recommend_names_items_and_refuses_unknown_keys(bundle, run):
    code, out, _ = run("recommend", bundle, "--history", "i1,i2,i3", "--json")
    assert code == 0
    items = json.loads(out)["items"]
    assert len(items) == 10
    assert all(re.fullmatch(r"i\d+", item["key"]) for item in items)
    assert [item["score"] for item in items] == sorted(
        (item["score"] for item in items), reverse=True
    )
    code, _, err = run("recommend", bundle, "--history", "i1,what")
    assert code == 2
    assert "item 'what' is not in the catalogue" in only_line(err)


def test_a_long_history_is_cut_or_kept_as_the_user_says(bundle, run):
    length = load_bundle(bundle).config.max_length
    last = [f"i{1 + n % 7}" for n in range(length)]
    long = ["i9", "i8", "i9", "i8", *last]

    def items(history, *options):
        words = ("recommend", bundle, "--history", ",".join(history), "--include-seen")
        code, out, _ = run(*words, "--json", *options)
        assert code == 0
        return json.loads(out)["items"]

    assert items(long) == items(long, "--window", "sliding") == items(last)
    assert items(long, "--window", "unbounded") != items(last)
    assert items(last, "--window", "unbounded") == items(last)
    code, _, err = run("recommend", bundle, "--history", "i1", "--window", "all")
    assert code == 2
    assert "choose one of sliding, unbounded" in only_line(err)


def test_no_history_is_the_most_popular(bundle, run):
    _, out, _ = run("recommend", bundle, "--json")
    keys = load_bundle(bundle).catalogue.keys
    assert [item["key"] for item in json.loads(out)["items"]] == list(keys[1:11])


def test_histories_come_by_commas_or_one_by_one(bundle, run):
    once = run("recommend", bundle, "--history", "i1, i2", "--json")
    assert once == run("recommend", bundle, "--history", "i1", "--history", "i2", "--json")
    assert once[0] == 0
    code, _, err = run("recommend", bundle, "--history", "i1,i2", "--history", "i3")
    assert code == 2
    assert "item 'i1,i2' is not in the catalogue" in only_line(err)


def test_the_target_is_the_one_that_is_asked_for(bundle, run):
    assert run("recommend", bundle, "--target", "ORT")[0] == 0
    code, _, err = run("recommend", bundle, "--target", "litert")
    assert code == 2
    assert "has no artifact for tflite (it has onnx)" in only_line(err)


# ---- keys, titles, and what is asked -------------------------------------------------------------

FILMS = {"k1": "Alien (1979)", "k2": "Aliens (1986)", "k3": "Heat"}
SHELF = {f"k{n}": "abc"[n % 3] for n in range(1, 41)}


@pytest.fixture(scope="module")
def shop(make_model, tmp_path_factory):
    """A bundle with titles and a field, its checkpoint beside it in `run`."""
    require("onnxscript", "onnx")
    source = DataSource("app", "app", repeats=0.0)
    return small_bundle(
        make_model(5), tmp_path_factory.mktemp("shop"), titles=FILMS, data=source,
        fields={"shelf": SHELF},
    )  # fmt: skip


@pytest.fixture
def listed(run):
    """The keys of a list, from a command line."""

    def call(*words):
        code, out, err = run(*words, "--json")
        assert code == 0, err
        return [one["key"] for one in json.loads(out)["items"]]

    return call


def test_keys_and_titles_are_words_beside_the_bundle(shop, listed, run, monkeypatch):
    checkpoint = shop.parent / "run"
    plain = listed("recommend", checkpoint, "--history", "k1,k3,k9")
    assert len(plain) == 10 and not {"k1", "k3", "k9"} & {*plain}
    assert listed("recommend", checkpoint, "k1", "k3", "k9") == plain
    monkeypatch.chdir(shop.parent)
    assert listed("recommend", "k1", "heat", "k9") == plain  # the newest bundle here
    code, out, err = run("recommend", checkpoint, "ALIEN (1979)", "-k", 1)
    assert code == 0 and "after Alien (1979)" in out
    assert err == "'Alien (1979)' is item k1\n"


def test_a_bundle_with_a_slip_in_its_name_is_no_item(shop, run, monkeypatch):
    monkeypatch.chdir(shop.parent)
    slip = f"{shop.stem}.glnt"
    code, _, err = run("recommend", slip, "k1")
    said = f"no bundle and no item '{slip}'; did you mean {shop.name}?"
    assert (code, err.splitlines()[-1]) == (2, f"error: {said}")


def test_a_list_without_titles_has_no_column_for_them():
    keys = [Recommendation("k1", None, 2.0), Recommendation("k2", None, 1.0)]
    assert list(Recommendations(keys).table().header) == ["", "key", "score"]
    titled = Recommendations([*keys, Recommendation("k3", "Heat", 0.5)]).table()
    assert list(titled.header) == ["", "title", "key", "score"]
    assert [row[1] for row in titled.rows] == ["", "", "Heat"]


def test_what_is_asked_may_stand_anywhere(shop, tmp_path, monkeypatch):
    monkeypatch.chdir(shop.parent)
    for words, bundle, place, rest in (
        (["k1", "app.glint", "k3"], None, Path("app.glint"), ("k1", "k3")),
        ([f"{shop}/", "k1"], None, shop, ("k1",)),
        (["other.glint"], None, Path("other.glint"), ()),
        (["run", "k1"], None, Path("run"), ("k1",)),
        ([str(shop.parent / "run")], None, shop.parent / "run", ()),
        (["hf://me/shop", "k1"], None, "hf://me/shop", ("k1",)),
        (["k1", "a/b"], None, Path("app.glint"), ("k1", "a/b")),
        (["app.glint", "run"], Path("mine"), Path("mine"), ("app.glint", "run")),
    ):
        model = open_model(words, bundle)
        assert (model.place, model.words) == (place, rest)
    (shop.parent / "a/b").mkdir(
        parents=True
    )  # a folder is refused as a bundle that lacks its manifest
    assert open_model(["a/b", "k1"], None).place == Path("a/b")
    shutil.rmtree(shop.parent / "a")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("recommend SHOP alein", "no item 'alein'; did you mean k1 Alien (1979)"),
        ("similar SHOP heet", "no item 'heet'; did you mean k3 Heat?"),
        ("similar SHOP k1 k2", "similar takes one item, not 2; put a title in quotes, as in glint"),
        ("similar SHOP", "similar takes one item, not 0"),
        ("recommend SHOP other.glint k1", "are two to ask; name one"),
        ("recommend other.glint k1", "other.glint is not a bundle"),
        ("recommend SHOP k1 --history k2", "keep one of KEY …, --history and --history-file"),
        ("recommend SHOP --where category=a", "no item has the field 'category'"),
        ("recommend SHOP --where shelf", "--where 'shelf' is not of the form category=Chairs"),
        ("recommend SHOP --where shelf=A", "no item has the shelf 'A'; did you mean a?"),
        ("similar SHOP k1 --most-per shelve=2", "the field 'shelve'; did you mean shelf?"),
        ("recommend SHOP --most-per shelf=0", "most_per['shelf'] is at least 1"),
        ("recommend SHOP --most-per shelf=many", "--most-per: 'many' is no whole number"),
        ("recommend SHOP --among ,", "--among names no item; leave it out, or pass --among-file"),
        ("recommend SHOP --boost k1=high", "--boost: 'high' is no number"),
        ("recommend SHOP --boost k1=nan", "boost['k1'] is a number from"),
        ("recommend SHOP --history-file nothing.txt", "No such file or directory"),
        ("recommend SHOP --data log.csv", "--data goes with --out"),
        ("recommend SHOP --out lists.csv", "--out goes with --data"),
        ("recommend SHOP k1 --data log.csv --out lists.csv", "--data brings the histories"),
        ("recommend SHOP --data log.csv --out lists.xls", "lists are written as .parquet, .csv"),
        ("recommend SHOP --data log.csv --out lists.csv", "no such file: log.csv"),
    ],
)
def test_what_cannot_be_is_one_line(shop, run, tmp_path, monkeypatch, words, says):
    monkeypatch.chdir(tmp_path)
    code, out, err = run(*(shop if word == "SHOP" else word for word in words.split()))
    assert (code, out) == (2, "")
    assert says in only_line(err)


def test_filters_by_flag_are_those_of_python(shop, listed, tmp_path):
    source = shop.parent / "run"
    loaded = ge.load(source)

    def keys(**words):
        return [one.key for one in loaded.recommend(["k1"], 10, **words)]

    asked = ("recommend", source, "k1")
    assert listed(*asked, "--without", "k5,k6,gone") == keys(without=["k5", "k6"])
    assert listed(*asked, "--among", "k5,k6,gone") == keys(among=["k5", "k6"])
    stock = tmp_path / "stock.txt"
    stock.write_text("k7\n\n k8 \ngone\n")
    assert {*listed(*asked, "--among", "k5", "--among-file", stock)} == {"k5", "k7", "k8"}
    stock.write_text('["k7", "k8"]')
    assert {*listed(*asked, "--among-file", stock)} == {"k7", "k8"}
    stock.write_text("")
    assert listed(*asked, "--among-file", stock) == []
    two = ("--where", "shelf=a", "--where", "shelf=b")
    assert listed(*asked, *two) == keys(where={"shelf": ["a", "b"]})
    assert listed(*asked, "--boost", "k9=1e3,k8=999") == [
        "k9",
        "k8",
        *keys(without=["k8", "k9"])[:8],
    ]
    assert listed(*asked, "--most-per", "shelf=2") == keys(most_per={"shelf": 2})
    assert listed(*asked, "--include-seen", "-k", 40) == [
        one.key for one in loaded.recommend(["k1"], 40, exclude_seen=False)
    ]
    assert len(listed(*asked, "-k", 100)) == 39


def test_similar_is_that_of_python(shop, listed, run):
    checkpoint = shop.parent / "run"
    alike = [one.key for one in ge.load(shop).similar("k3", 10)]
    assert listed("similar", shop, "heat") == listed("similar", checkpoint, "k3") == alike
    assert [one.key for one in ge.similar(checkpoint, "k3")] == alike
    where = [one.key for one in ge.similar(shop, "k3", k=4, where={"shelf": "a"})]
    assert listed("similar", checkpoint, "k3", "-k", 4, "--where", "shelf=a") == where
    assert run("similar", checkpoint, "k3", "--show-fields")[1].count("shelf") == 1


def test_a_history_comes_from_a_file_or_from_stdin(shop, listed, tmp_path, monkeypatch):
    source = shop.parent / "run"
    plain = listed("recommend", source, "k1", "k3", "k9")
    file = tmp_path / "history.txt"
    for text in ("k1\nk3\nk9\n", "\ufeffk1\r\nk3\r\nk9", '["k1", "k3", "k9"]'):
        file.write_bytes(text.encode())
        assert listed("recommend", source, "--history-file", file) == plain
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
        assert listed("recommend", source, "--history-file", "-") == plain


@pytest.mark.parametrize("text", [b"[1.5]", b'["k1"', b"\xff\xfe", b'[["k1"]]'])
def test_a_file_that_holds_no_keys_is_one_line(shop, run, tmp_path, text):
    (tmp_path / "history").write_bytes(text)
    code, _, err = run("recommend", shop, "--history-file", tmp_path / "history")
    assert code == 2 and "neither a key a line nor a JSON list of keys" in only_line(err)


# ---- every user of a log -------------------------------------------------------------------------


@pytest.mark.parametrize("source", ["app.glint", "run"])
def test_the_lists_of_every_user_are_written(shop, listed, run, tmp_path, source):
    log, out = tmp_path / "taps.csv", tmp_path / "lists.jsonl"
    log.write_text("who,item,when\nann,k1,1\nbob,gone,1\nann,k3,2\ncem,k9,1\nann,k9,3\n")
    words = ("recommend", shop.parent / source, "--data", log, "--user-column", "who")
    code, said, err = run(*words, "--time-column", "when", "--out", out, "-k", 3, "--json")
    assert code == 0, err
    assert json.loads(said) == {"out": str(out), "users": 3, "rows": 9}
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert list(rows[0]) == ["user", "rank", "item", "title", "score"]
    assert [row["user"] for row in rows] == [user for user in ("ann", "bob", "cem") for _ in "123"]
    for user, history in (("ann", "k1 k3 k9"), ("bob", ""), ("cem", "k9")):
        ours = [row["item"] for row in rows if row["user"] == user]
        assert ours == listed("recommend", shop.parent / "run", *history.split(), "-k", 3)


def test_lists_never_begin_with_what_was_just_given(listed):
    """README's example, with the shipped checkpoint: three films of Star Wars."""
    films = ["50", "181", "172"]
    items = listed("recommend", DEFAULT_CHECKPOINT, "star wars (1977)", *films[1:])
    assert len(items) == 10 and not {*films} & {*items}
    included = listed("recommend", DEFAULT_CHECKPOINT, *films, "--include-seen", "-k", 12)
    assert {*films} <= {*included}
