"""`embed` and `publish`: the modules' files around a bundle. What they do has tests by platform."""

import hashlib
import itertools
import json
import re
import shutil
import zipfile
from dataclasses import replace
from importlib import metadata, resources
from pathlib import Path

import pytest

from converters.export import export
from converters.options import ExportOptions
from glint_edge.apps.module import PLATFORMS, embed, find_platform
from glint_edge.bundles.bundle import load_bundle
from glint_edge.bundles.manifest import digest_of
from glint_edge.bundles.publish import publish
from glint_edge.checkpoints.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from glint_edge.checkpoints.of_bundle import find_checkpoint
from glint_edge.data.catalogue import Catalogue
from glint_edge.data.record import DataSource
from glint_edge.errors import BundleError
from glint_edge.runtime import BundleStore
from glint_edge.runtime.app_bundle import read_app_bundle, read_app_manifest
from tests.conversions import no_conversion
from tests.skips import require

ROOTS = Path(str(resources.files("glint_edge.apps"))) / "platforms"


@pytest.fixture(scope="module")
def make_bundle(make_model, tmp_path_factory):
    """A bundle whose artifacts are no artifacts: nothing here loads them."""
    require("onnxruntime", "onnx")
    keys, seeds = ("", *(f"k{n}" for n in range(1, 41))), itertools.count(100)

    def make(target, **options):
        folder = tmp_path_factory.mktemp("makers-run")
        catalogue, model = Catalogue(keys, {"k1": "First"}), make_model(next(seeds))
        save_checkpoint(Checkpoint(model, catalogue, DataSource("app", "app")), folder)
        out = tmp_path_factory.mktemp("bundle") / "app.glint"
        with no_conversion():
            return export(
                load_checkpoint(folder), ExportOptions((target,), "none", 10, out, **options),
                folder=folder, check=lambda *_: [],
            ).path  # fmt: skip

    return make


@pytest.fixture(scope="module")
def whole(make_bundle):
    return make_bundle("all")


# Files of runtimes that a module has none of where it has the engine alone.
OF_OTHERS = {"onnx.html.j2", "litert.html.j2", "ExecuTorchRuntime.swift.j2"}


def one_line(text):
    return " ".join(text.split())


def files_of(folder):
    return {path.relative_to(folder): path for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", PLATFORMS)
def test_every_file_is_written_and_every_template_filled(name, whole, run, tmp_path):
    code, out, err = run("embed", whole, "--platform", name, "--out", tmp_path / "module")
    assert (code, err) == (0, "")
    # In one piece, however long the path is.
    assert f"{tmp_path / 'module' / 'README.md'} says how to build and call it" in out
    platform, written = find_platform(name), files_of(tmp_path / "module")
    assets = Path(platform.assets) / "app.glint"
    for file in ("model.glnt", "items.json", "golden.json"):
        assert written.pop(assets / file).read_bytes() == (whole / file).read_bytes()
    assert written.pop(assets / "manifest.json")
    for place in platform.engine.values():
        assert written.pop(Path(place)).stat().st_size > 1000
    if platform.wheel:
        (wheel,) = (path for path in written if path.parent == Path(platform.wheel))
        assert zipfile.is_zipfile(written.pop(wheel))
    sources = files_of(ROOTS / name / "module")
    for file, path in sources.items():
        if file.name in OF_OTHERS:  # it has no artifact here
            assert file.with_suffix("") not in written
        elif file.suffix == ".j2":
            text = written.pop(file.with_suffix("")).read_text("utf-8")
            assert "{{ " not in text and "{%" not in text
            assert text != path.read_text("utf-8"), f"{file} has no values: no template"
        else:
            assert written.pop(file).read_bytes() == path.read_bytes()
    assert not written
    assert len(sources) > 2 and Path("README.md.j2") in sources


@pytest.mark.parametrize("name", PLATFORMS)
def test_the_bundle_is_where_the_readme_says(name, whole, run, tmp_path):
    assert run("embed", whole, "--platform", name, "--out", tmp_path / "module")[0] == 0
    platform = find_platform(name)
    part = load_bundle(tmp_path / "module" / platform.assets / "app.glint")
    assert [artifact.target for artifact in part.artifacts] == [platform.targets[0]]
    assert {*part.manifest["files"], "manifest.json"} == {path.name for path in part.path.iterdir()}
    assert "app.glint" in (tmp_path / "module" / "README.md").read_text("utf-8")


@pytest.mark.parametrize("name", PLATFORMS)
def test_an_apps_bundle_names_no_folder_of_its_maker(name, whole, run, tmp_path):
    assert run("embed", whole, "--platform", name, "--out", tmp_path / "module")[0] == 0
    checkpoint = find_checkpoint(load_bundle(whole)).folder
    for path in files_of(tmp_path / "module").values():
        for folder in (whole.parent, checkpoint, Path.cwd(), Path.home() / "x"):
            assert str(folder).encode() not in path.read_bytes(), path
    manifest = (
        tmp_path / "module" / find_platform(name).assets / "app.glint/manifest.json"
    ).read_text()
    assert json.loads(manifest)["checkpoint"]["path"] is None
    assert checkpoint.name not in manifest and "/" not in manifest


def test_pages_may_load_pictures_from_the_bundles_servers_alone(whole, tmp_path):
    bundle = load_bundle(whole)
    plain = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'"
    for name, pictures, policy in (
        ("none", [], plain),
        ("two", ["https://cdn.a/1", "http://B:80/2", "https://cdn.a/3"],
         f"{plain}; img-src 'self' http://b https://cdn.a"),
        ("many", [f"https://h{n}.a/1" for n in range(30)], f"{plain}; img-src 'self' https:"),
        ("strange", ["https://ä.a/1"], f"{plain}; img-src 'self' https:"),
    ):  # fmt: skip
        images = {f"k{n}": address for n, address in enumerate(pictures, 1)}
        shown = replace(bundle, catalogue=replace(bundle.catalogue, images=images))
        embed(shown, find_platform("web"), tmp_path / name, ("c", "onnx", "tflite"))
        for page in ("index.html", "onnx.html", "litert.html"):
            text = (tmp_path / name / page).read_text("utf-8")
            assert f'content="{policy}"' in text


def test_json_lists_the_files(whole, run, tmp_path):
    code, out, _ = run("embed", whole, "--platform", "python", "--out", tmp_path / "my", "--json")
    values = json.loads(out)
    assert code == 0 and values["folder"] == str(tmp_path / "my")
    assert sorted(map(Path, values["files"])) == sorted(files_of(tmp_path / "my"))


def test_the_target_can_be_chosen(whole, make_bundle, run, tmp_path):
    def requirement(name, bundle, *options):
        words = ("embed", bundle, "--platform", "python", "--out", tmp_path / name)
        assert run(*words, *options)[0] == 0
        return (tmp_path / name / "requirements.txt").read_text()

    # It needs no runtime beside it, and no index that has glint-edge.
    assert f"--find-links wheels\nglint-edge=={metadata.version('glint-edge')}\n" in requirement(
        "best", whole
    )
    assert "runtime-onnx" in requirement("another", whole, "--target", "onnx")
    assert "runtime-litert" in requirement("chosen", whole, "--target", "tflite")
    assert "runtime-litert" in requirement("only", make_bundle("tflite"))


@pytest.mark.parametrize("name", PLATFORMS)
def test_the_engine_is_the_default_where_the_bundle_has_it(name, whole, make_bundle, run, tmp_path):
    """In the same words everywhere; without it a module is what it was."""
    platform = find_platform(name)

    def taken(folder, bundle, *options):
        words = ("embed", bundle, "--platform", name, "--out", tmp_path / folder)
        assert run(*words, *options)[0] == 0
        part = load_bundle(tmp_path / folder / platform.assets / "app.glint")
        places = [tmp_path / folder / place for place in platform.engine.values()]
        return [one.target for one in part.artifacts], all(map(Path.exists, places))

    assert taken("default", whole) == (["c"], True)
    assert taken("named", whole, "--target", "engine") == (["c"], True)
    other = platform.targets[1]
    assert taken("both", whole, "--target", f"{other},c")[0] == sorted(["c", other])
    assert taken("other", whole, "--target", other) == ([other], platform.engine == {})
    if name != "python":
        assert not any((tmp_path / "other" / place).exists() for place in platform.engine.values())
    assert taken("without", make_bundle(other))[0] == [other]


def test_several_targets_make_several_pages(whole, run, tmp_path):
    words = ("embed", whole, "--platform", "web")
    for name, target, pages in (
        ("engine", None, {"index.html": "engine"}),
        ("first", "onnx", {"index.html": "onnx"}),
        ("second", "litert", {"index.html": "litert"}),
        ("both", "tflite,onnx", {"index.html": "onnx", "litert.html": "litert"}),
        ("every", "tflite,onnx,c",
         {"index.html": "engine", "onnx.html": "onnx", "litert.html": "litert"}),
    ):  # fmt: skip
        chosen = () if target is None else ("--target", target)
        assert run(*words, "--out", tmp_path / name, *chosen)[0] == 0
        written = {path.name: path.read_text() for path in (tmp_path / name).glob("*.html")}
        assert set(written) == set(pages)
        assert all(f"/src/{page}-page.ts" in written[file] for file, page in pages.items())
        config = (tmp_path / name / "src/config.ts").read_text()
        assert re.findall(r"(\w+): '(\w+.html)'", config) == [
            ({"engine": "c", "litert": "tflite"}.get(page, page), file)
            for file, page in pages.items()
        ]


def test_a_part_has_the_bundles_sessions_and_updates(whole, make_bundle, run, tmp_path):
    """What its manifest lists is what lies there, behind the digest of the whole bundle."""
    words = ("--platform", "android", "--target", "onnx", "--out")
    assert run("embed", whole, *words, tmp_path / "module")[0] == 0
    built_in = tmp_path / "module" / find_platform("android").assets / "app.glint"
    bundle, part = load_bundle(whole), read_app_bundle(built_in)
    assert part.digest == bundle.manifest["digest"] and part.target == "onnx"
    publish(bundle, tmp_path / "server")
    store = BundleStore(tmp_path / "store", built_in)
    assert (
        store.update(lambda path: (tmp_path / "server" / path).read_bytes(), pytest.fail) is False
    )
    # And out of the app's into another.
    assert run("embed", built_in, *words, tmp_path / "again")[0] == 0
    again = tmp_path / "again" / built_in.relative_to(tmp_path / "module")
    assert files_of(again).keys() == files_of(built_in).keys()
    assert (again / "manifest.json").read_bytes() == (built_in / "manifest.json").read_bytes()
    manifest = json.loads((built_in / "manifest.json").read_bytes())
    for change in (
        {"files": {**manifest["files"], "model.onnx": manifest["files"]["items.json"]}},
        {"artifacts": [{**manifest["artifacts"][0], "precision": "int8"}]},
        {"part_of": {**manifest["part_of"], "files": {}}}, {"part_of": []}, {"name": "other"},
    ):  # fmt: skip
        (built_in / "manifest.json").write_text(json.dumps(manifest | change))
        for read in (load_bundle, read_app_bundle):
            with pytest.raises(BundleError, match=r"manifest\.json is damaged"):
                read(built_in)


def test_an_artifact_that_is_missing_is_exported_from_the_checkpoint(make_bundle, run, tmp_path):
    bundle = load_bundle(make_bundle("tflite", spare_items=3, window="unbounded"))
    words = ("embed", bundle.path, "--platform", "ios", "--out")
    with no_conversion():
        code, _, err = run(*words, tmp_path / "module")
    assert code == 0, err
    assert "no c artifact for ios, but tflite: exporting c from" in one_line(err)
    made = load_bundle(tmp_path / "module" / find_platform("ios").assets / "app.glint")
    assert [artifact.target for artifact in made.artifacts] == ["c"]
    assert made.manifest["digest"] != bundle.manifest["digest"]
    for name in ("name", "window", "top_k", "catalogue", "methods", "checkpoint"):
        assert made.manifest[name] == bundle.manifest[name]
    shutil.rmtree(find_checkpoint(bundle).folder)
    code, _, err = run(*words, tmp_path / "other")
    assert code == 2 and not (tmp_path / "other").exists()
    assert (
        "its checkpoint is not at hand; run glint-edge export CHECKPOINT --target "
        f"tflite,c --out {bundle.path}"
    ) in one_line(err)


def test_what_cannot_be_embedded_is_one_line(whole, make_bundle, run, tmp_path):
    def refused(bundle, platform, *options, out="module"):
        code, said, err = run(
            "embed", bundle, "--platform", platform, "--out", tmp_path / out, *options
        )
        assert code == 2 and said == "" and not (tmp_path / "module").exists()
        return one_line(err)

    onnx = make_bundle("onnx")
    shutil.rmtree(find_checkpoint(load_bundle(onnx)).folder)
    assert "platform 'tv' is unknown; choose one of web, android" in refused(whole, "tv")
    assert "ios cannot run 'onnx'; choose one of c, executorch" in refused(
        whole, "ios", "--target", "onnx"
    )
    assert "--target onnx,c" in refused(onnx, "cpp")
    assert "--target onnx,executorch" in refused(onnx, "cpp", "--target", "executorch")
    assert "--target onnx,tflite" in refused(onnx, "web", "--target", "tflite")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    assert "is not empty; choose another --out" in refused(whole, "web", out="full")
    assert "is not empty; choose another --out" in refused(whole, "web", out="full/mine.txt")
    assert (tmp_path / "full" / "mine.txt").read_text() == "mine"


def test_what_is_published_is_taken_by_an_app(whole, run, tmp_path):
    server, app = tmp_path / "server", tmp_path / "app.glint"
    for name in ("first", "second"):  # the same bundle but for a name
        manifest = json.loads((whole / "manifest.json").read_bytes()) | {"name": name}
        bundle = tmp_path / name
        bundle.mkdir()
        for file, path in files_of(whole).items():
            (bundle / file).write_bytes(path.read_bytes())
        manifest["digest"] = digest_of(manifest)
        (bundle / "manifest.json").write_text(json.dumps(manifest))
        code, out, _ = run("publish", bundle, "--out", server, "--json")
        assert code == 0
        latest = json.loads(Path(json.loads(out)["latest"]).read_bytes())
        data = (bundle / "manifest.json").read_bytes()
        assert latest["manifest_sha256"] == hashlib.sha256(data).hexdigest()
        assert latest["bytes"] == sum(p.stat().st_size for p in files_of(bundle).values())
    assert len(list((server / "bundles").iterdir())) == 2
    app.mkdir()
    (app / "manifest.json").write_text("{}")
    store = BundleStore(tmp_path / "store", app)
    assert store.update(lambda path: (server / path).read_bytes(), load_bundle) is True
    assert store.open(read_app_manifest)["name"] == "second"
