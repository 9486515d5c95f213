"""The iOS module without Xcode: parsed, held to what it names, and tested by `swift test`."""

import json
import re
import shutil
import subprocess
import tomllib
from importlib import resources
from pathlib import Path

import pytest

import glint_edge as ge
from glint_edge.apps.escapes import environment_for
from glint_edge.engine import library

ROOT = Path(str(resources.files("glint_edge.apps"))) / "platforms" / "ios" / "module"
ENGINE = ROOT / "Sources/GlintEdge/GlintEngine.swift.j2"
RECOMMENDER = ROOT / "Sources/GlintEdge/Recommender.swift.j2"
SCHEMA = Path(str(resources.files("glint_edge.bundles"))) / "manifest.schema.json"


CHOICES = {"engine": ("c",), "executorch": ("executorch",), "both": ("c", "executorch")}


def rendered(path, targets=("c", "executorch")):
    """A file as an app has it."""
    text = path.read_text("utf-8")
    if path.suffix != ".j2":
        return text
    return (
        environment_for(".swift")
        .from_string(text)
        .render(name="app", target=targets[0], targets=targets)
    )


def package(choice):
    return rendered(ROOT / "Package.swift.j2", CHOICES[choice])


@pytest.mark.parametrize(
    "name", sorted(p.relative_to(ROOT).as_posix() for p in ROOT.rglob("*.swift*"))
)
def test_every_swift_file_parses(name):
    language = pytest.importorskip("tree_sitter_swift", reason="needs glint-edge[dev]").language()
    from tree_sitter import Language, Parser

    parser = Parser(Language(language))
    for targets in CHOICES.values():
        tree = parser.parse(rendered(ROOT / name, targets).encode())
        assert not tree.root_node.has_error, (targets, tree.root_node)
    assert parser.parse(b"func broken( {").root_node.has_error


@pytest.mark.parametrize(("choice", "count"), [("engine", 4), ("executorch", 4), ("both", 5)])
def test_the_package_names_folders_that_are_there(choice, count):
    targets = re.findall(r'\.(target|testTarget)\(\s*name: "(\w+)"', package(choice))
    assert len(targets) == count
    values = json.loads((ROOT.parent / "platform.json").read_text())
    for kind, name in targets:
        folder = ROOT / ("Tests" if kind == "testTarget" else "Sources") / name
        written = [place for place in values["engine"].values() if f"/{name}/" in place]
        assert written if name == "CGlint" else list(folder.glob("*.swift*"))
    (folder,) = re.findall(r'\.copy\("(\w+)/app\.glint"\)', package(choice))
    assert values["assets"] == f"Sources/GlintEdge/{folder}"


def test_with_the_engine_the_package_is_foundation_and_c_alone():
    """So that any package may depend on it, and `swift test` runs on Linux."""
    text = package("engine")
    for word in ("unsafeFlags", "branch", ".package(", "executorch", "linked", "all_load"):
        assert word not in text
    assert re.findall(r"public static func load\([^)]*= GlintEngine\(\)", RECOMMENDER.read_text())
    for path in ROOT.rglob("*.swift*"):
        text = rendered(path, ("c",))
        found = set(re.findall(r"^import (\w+)", text, re.MULTILINE))
        found -= {"Foundation", "GlintEdge", "CGlint", "XCTest", "PackageDescription"}
        assert found <= {"SwiftUI"}, path
        assert not found or text.startswith("#if canImport(SwiftUI)\n"), path
    assert "import CGlint\n" in rendered(ENGINE, ("c",))
    assert rendered(ENGINE, ("executorch",)).strip() == ""
    runtime = ROOT / "Sources/GlintEdgeExecuTorch/ExecuTorchRuntime.swift.j2"
    assert rendered(runtime, ("c",)).strip() == ""
    assert "import ExecuTorch\n" in rendered(runtime)


def test_the_swift_calls_what_the_engines_header_declares():
    header = library.HEADER.read_text()
    called = set(re.findall(r"\b(glint_\w+)\(", ENGINE.read_text()))
    assert len(called) == 7
    assert all(re.search(rf"\b{name}\(", header) for name in called)


def test_the_package_takes_a_branch_of_executorch_that_is_there():
    """Of 1.5 there is swiftpm-1.5.0 alone; another minor version of the toolkit asks for a look."""
    for choice in ("executorch", "both"):
        assert re.findall(r'"(swiftpm-[^"]*)"', package(choice)) == ["swiftpm-1.5.0"]
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    extras = project["project"]["optional-dependencies"]["executorch"]
    assert any(one.startswith("executorch>=1.5.") and one.endswith("<1.6") for one in extras)


def test_the_linker_is_told_of_all_that_all_load_needs():
    text = package("executorch")
    settings = text.split("let allLoad")[1].split("\n\n")[0]
    assert '.unsafeFlags(["-Wl,-all_load"])' in settings and ".linkedFramework($0)" in settings
    for framework in ("Accelerate", "CoreGraphics", "CoreImage", "CoreVideo"):
        assert f'"{framework}"' in settings
    assert text.count("linkerSettings: allLoad") == 2  # the product's, and its tests'
    for page in (ROOT / "README.md.j2", Path(__file__).parents[2] / "docs/embed-ios.md"):
        assert "by version" in page.read_text()


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


# ---- compiled and run ----------------------------------------------------------------------------


def swift(*words, folder):
    done = subprocess.run(
        ["swift", *words], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def module(tmp_path_factory):
    """The shipped checkpoint's package."""
    if shutil.which("swift") is None or "Swift version" not in swift("--version", folder=ROOT):
        pytest.skip("no Swift compiler")
    folder = tmp_path_factory.mktemp("ios")
    bundle = ge.export(None, folder / "app.glint", targets=["c"], top_k=50)
    ge.embed(bundle, "ios", folder / "module")
    return folder / "module"


@pytest.mark.full
@pytest.mark.slow
@pytest.mark.golden
def test_swift_replays_golden_json_to_the_last_bit(module):
    tests = sum(text.read_text().count("func test") for text in module.glob("Tests/*/*.swift"))
    said = swift("test", "--disable-swift-testing", folder=module)
    assert f"Executed {tests} tests, with 0 failures" in said


@pytest.mark.full
@pytest.mark.slow
def test_the_newest_language_has_nothing_to_warn_of(module):
    flags = ("-warnings-as-errors", "-swift-version", "6")
    swift(
        "build", "-c", "release", *(w for flag in flags for w in ("-Xswiftc", flag)), folder=module
    )
