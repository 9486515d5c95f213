"""Bundles that are wrong behind right digests: every reader refuses them in one line, or runs."""

import io
import json
import re
import shutil
from contextlib import suppress

import numpy as np
import pytest
from rich.console import Console

from converters.catalogue.update import options_of
from glint_edge.bundles.bundle import load_bundle
from glint_edge.bundles.contents import read_golden
from glint_edge.checkpoints.of_bundle import find_checkpoint
from glint_edge.cli import render
from glint_edge.errors import BundleError
from glint_edge.runtime.app_bundle import read_app_bundle
from tests.bundles_changed import (
    REFUSED,
    TAKEN,
    Change,
    changed_copies,
    changed_files,
    documents_of,
)
from tests.campaign.mutators import mutated
from tests.conversions import no_conversion
from tests.skips import require
from tests.small import small_bundle

KEYS = [f"k{n}" for n in range(1, 41)]


@pytest.fixture(scope="module")
def whole(make_model, tmp_path_factory):
    """A bundle whose artifact is none: nothing here loads it."""
    require("onnxruntime", "onnx")
    with no_conversion():
        return small_bundle(
            make_model(), tmp_path_factory.mktemp("bundle"), titles={"k1": "First"}, keys=KEYS,
            retired=("k40",), added=1, version=2, quantize="int8",
        )  # fmt: skip


@pytest.fixture
def bundle(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "app.glint")


def write(bundle, name, value):
    """Write a file of a bundle, and what the manifest says of it."""
    for file, data in changed_files(documents_of(bundle), Change(name, (), value)).items():
        (bundle / file).write_bytes(data)


def read_all(bundle):
    """What each reader says; None: it has read it."""

    def said(read):
        try:
            read()
        except BundleError as error:
            assert "\n" not in str(error)
            assert len(str(error)) < 700
            return str(error)
        return None

    def golden():
        app = read_app_bundle(bundle)
        read_golden(bundle / "golden.json", app.config, app.top_k)

    def show():
        loaded = load_bundle(bundle)
        Console(file=io.StringIO()).print(
            render.bundle(loaded), render.layers(loaded), repr(loaded)
        )
        find_checkpoint(loaded)
        with suppress(BundleError):  # that of another shape says so
            options_of(loaded, bundle, 0)

    return [said(show), said(golden)]


@pytest.mark.parametrize("name", ["manifest.json", "items.json", "golden.json"])
def test_wrong_types_behind_right_digests_are_one_line(whole, bundle, name):
    document = json.loads((whole / name).read_bytes())
    refused = 0
    for changed in mutated(document, np.random.default_rng(1), 80):
        write(bundle, name, changed)
        refused += read_all(bundle)[0] is not None
        shutil.copyfile(whole / name, bundle / name)
        shutil.copyfile(whole / "manifest.json", bundle / "manifest.json")
    assert refused > 25


def test_what_every_platform_refuses(whole, tmp_path):
    """The table that the apps' modules are held to, too."""
    copies = changed_copies(whole, tmp_path, REFUSED)
    assert [str(change) for change, copied in copies if read_all(copied) == [None, None]] == []


def test_what_every_platform_takes(whole, tmp_path):
    for _, copied in changed_copies(whole, tmp_path, TAKEN):
        read_app_bundle(copied)


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ([], "lists 0 items, the model has 40"),
        (KEYS[:-1], "lists 39 items"),
        ([*KEYS, *(f"x{n}" for n in range(2000))], "lists 2,040 items"),
        ([*KEYS[:-1], "k1"], "the key 'k1' stands there twice"),
        ([*KEYS[:-1], ["k40"]], r"\$\.keys\[39\] is not of type"),
        ([*KEYS[:-1], ""], r"\$\.keys\[39\] has 0 characters"),
        (dict.fromkeys(KEYS, 1), r"\$\.keys is not of type array"),
        ([*KEYS[:-1], None], r"\$\.keys\[39\]"),
    ],
)
def test_items_that_are_not_the_models(bundle, keys, says):
    write(bundle, "items.json", {"keys": keys, "titles": {}})
    for said in read_all(bundle):
        assert re.search(says, said)


@pytest.mark.parametrize(
    "data",
    [
        b"[" * 100_000, b'{"keys": ["\\ud800"]}', b"1e400", b"1" * 10_000, b"\xff\xfe", b"null",
        b'{"keys": {"a": ' * 20_000,
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["items.json", "golden.json", "manifest.json"])
def test_json_that_is_out_of_bounds(bundle, name, data):
    if name == "manifest.json":
        (bundle / name).write_bytes(data)
    else:
        write(bundle, name, data)
    assert None not in read_all(bundle)


@pytest.mark.parametrize(
    ("model", "says"),
    [
        ({"items": 2_000_000_000}, r"\$\.model\.items is 2000000000, out of range"),
        ({"items": 41}, "lists 40 items, the model has 41"),
        ({"max_length": 2**31}, r"\$\.model\.max_length"),
        ({"heads": 3}, r"heads \(3\) must divide d"),
        ({"d": "16"}, r"\$\.model\.d is not of type integer"),
        ({"new": 1}, "newer glint-edge"),
    ],
)
def test_a_model_that_cannot_be(bundle, model, says):
    manifest = json.loads((bundle / "manifest.json").read_bytes())
    manifest["model"] |= model
    write(bundle, "manifest.json", manifest)
    for said in read_all(bundle):
        assert re.search(says, said)


@pytest.mark.parametrize("top_k", [0, 41, 2**31, 10.5, "10"])
def test_a_list_that_cannot_be(bundle, top_k):
    manifest = json.loads((bundle / "manifest.json").read_bytes()) | {"top_k": top_k}
    write(bundle, "manifest.json", manifest)
    assert None not in read_all(bundle)


@pytest.mark.parametrize(
    "change",
    [
        {"items": [1]}, {"items": [99, *range(1, 10)]}, {"scores": [1.0]}, {"history": [41]},
        {"history": [-1]}, {"state_norm": "1"}, {"scores": None},
    ],
)  # fmt: skip
def test_golden_vectors_of_another_model(bundle, change):
    golden = json.loads((bundle / "golden.json").read_bytes())
    golden["cases"][1] |= change
    write(bundle, "golden.json", golden)
    assert None not in read_all(bundle)


def test_a_title_cannot_command_a_terminal(bundle):
    title = "\x1b]0;mine\x07Red \x1b[31mfilm\n\x9b2J"
    write(bundle, "items.json", {"keys": KEYS, "titles": {"k1": title, "k2": "Åse – ２"}})
    for titles in (load_bundle(bundle).catalogue.titles, read_app_bundle(bundle).titles):
        assert titles == {"k1": " ]0;mine Red  [31mfilm 2J", "k2": "Åse – ２"}


def test_what_an_app_does_not_need_may_be_of_a_later_version(bundle):
    manifest = json.loads((bundle / "manifest.json").read_bytes()) | {"later": {"a": 1}}
    write(bundle, "manifest.json", manifest)
    told = read_all(bundle)
    assert "$.later is unknown" in told[0]
    assert told[1] is None
