"""The door for JSON: its bounds, and that it judges as JSON Schema's own validator does."""

import json
import os
from importlib import resources

import jsonschema
import numpy as np
import pytest

from glint_edge.bundles.contents import GOLDEN_SCHEMA
from glint_edge.bundles.manifest import LATEST_SCHEMA, SCHEMA
from glint_edge.checkpoints.checkpoint import CONFIG_SCHEMA, DEFAULT_CHECKPOINT
from glint_edge.data.catalogue import ITEMS_SCHEMA
from glint_edge.data.sharded.doors import ABOUT_SCHEMA
from glint_edge.json_files import Fault, Schema, parse
from glint_edge.runtime.update import POINTER_SCHEMA
from glint_edge.schema_checks import compiled
from glint_edge.training.resume_file import SCHEMA as RESUME_SCHEMA
from tests.campaign.mutators import mutated

SHA = 64 * "a"
TENSOR = {"name": "state", "dtype": "float32", "shape": [1, 4]}
METHOD = {"inputs": [TENSOR], "outputs": [TENSOR]}
MANIFEST = {
    "schema_version": 2, "name": "app", "created": "2026-01-01T00:00:00+00:00",
    "tool": {"name": "glint-edge", "version": "0.1.0"}, "model": {"items": 3, "d": 2},
    "window": "sliding", "top_k": 2, "state": {"dtype": "float32", "shape": [1, 4], "fields": []},
    "methods": {"append": METHOD, "append_many": METHOD, "recommend": METHOD},
    "quantization": {"precision": "int8", "layers": []},
    "artifacts": [
        {"target": "onnx", "precision": "int8", "file": "model.onnx", "runtime": {"ort": "1.2"}}
    ],
    "files": {"model.onnx": {"bytes": 1, "sha256": SHA}},
    "checkpoint": {"sha256": SHA, "path": None},
    "data": {"name": "", "attribution": "", "metrics": {}}, "checks": [], "digest": SHA,
}  # fmt: skip
ITEMS = {"keys": ["a", 7, "c"], "titles": {"a": "A"}, "retired": ["c"], "added": 1, "version": 2}
CASE = {"history": [1, 0], "state_sum": 0.5, "state_norm": 1, "items": [1], "scores": [0.5]}
LISTED = {
    "k": 2, "filter": {"where": {"kind": ["a"]}, "boost": {"a": 0.5}, "most_per": {"kind": 1}},
    "items": [1], "scores": [0.5], "near": {"2": 0.4},
}  # fmt: skip
GOLDEN = {
    "tolerance": {"relative_state_error": 0.1, "score_error": 0.1, "cosine_error": 0.1},
    "cases": [CASE], "lists": [{"history": [1], **LISTED}], "similar": [{"item": 1, **LISTED}],
}  # fmt: skip
POINTER = {"current": SHA, "previous": None}
LATEST = {"name": "app", "path": "bundles/one", "manifest_sha256": SHA, "bytes": 5}
SHARDS = {
    "format_version": 1, "name": "taps", "parts": 2, "sha256": {"items.parquet": SHA},
    "summary": {"users": 3, "items": 4, "interactions": 12},
}  # fmt: skip
EPOCH = {
    "epoch": 1, "loss": 1.5, "validation_ndcg_at_10": 0.1, "seconds": 2.0, "best_epoch": 1,
}  # fmt: skip
RESUMED = {
    "settings": {"model": {"d": 4}, "training": {"epochs": 3}, "log": {"digest": "x"}},
    "history": [EPOCH], "digest": SHA,
    "rng.numpy": {
        "bit_generator": "PCG64", "state": {"state": 2**127, "inc": 1}, "has_uint32": 0,
        "uinteger": 0,
    },
}  # fmt: skip
KINDS = {
    "manifest": (SCHEMA, MANIFEST), "items": (ITEMS_SCHEMA, ITEMS),
    "golden": (GOLDEN_SCHEMA, GOLDEN), "pointer": (POINTER_SCHEMA, POINTER),
    "latest": (LATEST_SCHEMA, LATEST), "shards": (ABOUT_SCHEMA, SHARDS),
    "unfinished run": (RESUME_SCHEMA, RESUMED),
    "config": (CONFIG_SCHEMA, json.loads((DEFAULT_CHECKPOINT / "config.json").read_bytes())),
}  # fmt: skip


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"\xff", "utf-8"),
        (b"\xed\xa0\x80", "utf-8"),
        ('{"a": 1}'.encode("utf-16"), "utf-8"),
        (b'{"a": "\\ud800"}', "surrogates"),
        (b'{"\\udcff": 1}', "surrogates"),
        (b"1e400", "too large"),
        (b"-1e999", "too large"),
        (b"1" * 5000, "5000 digits"),
        (b"-" + b"1" * 19, "digits"),
        (b"NaN", "no number"),
        (b"[Infinity]", "no number"),
        (b"[" * 100_000, "too deep"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "too deep"),
        (b"[" * 40 + b"]" * 40, "too deep"),
        (b"", "Expecting value"),
        (b"{} x", "Extra data"),
    ],
)  # fmt: skip
def test_what_is_out_of_bounds_is_one_line(data, says):
    with pytest.raises(Fault, match=says) as caught:
        parse(data)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


def test_what_is_in_bounds_comes_as_it_is():
    value = {"a": [1, -(2**59), 1e300, 1.5e-300, "\ud83d\ude00", "\x1b", None, True, {}]}
    pair = json.dumps(value).encode()  # escaped: two halves of one character are whole
    assert b"\\ud83d" in pair
    value["a"][4] = "😀"
    assert parse(pair) == value == parse(json.dumps(value, ensure_ascii=False).encode())


def test_a_pipe_and_a_large_file_are_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe.json")
    with pytest.raises(Fault, match="is no file"):
        ITEMS_SCHEMA.read(tmp_path / "pipe.json")
    (tmp_path / "large.json").write_bytes(b" " * 2000)
    small = Schema(ITEMS_SCHEMA.path, most_bytes=1000)
    with pytest.raises(Fault, match="larger than 1,000 bytes"):
        small.read(tmp_path / "large.json")
    with pytest.raises(Fault, match="larger than 1,000 bytes"):
        small.parse(b" " * 2000)


@pytest.mark.parametrize("kind", KINDS)
def test_it_judges_as_json_schema_does(kind):
    schema, document = KINDS[kind]
    whole = json.loads(schema.path.read_bytes())
    jsonschema.Draft202012Validator.check_schema(whole)
    oracle, ours = jsonschema.Draft202012Validator(whole), compiled(whole)
    assert ours(document) is None
    judged = set()
    for changed in mutated(document, np.random.default_rng(0), 250):
        fault = ours(changed)
        assert (fault is None) == oracle.is_valid(changed), (fault, changed)
        judged.add(fault is None)
    assert False in judged


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ({**MANIFEST, "name": "a\n"}, r"damaged at \$\.name: 'a\\n' does not match"),
        ({**MANIFEST, "files": {"..": {}}}, r"damaged at \$\.files has a file called '\.\.'"),
        ({**MANIFEST, "top_k": True}, r"damaged at \$\.top_k is not of type integer"),
        ({**MANIFEST, "artifacts": [{"target": 1}]}, r"damaged at \$\.artifacts\[0\]"),
        ({**MANIFEST, "\x1b[31m": 1}, r"damaged at \$\.'\\x1b\[31m' is unknown"),
    ],
)
def test_a_fault_names_its_place(document, says):
    with pytest.raises(Fault, match=says):
        SCHEMA.check(document)


def test_every_schema_ships_with_the_package():
    for schema, _ in KINDS.values():
        assert schema.path.is_relative_to(str(resources.files("glint_edge")))


def test_a_model_is_described_alike_in_bundles_and_checkpoints():
    described = [json.loads(s.path.read_bytes())["$defs"]["model"] for s in (SCHEMA, CONFIG_SCHEMA)]
    assert described[0] == described[1]
