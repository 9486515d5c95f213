"""The C++ module around a real bundle: built on the engine or ExecuTorch, tested by ctest."""

import json
import re
import shutil
import subprocess
import sysconfig
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from converters.export import export
from converters.options import ExportOptions
from device_bench.native import cross
from device_bench.native.build import find_packages
from glint_edge.apps.module import embed, find_platform
from glint_edge.bundles.bundle import load_bundle, write_manifest
from glint_edge.checkpoints.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from glint_edge.data.catalogue import Catalogue
from glint_edge.data.record import DataSource
from glint_edge.errors import MissingExtraError, RunnerError
from glint_edge.files import write_json
from tests.bundles_changed import ALL_REFUSED, TAKEN, changed_copies
from tests.conversions import CHUNK, TOP_K
from tests.small import tiny_neighbours

# Whatever a user's keys may be: quotes, escapes, and beyond 16 bits.
KEYS = ['quote"d', "𝄞 clef", "back\\slash", "tab\tkey", "\x01", "Zweiter – ２", "\x7f"]
TESTS = ("formats", "filters", "golden", "session", "lists", "bundle")


@dataclass(frozen=True)
class Tools:
    cmake: str
    ninja: str

    def configure(self, source, build, *options, executorch=None):
        """Configure a project, if need be on the ExecuTorch of a folder of Python packages."""
        if executorch:
            options = (*options, f"-DCMAKE_PREFIX_PATH={executorch / 'executorch'}")
        run(
            self.cmake, "-G", "Ninja", "-S", source, "-B", build,
            # A fifth less to compile than -O3.
            "-DCMAKE_C_FLAGS_RELEASE=-O1 -DNDEBUG", "-DCMAKE_CXX_FLAGS_RELEASE=-O1 -DNDEBUG",
            f"-DCMAKE_MAKE_PROGRAM={self.ninja}", *options,
        )  # fmt: skip
        return build

    def build(self, folder):
        return run(self.cmake, "--build", folder)

    def test(self, folder):
        return run(
            Path(self.cmake).with_name("ctest"), "--test-dir", folder, "--no-tests=error",
            "--output-on-failure",
        )  # fmt: skip


def require_all_passed(said):
    assert re.search(rf"100% tests passed.* out of {len(TESTS)}\n", said), said
    assert all(f": {name} ." in said for name in TESTS), said


def run(*command, **options):
    done = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, check=False, **options
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def program(name):
    scripts = sysconfig.get_path("scripts")
    return shutil.which(name, path=scripts) or shutil.which(name)


@pytest.fixture(scope="session")
def tools():
    found = {name: program(name) for name in ("cmake", "ninja", "c++")}
    if absent := [name for name, path in found.items() if path is None]:
        pytest.skip(f"no {', '.join(absent)}: needs glint-edge[native] and a C++ compiler")
    return Tools(found["cmake"], found["ninja"])


def make_module(shipped, target, folder):
    """The module around an int8 bundle, with every kind of text in its catalogue."""
    keys = [*KEYS, *shipped.catalogue.keys[len(KEYS) + 1 :]]
    catalogue = Catalogue(
        ("", *keys), {KEYS[0]: 'A "title"\n', KEYS[1]: "Zweiter – ２ 𝄞"},
        fields={"kind": dict.fromkeys(keys[::2], "Even"), "Marke": dict.fromkeys(keys[:9], "Ä")},
        images={key: f"HTTPS://cdn.example/{n}.png" for n, key in enumerate(keys[::3])},
    )  # fmt: skip
    neighbours = tiny_neighbours(shipped.model.config.items, 8)
    checkpoint = Checkpoint(
        shipped.model, catalogue, DataSource("app", "app"), neighbours=neighbours
    )
    save_checkpoint(checkpoint, folder / "run")
    options = ExportOptions((target,), "int8", TOP_K, folder / "app.glint", chunk=CHUNK)
    bundle = export(
        load_checkpoint(folder / "run"), options, folder=folder / "run",
        check=lambda *_: [],
    )  # fmt: skip
    assert bundle.manifest["methods"]["append_many"]["inputs"][1]["shape"] == [1, CHUNK]
    embed(bundle, find_platform("cpp"), folder / "module")
    return folder / "module"


@pytest.fixture(scope="session")
def module(shipped, tmp_path_factory):
    """On the engine, which a module takes by default."""
    return make_module(shipped, "c", tmp_path_factory.mktemp("cpp"))


# Headers are most of what is compiled: all sources of the library in one go read them once.
UNITY = ("-DCMAKE_UNITY_BUILD=ON", "-DCMAKE_UNITY_BUILD_BATCH_SIZE=0")


@pytest.fixture(scope="session")
def built(tools, module, tmp_path_factory):
    """Where it is built for this machine: not in its own folder."""
    folder = tools.configure(module, tmp_path_factory.mktemp("build"), *UNITY)
    assert "warning" not in tools.build(folder)
    return folder


@pytest.mark.golden
@pytest.mark.slow
def test_ctest_is_green(tools, built):
    require_all_passed(tools.test(built))


def make_wrong(golden, wrong):
    """Change one thing in what golden.json holds."""
    case = golden["cases"][2]
    if wrong == "exact state":
        case["exact"]["state"] = golden["cases"][1]["exact"]["state"]
    elif wrong == "exact items":
        case["exact"]["items"][:2] = case["exact"]["items"][1::-1]
    elif wrong == "exact scores":
        score = np.float32(case["exact"]["scores"][-1])
        case["exact"]["scores"][-1] = float(np.nextafter(score, np.float32(0)))
    elif wrong == "items":
        case["items"] = case["items"][::-1]
    elif wrong in ("lists", "similar"):
        golden[wrong][-1]["items"] = golden[wrong][-1]["items"][::-1]
    elif wrong == "neighbours":
        for one in golden["lists"]:  # in some of them neighbours come in
            one.pop("neighbours", None)
    elif wrong == "scores":
        case["scores"][3] += 2 * golden["tolerance"]["score_error"]
    else:
        error = 2 * golden["tolerance"]["relative_state_error"]
        case[wrong] += error * case["state_norm"]


@pytest.mark.slow
def test_the_replay_finds_another_model(built, module, tmp_path):
    bundle = shutil.copytree(module / "assets" / "app.glint", tmp_path / "app.glint")
    replay = [built / "tests" / "golden_test", bundle]
    golden = json.loads((bundle / "golden.json").read_bytes())
    lists = len(golden["lists"]) + len(golden["similar"])
    cases = len(golden["cases"])
    exact = 2 * cases  # by each of two methods
    assert any(0 in case["history"] for case in golden["cases"])  # an item that has no key
    assert (
        run(*replay) == f"{cases} cases and {lists} lists replayed, {exact} times to the last bit\n"
    )

    def write(golden):
        write_json(bundle / "golden.json", golden)
        manifest = json.loads((bundle / "manifest.json").read_bytes())
        for written in ("digest", "files", "schema_version"):
            del manifest[written]
        manifest.pop("part_of", None)
        write_manifest(bundle, manifest)

    for wrong in (
        "scores", "state_sum", "state_norm", "items", "lists", "similar", "neighbours",
        "exact state", "exact items", "exact scores",
    ):  # fmt: skip
        other = json.loads(json.dumps(golden))
        make_wrong(other, wrong)
        write(other)
        done = subprocess.run(replay, capture_output=True, text=True, check=False)
        assert done.returncode == 1, wrong
    # An app without the file passes over the lists with neighbours.
    (bundle / "neighbours.bin").unlink()
    write(golden)
    lists -= sum(one.get("neighbours", False) for one in golden["lists"])
    assert (
        run(*replay) == f"{cases} cases and {lists} lists replayed, {exact} times to the last bit\n"
    )


@pytest.mark.slow
def test_the_example_recommends_at_a_terminal(built, module):
    folder = module / "assets" / "app.glint"
    whole = load_bundle(folder)
    case = next(case for case in whole.golden.cases if len(case.history) == 1)
    tapped = whole.catalogue.keys[case.history[0]]
    done = subprocess.run(
        [built / "example", folder], input=f"{tapped}\nunheard of\n",  # without neighbours
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stderr == ""
    said = done.stdout.splitlines()
    assert said[0].startswith("start, 0 items: ")
    assert said[-1].startswith('item "unheard of" is not in the catalogue; ')
    append = next(n for n, line in enumerate(said) if line.startswith("append: "))
    listed = (re.match(r" *(-?\d+\.\d+) ", line) for line in said[append + 1 :])
    scores = [float(line[1]) for line in listed if line][:10]  # a title may be of two lines
    # What was just tapped is left out.
    best = [s for s, item in zip(case.scores, case.items, strict=True) if item != case.history[0]]
    assert len(best) >= 9
    np.testing.assert_allclose(scores[: len(best)], best[:10], atol=whole.golden.score_error)


@pytest.mark.slow
def test_the_example_says_what_is_wrong_in_a_line(built, tmp_path):
    done = subprocess.run(
        [built / "example", tmp_path], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr == f"{tmp_path} is not a bundle: it has no manifest.json\n"


@ALL_REFUSED
@pytest.mark.slow
def test_what_every_platform_refuses_is_an_error_of_one_line(built, module, tmp_path, changes):
    wrong = []
    for change, folder in changed_copies(module / "assets" / "app.glint", tmp_path, changes):
        done = subprocess.run([built / "example", folder], capture_output=True, check=False)
        said = done.stderr.decode()
        if done.returncode != 1 or said.count("\n") != 1 or not said.endswith(" again\n"):
            wrong.append((str(change), done.returncode, said))
    assert wrong == []


@pytest.mark.slow
def test_what_every_platform_takes_is_loaded(built, module, tmp_path):
    for _, folder in changed_copies(module / "assets" / "app.glint", tmp_path, TAKEN):
        run(built / "example", folder)


@pytest.mark.full
@pytest.mark.slow
def test_it_is_a_part_of_another_project(tools, module, tmp_path):
    """As README.md has it; neither the module's tests nor its example are built there."""
    shutil.copytree(module, tmp_path / "recommender", ignore=shutil.ignore_patterns("assets"))
    shutil.rmtree(tmp_path / "recommender" / "tests")
    (tmp_path / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.16)\nproject(app LANGUAGES C CXX)\n"
        "add_subdirectory(recommender)\nadd_executable(app main.cpp)\n"
        "target_link_libraries(app PRIVATE glint_edge::recommender)\n"
    )
    (tmp_path / "main.cpp").write_text(
        "#include <glint_edge/recommender.h>\n#include <iostream>\n"
        "int main(int, char** words) {\n"
        "  const auto recommender = glint_edge::Recommender::load(words[1]);\n"
        "  std::cout << recommender.recommend({}, 2)[1].key;\n}\n"
    )
    folder = tools.configure(tmp_path, tmp_path / "build")
    tools.build(folder)
    assert not list(folder.rglob("*_test")) and not list(folder.rglob("example"))
    assert run(folder / "app", module / "assets" / "app.glint") == KEYS[1]


@pytest.mark.full
@pytest.mark.golden
@pytest.mark.slow
def test_ctest_is_green_on_executorch(tools, shipped, tmp_path):
    module = make_module(shipped, "executorch", tmp_path)
    assert not (module / "engine").exists()
    folder = tools.configure(
        module, tmp_path / "build", *UNITY, executorch=find_packages("executorch")[0]
    )
    assert "warning" not in tools.build(folder)
    require_all_passed(tools.test(folder))
    done = subprocess.run(
        [folder / "example", module / "assets/app.glint"], input="", capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert done.stderr == ""  # its libraries would say what they think of this machine


@pytest.mark.full
@pytest.mark.golden
@pytest.mark.slow
@pytest.mark.parametrize("target", ["c", "executorch"])
def test_ctest_is_green_on_64_bit_arm(tools, module, shipped, arm64_tools, target, tmp_path):
    """Cross-compiled, on an emulated core; ExecuTorch's is the aarch64 wheel's."""
    packages = None
    if target == "executorch":
        try:
            cross.fetch("executorch", lambda step: None)
        except (MissingExtraError, RunnerError) as error:
            pytest.skip(str(error))
        packages, module = cross.packages_of("executorch"), make_module(shipped, target, tmp_path)
    folder = tools.configure(
        module, tmp_path / "build", *UNITY,
        "--toolchain", module / "cmake" / "aarch64-linux.cmake", executorch=packages,
    )  # fmt: skip
    tools.build(folder)
    machine = (folder / "example").read_bytes()[18:20]  # of the ELF header
    assert machine == b"\xb7\0"
    require_all_passed(tools.test(folder))
