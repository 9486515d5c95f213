"""A bundle after a file of it was changed: the manifest says what lies there, and is whole.

`REFUSED` is one table for the readers of all platforms: what each refuses in one error of its own.
"""

import copy
import hashlib
import json
import os
import random
import re
from dataclasses import dataclass
from typing import Any

import pytest

from glint_edge.bundles.manifest import PART_OF, digest_of
from glint_edge.data.neighbours_file import NEIGHBOURS
from tests.neighbours_file import WHOLE, damaged_files

MANIFEST, ITEMS, GOLDEN = "manifest.json", "items.json", "golden.json"
GONE = object()
DEEP = (b"[" * 100_000, b'{"a":' * 100_000, b"[" * 40 + b"]" * 40)
NO_JSON = (b"", b"{", b"\xff\xfe", b'{"a": "\xff"}', b'{"a": "\\ud800"}', b"1" * 5000, *DEEP)
NO_OBJECT = (None, [], "x", 3, {})
NO_SIZE = (GONE, None, True, "10", 0, -1, 10.5, 2**31, [10])
NO_TEXT = (GONE, None, 5, ["x"])
NO_NUMBER = (GONE, None, True, "0", [0], 1e999)
NO_SHA256 = (*NO_TEXT, "0a", "x" * 64, "0A" * 32, "0a" * 32 + "\n")
ELSEWHERE = (
    "", ".", "..", "../items.json", "a/b", "/etc/passwd", "a\\b", ".hidden", "a\n", "x" * 200,
)  # fmt: skip


@dataclass(frozen=True)
class Change:
    """A place in a file of a bundle, and what stands there instead.

    Attributes:
        file: its name.
        place: the way to it; (): the whole file.
        value: bytes are a whole file's; `GONE`; a function is given what stood there.
    """

    file: str
    place: tuple[str | int, ...]
    value: Any

    def __str__(self) -> str:
        value = self.value.__doc__ if callable(self.value) else self.value
        value = "gone" if value is GONE else value
        where = ".".join(map(str, (self.file, *self.place)))
        return f"{where}: {value!r:.60}"

    def data(self, document: Any) -> bytes:
        """The file's bytes after it."""
        if isinstance(self.value, bytes):
            return self.value
        whole = {"": copy.deepcopy(document)}
        outer, last = whole, ""
        for name in self.place:
            outer, last = outer[last], name
        if self.value is GONE:
            del outer[last]
        else:
            outer[last] = self.value(outer[last]) if callable(self.value) else self.value
        return re.sub(r"(?<=[\[ ])Infinity(?=[\],}])", "1e999", json.dumps(whole[""])).encode()


def _rows(file, *rows):
    """Of several values for several places each."""
    return tuple(
        Change(file, tuple(place.split(".")) if isinstance(place, str) else place, value)
        for places, values in ((places, tuple(values)) for places, values in rows)
        for place in (places if isinstance(places, list) else [places])
        for value in values
    )


def _doc(text, function):
    function.__doc__ = text
    return function


ONE_LESS = _doc("one less", lambda values: values[:-1])
ONE_TWICE = _doc("one twice", lambda values: [*values[:-1], values[0]])
ONE_MORE = _doc("one more", lambda value: value + 1)
AND_NOTHING = _doc("and null", lambda values: [*values, None])


def _first(value):
    return _doc(f"first {value!r:.40}", lambda values: [value, *values[1:]])


def _of_lists(*names):
    """Where the first list with a filter, and the first of what is like an item, have these."""
    return [(part, 0, name) for part in ("lists", "similar") for name in names]


REFUSED = (
    *_rows(
        MANIFEST,
        ((), (*NO_JSON, *NO_OBJECT)),
        ("schema_version", (GONE, None, True, "1", 0, 1, 1.5, [1])),
        ("digest", NO_SHA256),
        ("window", (*NO_TEXT, "both")),
        (["top_k", "model.items", "model.max_length"], NO_SIZE),
        ("top_k", (10**6 + 1,)),
        ("model.items", (ONE_MORE, 2_000_000_000)),
        ("model", (GONE, *NO_OBJECT)),
        ("model.padding", (None, 5, ["masked"], "both")),
        ("state", (GONE, *NO_OBJECT)),
        ("state.shape", (GONE, None, {}, "19", [], [1], [1, 0], [1, "9"], [1, 9.5], [1, 2**40])),
        ("data", ([], "x", 3)),
        ("data.repeats", (True, "0", [0], {}, -0.1, 1.5, 1e999)),
        ("methods", (GONE, *NO_OBJECT)),
        ("methods.append_many", NO_OBJECT),
        ("methods.append_many.inputs", (GONE, None, {}, "x", [], [None], [[]])),
        (("methods", "append_many", "inputs", 1, "name"), NO_TEXT),
        (("methods", "append_many", "inputs", 1, "shape"),
         (GONE, None, {}, "x", [1, 0], [1, "4"], [1, 4.5], [1, 2**41])),
        ("methods.recommend", (GONE, *NO_OBJECT)),
        ("methods.recommend.inputs", (GONE, None, {}, "x", [], [None], [[]])),
        (("methods", "recommend", "inputs", 1, "name"), (*NO_TEXT, "other")),
        (("methods", "recommend", "inputs", 1, "shape"),
         (GONE, None, {}, "x", [44], [1, 0], [1, 3], [1, "44"], [1, 44.5], [1, 2**41])),
        ("artifacts", (GONE, None, {}, "x", [None], [[]], AND_NOTHING)),
        (("artifacts", 0, "file"), (*NO_TEXT, *ELSEWHERE)),
        (("artifacts", 0, "target"), NO_TEXT),
        ("files", (GONE, *NO_OBJECT)),
        (("files", ITEMS), (GONE, *NO_OBJECT)),
        (("files", GOLDEN, "bytes"), (*NO_SIZE, 10**12 + 1)),
        (("files", ITEMS, "sha256"), NO_SHA256),
        *((("files", name), ({"bytes": 1, "sha256": "0a" * 32},)) for name in ELSEWHERE),
    ),
    *_rows(
        ITEMS,
        ((), (*NO_JSON, *NO_OBJECT)),
        ("keys", (GONE, None, {}, "abc", [], [[]], 3, ONE_LESS, ONE_TWICE, AND_NOTHING)),
        ("keys", map(_first, (None, True, 1.5, "", [], {}, 10**18, "\ud800"))),
        ("titles", (None, [], "x", {"k": 1}, {"k": None}, {"k": ["x"]}, {"k": "\udcff"})),
        ("fields", (None, [], "x", {"f": None}, {"f": []}, {"f": {"k": 1}}, {"f": {"k": None}})),
        ("images", (None, [], "x", {"k": 1}, {"k": ["https://a"]}, {"k": "javascript:alert(1)"},
                    {"k": "//a/1.png"}, {"k": "https"}, {"k": ""})),
    ),
    *_rows(
        GOLDEN,
        ((), (*NO_JSON, *NO_OBJECT)),
        ("tolerance", (GONE, *NO_OBJECT)),
        ([f"tolerance.{name}" for name in ("relative_state_error", "score_error", "cosine_error")],
         (*NO_NUMBER, -1)),
        ("tolerance.relative_state_error", (2,)),
        ("cases", (GONE, None, {}, "x", 3, [], [None], [[]], [{}], AND_NOTHING)),
        ([("cases", 1, "state_sum"), ("cases", 1, "state_norm")], NO_NUMBER),
        (("cases", 1, "state_norm"), (-1,)),
        ([("cases", 1, name) for name in ("history", "items", "scores")],
         (GONE, None, 3, "abc", {}, *map(_first, (None, "1", [1], 1e999)))),
        ([("cases", 1, name) for name in ("items", "scores")], ([], ONE_LESS, AND_NOTHING)),
        ([("cases", 1, name) for name in ("history", "items")],
         map(_first, (1.5, True, -1, 2**31, 2**32 + 1, 100_000_000))),
        (("cases", 1, "items"), (_first(0),)),
        (["lists", "similar"], (GONE, None, {}, "x", 3, [None], [[]], [{}], AND_NOTHING)),
        (_of_lists("k"), (GONE, None, True, "10", 0, -1, 10.5, [10])),
        (_of_lists("filter"), (
            GONE, None, [], "x", {"without": "k1"}, {"among": [5]}, {"where": {"f": "x"}},
            {"boost": {"k1": "1"}}, {"boost": {"k1": 1e7}}, {"most_per": {"f": 0}}, {"later": []},
        )),
        (_of_lists("near"), (GONE, None, [], "x", {"a": 1}, {"0": 1}, {"1": None}, {"1": "x"})),
        (_of_lists("items", "scores"),
         (GONE, None, 3, "abc", {}, ONE_LESS, *map(_first, (None, "1", [1], 1e999)))),
        ([("lists", 0, "history"), *_of_lists("items")],
         map(_first, (0, 1.5, True, -1, 2**31, 2**32 + 1, 100_000_000))),
        (("lists", 0, "filter"), ({"exclude_seen": 1},)),
        (("lists", 0, "neighbours"), (None, 1, "true", [])),
        (("similar", 0, "item"), (GONE, None, True, "1", 0, -1, 1.5, 2**31, 100_000_000)),
    ),
    *_rows(NEIGHBOURS, ((), damaged_files())),
)  # fmt: skip
# Where a change costs a process, or a page's time; --full replays all.
ALL_REFUSED = pytest.mark.parametrize(
    "changes",
    [
        pytest.param(random.Random(1).sample(REFUSED, 90), id="some"),
        pytest.param(REFUSED, id="all", marks=pytest.mark.full),
    ],
)


# What each reader takes, though export would not write it.
TAKEN = (
    Change(MANIFEST, ("later",), {"a": [1, None, "\U0001d11e"]}),
    Change(MANIFEST, ("data",), GONE),
    *(Change(MANIFEST, ("data", "repeats"), share) for share in (None, 0, 0.4, 1)),
    Change(ITEMS, ("titles",), GONE),
    Change(ITEMS, ("keys",), _first(10**15)),
    Change(ITEMS, ("keys",), _first("constructor \U0001d11e")),
    Change(ITEMS, ("fields",), {"kind": {"k1": "Book", "none": "x"}, "__proto__": {}}),
    Change(ITEMS, ("images",), {"k1": "HTTPS://cdn.example/1.png"}),
    Change(ITEMS, ("later",), {}),
    *(Change(NEIGHBOURS, (), WHOLE.data(id_bytes=size)) for size in (2, 4)),
)


def relist(folder, name):
    """Make the size, the sha256 and the manifest's own digest right again."""
    path = folder / MANIFEST
    manifest = json.loads(path.read_text("utf-8"))
    path.write_bytes(listing(manifest, name, (folder / name).read_bytes()))


def listing(manifest, name, data):
    """The manifest's bytes after a file of it was changed."""
    listed = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    manifest = manifest | {"files": manifest["files"] | {name: listed}}
    return json.dumps(manifest | {"digest": digest_of(manifest)}).encode()


def changed_files(documents, change):
    """What a change makes of a bundle's files, the manifest's own digest and sums right again.

    Args:
        documents: by name, those of the bundle; of a file of other bytes, whole changes alone.
        change: of one of them.

    Returns:
        By name, the bytes of those that are others then.
    """
    data = change.data(documents.get(change.file))
    if change.file != MANIFEST:
        return {change.file: data, MANIFEST: listing(documents[MANIFEST], change.file, data)}
    if isinstance(change.value, bytes) or change.place == ("digest",):
        return {MANIFEST: data}
    manifest = json.loads(data)
    if isinstance(manifest, dict):
        data = json.dumps(manifest | {"digest": digest_of(manifest)}).encode()
    return {MANIFEST: data}


def documents_of(folder):
    """A bundle's JSON files, by name; of a part of one, as if it were whole."""
    found = {name: json.loads((folder / name).read_bytes()) for name in (MANIFEST, ITEMS, GOLDEN)}
    found[MANIFEST].pop(PART_OF, None)
    return found


def changed_copies(folder, out, changes):
    """Each change with a copy of a bundle that has it; what is as it was are links to one file."""
    documents = documents_of(folder)
    for number, change in enumerate(changes):
        files = changed_files(documents, change)
        copied = out / f"{number}.glint"
        copied.mkdir()
        for name, data in files.items():
            (copied / name).write_bytes(data)
        for path in folder.iterdir():
            if path.name not in files:
                os.link(path, copied / path.name)
        yield change, copied
