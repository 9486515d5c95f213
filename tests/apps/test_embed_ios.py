"""The iOS module, as far as real tools go without Xcode: parsed, and held to what it names."""

import json
import re
import tomllib
from importlib import resources
from pathlib import Path

import pytest

ROOT = Path(str(resources.files("glint_edge.apps"))) / "platforms" / "ios" / "module"
SCHEMA = Path(str(resources.files("glint_edge.bundles"))) / "manifest.schema.json"


def rendered(path):
    """A template's text with a word for each value: what a parser can read."""
    return re.sub(r"\{\{.*?\}\}", "value", path.read_text("utf-8"))


@pytest.mark.parametrize(
    "name", sorted(p.relative_to(ROOT).as_posix() for p in ROOT.rglob("*.swift*"))
)
def test_every_swift_file_parses(name):
    language = pytest.importorskip("tree_sitter_swift", reason="needs glint-edge[dev]").language()
    from tree_sitter import Language, Parser

    parser = Parser(Language(language))
    tree = parser.parse(rendered(ROOT / name).encode())
    assert not tree.root_node.has_error, tree.root_node
    assert parser.parse(b"func broken( {").root_node.has_error


def test_the_package_names_folders_that_are_there():
    package = (ROOT / "Package.swift.j2").read_text()
    targets = re.findall(r'\.(target|testTarget)\(\s*name: "(\w+)"', package)
    assert len(targets) == 3
    for kind, name in targets:
        assert list(
            (ROOT / ("Tests" if kind == "testTarget" else "Sources") / name).glob("*.swift*")
        )
    values = json.loads((ROOT.parent / "platform.json").read_text())
    (folder,) = re.findall(r'\.copy\("(\w+)/\{\{ name \}\}\.glint"\)', package)
    assert values["assets"] == f"Sources/GlintEdge/{folder}"


def test_the_package_takes_a_branch_of_executorch_that_is_there():
    """Of 1.5 there is swiftpm-1.5.0 alone; another minor version of the toolkit asks for a look."""
    package = (ROOT / "Package.swift.j2").read_text()
    assert re.findall(r'"(swiftpm-[^"]*)"', package) == ["swiftpm-1.5.0"]
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    extras = project["project"]["optional-dependencies"]["executorch"]
    assert any(one.startswith("executorch>=1.5.") and one.endswith("<1.6") for one in extras)


def test_the_linker_is_told_of_all_that_all_load_needs():
    package = (ROOT / "Package.swift.j2").read_text()
    settings = package.split("let allLoad")[1].split("\n\n")[0]
    assert '.unsafeFlags(["-Wl,-all_load"])' in settings and ".linkedFramework($0)" in settings
    for framework in ("Accelerate", "CoreGraphics", "CoreImage", "CoreVideo"):
        assert f'"{framework}"' in settings
    assert package.count("linkerSettings: allLoad") == 2  # the library's, and its tests'
    for text in (ROOT / "README.md.j2", Path(__file__).parents[2] / "docs/embed-ios.md"):
        assert "by version" in text.read_text()


def test_what_it_decodes_is_in_every_manifest():
    """A field that Swift's decoder does not find is an error there."""
    source = (ROOT / "Sources/GlintEdge/AppBundle.swift").read_text()
    body = source.split("struct Manifest: Decodable {")[1].split("\n\n")[0]
    names = re.findall(r"let (\w+):", body)
    assert len(names) == 9
    schema = json.loads(SCHEMA.read_text())
    assert set(names) <= set(schema["required"])


def test_what_it_decodes_of_a_golden_list_is_in_every_one():
    source = (ROOT / "Sources/GlintEdge/GoldenLists.swift").read_text()
    names = re.findall(
        r"let (\w+):", source.split("struct GoldenList: Decodable {")[1].split("struct Filter")[0]
    )
    lists = json.loads(SCHEMA.with_name("golden.schema.json").read_text())["properties"]
    required = [set(lists[name]["items"]["required"]) for name in ("lists", "similar")]
    assert names[-1] == "neighbours"  # of lists alone, where they have a part
    assert set(names[:-1]) == set.union(*required)
    optional = re.findall(r"let (\w+): [\w\[\]: ]+\?", source.split("struct Filter")[0])
    assert set(names) - set(optional) == set.intersection(*required)
