"""Bundles: their JSON behind right digests, their files behind wrong ones, their artifacts."""

import io
import json
import shutil
from contextlib import suppress
from unittest import mock

import numpy as np
from rich.console import Console

from converters.catalogue.update import options_of
from glint_edge import api
from glint_edge.bundles.bundle import load_bundle
from glint_edge.bundles.contents import read_golden
from glint_edge.bundles.manifest import digest_of
from glint_edge.checkpoints.of_bundle import find_checkpoint
from glint_edge.cli import render
from glint_edge.errors import BundleError
from glint_edge.runtime import Recommender
from glint_edge.runtime.app_bundle import read_app_bundle
from tests.bundles_changed import relist
from tests.campaign.mutators import of_bytes, of_document, one_of
from tests.campaign.trials import Target, require
from tests.conversions import convert, no_conversion
from tests.small import small_bundle, tiny_model


def bundle_of_no_artifact(folder):
    """A bundle whose artifact is none, for all that loads none."""
    model = tiny_model(items=20, d=4, heads=2, max_length=6)
    with no_conversion():
        return small_bundle(
            model, folder, titles={"k1": "First"}, retired=("k20",), added=1, version=2
        )


def read_bundle(folder):
    """By the toolkit: all of it is read, shown, and asked for its float model and options."""
    bundle = load_bundle(folder)
    Console(file=io.StringIO()).print(render.bundle(bundle), render.layers(bundle), repr(bundle))
    find_checkpoint(bundle)
    with suppress(BundleError):  # that of another shape says so
        options_of(bundle, folder, 0)
    return bundle


def read_for_app(folder):
    """By the runtime, up to its artifact."""
    app = read_app_bundle(folder)
    return app, read_golden(folder / "golden.json", app.config, app.top_k)


def _sealed(manifest):
    if isinstance(manifest, dict):
        with suppress(UnicodeEncodeError):
            return {**manifest, "digest": digest_of(manifest)}
    return manifest


def _json_of(name):
    """Another document in a file's place, behind right digests; both readers have to do with it."""

    def prepare(folder):
        bundle = bundle_of_no_artifact(folder)
        whole = {file.name: file.read_bytes() for file in bundle.iterdir()}
        document = json.loads(whole[name])

        def trial(rng):
            for file in ("manifest.json", name):
                (bundle / file).write_bytes(whole[file])
            seal = _sealed if name == "manifest.json" else lambda changed: changed
            data = of_document(document, rng, seal)
            (bundle / name).write_bytes(data)
            if name != "manifest.json":
                relist(bundle, name)
            read = one_of((read_bundle, read_for_app), rng)(bundle)
            _follows(name, data, read)

        return trial

    return Target(f"bundle: {name}", prepare)


def _follows(name, data, read):
    """What was read is what stands there."""
    value = json.loads(data)
    bundle, golden = read if isinstance(read, tuple) else (read, read.golden)
    if name == "items.json":
        keys = bundle.keys if isinstance(read, tuple) else bundle.catalogue.keys
        require(list(keys[1:]) == list(map(str, value["keys"])), "other keys than the file's")
    elif name == "golden.json":
        cases = [case["items"] for case in value["cases"]]
        require([case.items.tolist() if isinstance(case.items, np.ndarray) else list(case.items)
                 for case in golden.cases] == cases, "other golden lists")  # fmt: skip
    else:
        require(bundle.top_k == value["top_k"], "another top_k")
        require(bundle.config.to_dict() == {**bundle.config.to_dict(), **value["model"]}, "model")


def _damaged_file(folder):
    """Any file, and nothing says so: it must be seen."""
    bundle = bundle_of_no_artifact(folder)
    whole = {file.name: file.read_bytes() for file in sorted(bundle.iterdir())}

    def trial(rng):
        name = one_of(tuple(whole), rng)
        data = of_bytes(whole[name], rng)
        (bundle / name).write_bytes(data)
        try:
            read_bundle(bundle)
            same = data == whole[name] or _means(name, data, whole)
            require(same, f"a damaged {name} is read without a word: {data[:300]!r}")
        finally:
            (bundle / name).write_bytes(whole[name])

    return trial


def _means(name, data, whole):
    """A blank more in a manifest changes nothing that its digest is of."""
    return name == "manifest.json" and json.loads(data) == json.loads(whole[name])


def _shipped(folder):
    """Whatever a manifest says, what is embedded or published stays in its folder."""
    bundle = bundle_of_no_artifact(folder)
    whole = (bundle / "manifest.json").read_bytes()
    manifest = json.loads(whole)
    texts = ["../x", "/etc/passwd", 'a"b', "R&B", "$(x)", "a\nb", "${x}", "'''", "*/", "<x>", "\\"]
    outside = sorted(path.name for path in folder.iterdir())

    def trial(rng):
        seal = _sealed
        changed = json.loads(json.dumps(manifest).replace(
            json.dumps(one_of((manifest["name"], "onnx", "model.onnx", "int8", "sliding"), rng)),
            json.dumps(one_of(texts, rng))))  # fmt: skip
        data = json.dumps(seal(changed)) if rng.random() < 0.5 else None
        (bundle / "manifest.json").write_bytes(
            data.encode() if data else of_document(manifest, rng, seal)
        )
        out = folder / "out"
        out.mkdir()
        try:
            if rng.random() < 0.3:
                api.publish(bundle, out / "served")
            else:
                platform = one_of(("web", "android", "ios", "cpp", "python"), rng)
                api.embed(bundle, platform, out / "module")
        finally:
            strangers = {path.name for path in folder.iterdir()} - {*outside, "out"}
            strangers |= {path.name for path in out.iterdir()} - {"served", "module"}
            shutil.rmtree(out)
            require(not strangers, f"written outside its folder: {strangers}")

    return trial


def _artifact(target):
    """A damaged artifact behind right digests, which its runtime parses: only in a child."""

    def prepare(folder):
        # From the table of converted files: the next child, after one that died, has it at once.
        with mock.patch("converters.export.convert", convert):
            bundle = small_bundle(tiny_model(max_length=12), folder, target)
        file = load_bundle(bundle).artifacts[0].file
        whole = {name: (bundle / name).read_bytes() for name in (file, "manifest.json")}

        def trial(rng):
            (bundle / "manifest.json").write_bytes(whole["manifest.json"])
            (bundle / file).write_bytes(of_bytes(whole[file], rng))
            relist(bundle, file)
            loaded = Recommender.load(bundle)
            for history in (["k1", "k2"], [], ["k7"] * 20):
                items = loaded.recommend(history)
                require(len(items) == 10, f"{len(items)} items")
                require(all(np.isfinite(one.score) for one in items), "scores that are no numbers")
                require({one.key for one in items} <= set(loaded.bundle.keys[1:]), "no such item")

        return trial

    return Target(f"artifact: {target}", prepare, share=0.05, may_die=True)


TARGETS = (
    *map(_json_of, ("manifest.json", "items.json", "golden.json")),
    Target("bundle: any file, damaged", _damaged_file),
    Target("bundle: what is embedded and published", _shipped, share=0.05),
    *map(_artifact, ("onnx", "tflite")),
)
