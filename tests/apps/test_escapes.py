"""Names that other languages read as something else: refused at each door, and escaped anyway."""

import ast
import json
from dataclasses import replace
from xml.etree import ElementTree

import pytest
import tree_sitter_kotlin
import tree_sitter_swift
from tree_sitter import Language, Parser

from glint_edge.apps.escapes import ESCAPES, environment_for
from glint_edge.apps.module import PLATFORMS, embed, find_platform
from glint_edge.bundles.bundle import load_bundle
from glint_edge.bundles.copies import copy_listed
from glint_edge.bundles.manifest import digest_of, plain_name, require_name
from glint_edge.bundles.publish import publish
from glint_edge.data.record import DataSource
from glint_edge.errors import BundleError, ConfigError
from glint_edge.runtime.app_bundle import read_app_manifest
from tests.conversions import no_conversion
from tests.skips import require
from tests.small import small_bundle

HOSTILE = (
    "../../../../escaped/pwn", "a/b", "a\\b", 'a"b', "x$y", "R&B", "Tom & Jerry", "_mine",
    "a\nb", "a'b", "<b>", "${x}", "\\(x)", "{{ x }}", "a.", "a ", " a", "", "a" * 65, "Büch", "~",
    ".hidden", "a:b", "%2e%2e", "a\x1b[31m", "a\n",
)  # fmt: skip


@pytest.fixture(scope="module")
def bundle(make_model, tmp_path_factory):
    """A bundle for all platforms whose artifacts are none."""
    require("onnxruntime", "onnx")
    folder = tmp_path_factory.mktemp("acme") / "clients" / "run7"
    with no_conversion():
        path = small_bundle(
            make_model(), folder, "all", data=DataSource("acme-2026.csv", "/home/me/acme-2026.csv"),
            metrics={"test": {"ndcg_at_10": 0.123456}},
        )  # fmt: skip
    return load_bundle(path)


def rewritten(bundle, out, **changes):
    """A copy with other values in the manifest, and the digest that fits them."""
    out.mkdir()
    copy_listed(bundle, out)
    manifest = json.loads((out / "manifest.json").read_bytes()) | changes
    manifest["digest"] = digest_of(manifest)
    (out / "manifest.json").write_text(json.dumps(manifest))
    return out


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_refused_at_every_door(bundle, name, run, tmp_path):
    with pytest.raises(ConfigError, match="cannot be a bundle's name"):
        require_name(name)
    require_name(plain_name(name))
    hostile = rewritten(bundle, tmp_path / "in.glint", name=name)
    for read in (load_bundle, read_app_manifest):
        with pytest.raises(BundleError, match=r"at \$\.name"):
            read(hostile)
    before = set(tmp_path.iterdir())
    for words in (("embed", hostile, "--platform", "android"), ("publish", hostile)):
        code, _, err = run(*words, "--out", tmp_path / "out")
        assert (code, "$.name" in err) == (2, True)
    assert set(tmp_path.iterdir()) == before


@pytest.mark.parametrize("name", ["", *HOSTILE][2:12])
def test_export_refuses_a_hostile_name_before_anything_is_read(name, run, tmp_path):
    code, _, err = run("export", "--name", name, "--out", tmp_path / "a.glint", "--target", "onnx")
    assert code == 2
    assert "cannot be a bundle's name" in " ".join(err.split())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("where", "value"),
    [
        ("runtime", {"executorch": '1.5.1") implementation("evil:evil:1'}),
        ("runtime", {'a"b': "1.0"}),
        ("runtime", {"executorch": "latest.release"}),
        ("target", 'onnx") }'),
        ("target", "../onnx"),
        ("precision", "int8`"),
        ("file", "..") , ("file", "-rf"), ("file", "a b/c"), ("file", ".hidden"),
    ],
)  # fmt: skip
def test_no_text_of_an_artifact_reaches_a_template(bundle, where, value, tmp_path):
    artifacts = json.loads(json.dumps(bundle.manifest["artifacts"]))
    artifacts[0][where] = value
    hostile = rewritten(bundle, tmp_path / "in.glint", artifacts=artifacts)
    for read in (load_bundle, read_app_manifest):
        with pytest.raises(BundleError, match=r"at \$\.artifacts\[0\]"):
            read(hostile)


def test_a_name_that_is_possible_is_so_on_every_platform(bundle, tmp_path):
    named = load_bundle(rewritten(bundle, tmp_path / "in.glint", name="My shop_2.0+b-c"))
    for platform in PLATFORMS:
        embed(named, find_platform(platform), tmp_path / platform)
        assets = tmp_path / platform / find_platform(platform).assets
        assert load_bundle(assets / "My shop_2.0+b-c.glint").name == named.name


TEXT = "a\"b\\c$d${e}\\(f)&<g>'h\né😀"


def filled(suffix, template):
    return environment_for(suffix).from_string(template).render(text=TEXT)


def test_each_language_reads_back_what_was_filled_in():
    assert ElementTree.fromstring(filled(".xml", '<a b="{{ text }}"/>')).get("b") == TEXT
    assert ast.literal_eval(filled(".py", '"{{ text }}"')) == TEXT
    assert json.loads(filled(".ts", '"{{ text }}"')) == TEXT
    assert json.loads(filled(".ts", "{{ text | tojson }}")) == TEXT
    java = filled(".kts", '"{{ text | java }}"')
    assert "\n" not in filled(".md", "{{ text }}") + filled(".txt", "{{ text }}") + java


@pytest.mark.parametrize(
    ("suffix", "language", "nodes"),
    [
        (".kts", tree_sitter_kotlin, ["string_literal"]),
        (".swift", tree_sitter_swift, ["line_string_literal"]),
    ],
)
@pytest.mark.parametrize("template", ['"{{ text }}"', '"{{ text | java }}"'])
def test_what_was_filled_in_is_one_literal(suffix, language, nodes, template):
    source = "val a = " if suffix == ".kts" else "let a = "
    text = source + filled(suffix, template)
    tree = Parser(Language(language.language())).parse(text.encode())
    found, stack = [], [tree.root_node]
    while stack:
        node = stack.pop()
        assert node.type != "ERROR" and "interpolat" not in node.type
        found += [node.type] if node.type in nodes else []
        stack += node.children
    assert found == nodes


def test_every_template_has_a_language():
    for name in PLATFORMS:
        for path in (find_platform(name).root / "module").rglob("*.j2"):
            assert path.with_suffix("").suffix in ESCAPES, path


# ---- what ships ---------------------------------------------------------------------------------


def shipped(bundle, tmp_path):
    """Folders that others get."""
    for name in PLATFORMS:
        embed(bundle, find_platform(name), tmp_path / name)
        yield tmp_path / name
    publish(bundle, tmp_path / "server")
    yield tmp_path / "server"


def test_nothing_of_the_makers_ships(bundle, tmp_path):
    for folder in (bundle.path, *shipped(bundle, tmp_path)):
        for path in folder.rglob("*"):
            data = path.read_bytes() if path.is_file() else b""
            for private in (b"acme", b"run7", b"/home/me", b"0.123456"):
                assert private not in data, (path, private)
    assert bundle.manifest["data"] == {"name": "", "attribution": "", "metrics": {}}


def test_what_the_manifest_does_not_list_does_not_ship(bundle, tmp_path):
    copied = rewritten(bundle, tmp_path / "in.glint")
    (copied / "notes.txt").write_text("mine")
    (copied / "more").mkdir()
    (copied / "more" / "id_rsa").write_text("mine")
    (copied / "link").symlink_to("/etc/hostname")
    for folder in shipped(load_bundle(copied), tmp_path):
        names = {path.name for path in folder.rglob("*")}
        assert not names & {"notes.txt", "more", "id_rsa", "link"}
        assert "manifest.json" in names


@pytest.mark.parametrize("name", ["items.json", "manifest.json", "model.glnt"])
def test_a_link_in_a_bundle_is_not_followed(bundle, name, tmp_path):
    copied = rewritten(bundle, tmp_path / "in.glint")
    elsewhere = tmp_path / "elsewhere"
    (copied / name).rename(elsewhere)
    (copied / name).symlink_to(elsewhere)
    for ship in (
        lambda: embed(load_bundle(copied), find_platform("web"), tmp_path / "out"),
        lambda: publish(load_bundle(copied), tmp_path / "out"),
    ):
        with pytest.raises(BundleError, match=f"{name} is a link; put the file itself there"):
            ship()
        assert not list((tmp_path / "out").rglob("*.json"))


def test_a_file_that_changes_while_it_is_copied_is_not_shipped(bundle, tmp_path):
    copied = load_bundle(rewritten(bundle, tmp_path / "in.glint"))
    (copied.path / "items.json").write_text("{}")
    with pytest.raises(BundleError, match="bytes, its manifest says"):
        publish(copied, tmp_path / "out")
    other = replace(copied, manifest={**copied.manifest, "digest": "0" * 64})
    with pytest.raises(BundleError, match="changed meanwhile"):
        publish(other, tmp_path / "out")
