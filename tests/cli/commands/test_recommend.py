"""`glint-edge recommend`."""

import json
import re

from glint_edge.bundles.bundle import load_bundle
from tests.cli.streams import only_line


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
        code, out, _ = run(
            "recommend", bundle, "--history", ",".join(history), "--json", *options
        )  # fmt: skip
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
