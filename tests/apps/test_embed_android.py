"""The Android module, as far as real tools go without an Android SDK.

Its library is compiled by the Kotlin compiler against the declarations of `android_stubs`, its unit
tests are run on the JVM with Android's own JSON classes, and what needs an SDK is parsed.
"""

import json
import re
import shutil
import subprocess
import xml.etree.ElementTree as ET
from importlib import resources
from pathlib import Path

import pytest

from glint_edge.bundles.bundle import load_bundle
from glint_edge.engine import library
from tests.bundles_changed import REFUSED, TAKEN, changed_copies
from tests.conversions import no_conversion
from tests.small import small_bundle, tiny_neighbours

ROOT = Path(str(resources.files("glint_edge.apps"))) / "platforms" / "android" / "module"
LIBRARY = ROOT / "recommender/src"
STUBS = Path(__file__).parent / "android_stubs"
DOORS, REPLAY = (Path(__file__).parent / f"android_{name}.kt" for name in ("doors", "golden"))
FLAVOURS = {"c": None, "executorch": "org.pytorch.executorch", "tflite": "org.tensorflow.lite",
            "onnx": "ai.onnxruntime"}  # fmt: skip
COMPILER = "kotlin-compiler@2.4.20"  # the real one; from npm since pip has none
JARS = ("junit4.jar", "hamcrest.jar", "com.android.json.jar")


def kotlin_files():
    names = [path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*.kt*")]
    return sorted(name for name in names if "/build/" not in name)


def rendered(path):
    """A template's text with a word for each value: what a parser can read."""
    text = path.read_text("utf-8")
    return re.sub(r"\{\{.*?\}\}", "value", re.sub(r"\{%-.*?%\}", "", text))


@pytest.mark.parametrize("name", kotlin_files())
def test_every_kotlin_file_parses(name):
    language = pytest.importorskip("tree_sitter_kotlin", reason="needs glint-edge[dev]").language()
    from tree_sitter import Language, Parser

    parser = Parser(Language(language))
    tree = parser.parse(rendered(ROOT / name).encode())
    assert not tree.root_node.has_error, tree.root_node
    assert parser.parse(b"fun broken( {").root_node.has_error


def test_every_xml_file_is_well_formed_and_names_a_class_that_is_there():
    for path in ROOT.rglob("*.xml*"):
        tree = ET.fromstring(rendered(path).encode())
        assert not [one for one in tree.iter() if "permission" in one.tag], path
    android = "{http://schemas.android.com/apk/res/android}"
    sample = ET.fromstring(rendered(ROOT / "sample/src/main/AndroidManifest.xml.j2").encode())
    (activity,) = [one.get(f"{android}name") for one in sample.iter("activity")]
    source = ROOT / f"sample/src/main/kotlin/app/glintedge/sample/{activity.lstrip('.')}.kt"
    assert f"class {activity.lstrip('.')} : ComponentActivity" in source.read_text()


def test_the_rules_keep_what_each_flavour_imports():
    rules = (ROOT / "recommender/consumer-rules.pro").read_text()
    for flavour, package in FLAVOURS.items():
        source = (LIBRARY / flavour / "kotlin/app/glintedge/RuntimeEngine.kt").read_text()
        if package:
            assert re.search(rf"^import {re.escape(package)}\.", source, re.MULTILINE)
            assert f"-keep class {package}.** {{ *; }}" in rules
        assert f'override val target = "{flavour}"' in source
        assert f'"{flavour}"' in (ROOT / "recommender/build.gradle.kts.j2").read_text()


def test_the_engines_functions_have_the_names_that_the_jvm_looks_for():
    source = (LIBRARY / "c/kotlin/app/glintedge/RuntimeEngine.kt").read_text()
    names = re.findall(r"@JvmStatic external fun (\w+)", source)
    code = (LIBRARY / "c/cpp/glint_jni.c").read_text()
    assert re.findall(r"GLINT_JNI\(\w+, (\w+)\)\(JNIEnv", code) == names and len(names) == 7
    rules = (ROOT / "recommender/consumer-rules.pro").read_text()
    assert "-keep class app.glintedge.Glint { native <methods>; }" in rules
    assert len(code.splitlines()) < 80


def test_every_version_is_a_number():
    """Two builds are of the same parts: no `latest.release`, no `+`, no range."""
    versions = []
    for path in (path for path in ROOT.rglob("*.kts*") if "/build/" not in path.as_posix()):
        text = path.read_text()
        versions += re.findall(r'"[\w.-]+:[\w.-]+:([^"]+)"', re.sub(r"{{.*?}}", "1.0", text))
        versions += re.findall(r'\) version "([^"]+)"', text)
    assert len(versions) > 10
    assert [one for one in versions if not re.fullmatch(r"\d+(\.\d+)*", one)] == []


def test_onnx_runtime_is_the_version_that_browsers_test():
    build = (ROOT / "recommender/build.gradle.kts.j2").read_text()
    (version,) = re.findall(r"onnxruntime-android:([\d.]+)", build)
    web = json.loads((ROOT.parents[1] / "web/module/package.json").read_text())
    assert version == web["dependencies"]["onnxruntime-web"]


def test_one_gradle_everywhere():
    """The wrapper's settings alone: its jar is what `gradle wrapper` writes."""
    (name,) = (path.name for path in (ROOT / "gradle").rglob("*.*"))
    kept = dict(
        line.split("=", 1)
        for line in (ROOT / "gradle/wrapper" / name).read_text().replace("\\:", ":").splitlines()
    )
    version = re.search(r"gradle-([\d.]+)-bin\.zip$", kept["distributionUrl"])[1]
    build = (ROOT / "build.gradle.kts").read_text()
    assert f'gradleVersion = "{version}"' in build
    assert f'distributionSha256Sum = "{kept["distributionSha256Sum"]}"' in build
    assert re.fullmatch("[0-9a-f]{64}", kept["distributionSha256Sum"])
    top = Path(__file__).parents[2]
    assert f'gradle-version: "{version}"' in (top / ".github/workflows/android.yml").read_text()
    for text in (ROOT / "README.md.j2", top / "docs/embed-android.md"):
        assert "`gradle wrapper`" in text.read_text() or "gradle wrapper " in text.read_text()
        assert f"Gradle {version}" in text.read_text()


# ---- compiled and run ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def jars():
    found = [Path("/usr/share/java") / name for name in JARS]
    lacking = [name for name in ("java", "javac", "npm") if shutil.which(name) is None]
    lacking += [path.name for path in found if not path.exists()]
    if lacking:
        pytest.skip(
            f"no {', '.join(lacking)} (Debian: default-jdk-headless, npm, junit4, "
            "libhamcrest-java, libandroid-json-java)"
        )
    return found


def run(*command, **options):
    done = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, check=False, **options
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def compiler(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kotlin")
    try:
        run("npm", "install", "--no-audit", "--no-fund", COMPILER, cwd=folder)
    except AssertionError as error:
        pytest.skip(f"the Kotlin compiler cannot be fetched: {error}")
    return folder / "node_modules/kotlin-compiler"


@pytest.fixture(scope="module")
def classes(jars, compiler, tmp_path_factory):
    """The class path of the library, compiled with every runtime, and of its tests."""
    folder = tmp_path_factory.mktemp("classes")
    run("javac", "-d", folder / "stubs", *STUBS.rglob("*.java"))
    # Of an app's flavours only one is built at a time; here, in one go, each has a name of its own.
    sources = [*(LIBRARY / "main").rglob("*.kt"), *(LIBRARY / "test").rglob("*.kt"), DOORS, REPLAY]
    for flavour in FLAVOURS:
        text = (LIBRARY / flavour / "kotlin/app/glintedge/RuntimeEngine.kt").read_text()
        if flavour != "executorch":
            text = text.replace("object RuntimeEngine", f"object {flavour.title()}Engines")
        sources.append(folder / f"{flavour}.kt")
        sources[-1].write_text(text)
    packages = [*jars, folder / "stubs"]
    said = run(
        "java", "-cp", compiler / "lib/kotlin-compiler.jar",
        "org.jetbrains.kotlin.cli.jvm.K2JVMCompiler", "-kotlin-home", compiler, "-no-reflect",
        "-jvm-target", "17", "-Werror", "-cp", ":".join(map(str, packages)),
        "-d", folder / "classes", *sources,
    )  # fmt: skip
    assert "error:" not in said
    return ":".join(map(str, [*packages, folder / "classes", compiler / "lib/kotlin-stdlib.jar"]))


@pytest.mark.full
@pytest.mark.slow
def test_the_library_compiles_with_every_runtime_and_its_unit_tests_pass(classes):
    tests = {path.stem: path.read_text() for path in (LIBRARY / "test").rglob("*.kt")}
    count = sum(text.count("@Test") for text in tests.values())
    said = run(
        "java", "-cp", classes, "org.junit.runner.JUnitCore",
        *(f"app.glintedge.{name}" for name in tests),
    )  # fmt: skip
    assert re.search(rf"^OK \({count} tests\)$", said, re.MULTILINE), said


@pytest.mark.full
@pytest.mark.slow
def test_what_every_platform_refuses_is_damaged(classes, make_model, tmp_path):
    with no_conversion():
        whole = small_bundle(make_model(), tmp_path, "executorch")
    copies = list(changed_copies(whole, tmp_path, (*REFUSED, *TAKEN)))
    said = run(
        "java", "-cp", classes, "app.glintedge.Android_doorsKt", *(path for _, path in copies)
    )
    lines = zip((change for change, _ in copies), said.splitlines(), strict=True)
    for number, (change, line) in enumerate(lines):
        is_refused = line.startswith("DAMAGED\t") and "cannot be run (taken)" not in line
        assert is_refused == (number < len(REFUSED)), (str(change), line)
        assert line.endswith("again"), line


@pytest.mark.full
@pytest.mark.golden
@pytest.mark.slow
def test_golden_json_is_replayed_on_the_engine_to_the_last_bit(classes, make_model, tmp_path):
    """By the module's Kotlin, above the C that an app compiles, on this machine's JVM."""
    bundle = small_bundle(
        make_model(), tmp_path, "c", quantize="int8", neighbours=tiny_neighbours(40, 4)
    )
    for name, text in {
        "glint.c": library.one_file(), "glint.h": library.HEADER.read_text(),
        **{path.name: path.read_text() for path in (LIBRARY / "c/cpp").iterdir()},
    }.items():  # fmt: skip
        (tmp_path / name).write_text(text)
    settings = run("java", "-XshowSettings:properties", "-version")
    jni = Path(re.search(r"java\.home = (.+)", settings)[1]) / "include"
    run("cmake", "-S", tmp_path, "-B", tmp_path / "build", "-DCMAKE_BUILD_TYPE=Debug",
        f"-DCMAKE_C_FLAGS=-Wall -Wextra -Werror -I{jni} -I{jni / 'linux'}")  # fmt: skip
    run("cmake", "--build", tmp_path / "build")
    said = run(
        "java", "-Xcheck:jni", f"-Djava.library.path={tmp_path / 'build'}", "-cp", classes,
        "app.glintedge.Android_goldenKt", bundle,
    )  # fmt: skip
    assert said == f"{len(load_bundle(bundle).golden.cases)} exact cases\n"
