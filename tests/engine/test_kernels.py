"""Every set of kernels gives the same bits: states, lists and scores, filtered or not."""

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from glint_edge.engine.library import HEADER, LIBRARY, SOURCES, compiler, one_file
from glint_edge.engine.web import COMPILER, WASM
from tests.engine.models import KINDS, PRECISIONS, engine_of, file_of
from tests.skips import require

REPLAY, IN_NODE = (Path(__file__).with_name(name) for name in ("replay.c", "lists.mjs"))
FLAGS = ("-std=c11", "-O2", "-Wall", "-Wextra", "-Wpedantic", "-Werror", f"-I{HEADER.parent}")
NOT_HERE = "0" * 16  # what `replay` says of kernels that this processor has not
NOT_ONE_BY_ONE = f"{1:016x}"
ON_ARM = "aarch64-linux-gnu-gcc"
MODELS = [(kind, precision) for kind in KINDS for precision in PRECISIONS]

pytestmark = pytest.mark.skipif(not LIBRARY.is_file(), reason="no C compiler is here")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return [tmp_path_factory.mktemp(f"model{number}") for number in range(len(MODELS))]


@pytest.fixture(scope="module")
def files(folders):
    return [file_of(*of, folder) for of, folder in zip(MODELS, folders, strict=True)]


def digests(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.split()


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """`replay` on the library that is here."""
    program = tmp_path_factory.mktemp("replay") / "replay"
    subprocess.run([*compiler(), *FLAGS, REPLAY, LIBRARY, f"-Wl,-rpath,{LIBRARY.parent}", "-o",
                    program], check=True)  # fmt: skip
    return program


@pytest.fixture(scope="module")
def expected(here, files):
    return digests(here, "portable", *files)


def test_many_items_are_the_same_as_one_by_one(expected):
    assert len(set(expected)) == len(expected)
    assert not {NOT_HERE, NOT_ONE_BY_ONE} & set(expected)


@pytest.mark.parametrize("kernels", ["avx2", "avx-vnni", "avx512-vnni", "neon", "neon-dot"])
def test_kernels_here_give_the_same_bits(kernels, here, files, expected):
    got = digests(here, kernels, *files)
    if set(got) == {NOT_HERE}:
        pytest.skip(f"this processor has no {kernels}")
    assert got == expected


@pytest.fixture(scope="module")
def on_arm(tmp_path_factory):
    if not shutil.which(ON_ARM) or not shutil.which("qemu-aarch64"):
        pytest.skip("needs aarch64-linux-gnu-gcc and qemu-user (Debian, Ubuntu: apt-get)")
    program = tmp_path_factory.mktemp("arm") / "replay"
    subprocess.run([ON_ARM, *FLAGS, "-static", *sorted(SOURCES.glob("*.c")), REPLAY, "-o",
                    program], check=True)  # fmt: skip
    return program


@pytest.mark.full
@pytest.mark.parametrize(
    ("core", "kernels"),
    [("cortex-a53", "neon"), ("cortex-a76", "neon"), ("cortex-a76", "neon-dot")],
)
def test_arm64_gives_the_same_bits(core, kernels, files, expected, on_arm):
    assert digests("qemu-aarch64", "-cpu", core, on_arm, kernels, *files) == expected


@pytest.mark.full
def test_a_core_without_dot_products_has_none(files, on_arm):
    said = digests("qemu-aarch64", "-cpu", "cortex-a53", on_arm, "neon-dot", files[0])
    assert said == [NOT_HERE]


# How apps' own builds compile the one file: Android for its 32-bit processors, SwiftPM for a test.
IN_APPS = {
    "armeabi-v7a": (("-target", "thumb-linux-musleabihf", "-mcpu=cortex_a8", "-O3"), "qemu-arm"),
    "x86": (("-target", "x86-linux-musl", "-mcpu=i686+sse3", "-O3"), "qemu-i386"),
    "swift test": (("-O0", "-g", "-fblocks", "-fmodules", "-fno-sanitize=undefined"), None),
}


@pytest.mark.full
@pytest.mark.parametrize("name", IN_APPS)
def test_apps_builds_give_the_same_bits(name, files, expected, tmp_path):
    flags, emulator = IN_APPS[name]
    require(COMPILER, "dev")
    if emulator and not shutil.which(emulator):
        pytest.skip("needs qemu-user (Debian, Ubuntu: apt-get)")
    source, program = tmp_path / "glint.c", tmp_path / "replay"
    source.write_text(one_file(), "utf-8")
    static = ["-static"] if emulator else []
    subprocess.run([sys.executable, "-m", COMPILER, "cc", *flags, *static, f"-I{HEADER.parent}",
                    source, REPLAY, "-o", program], check=True)  # fmt: skip
    run = [emulator, program] if emulator else [program]
    assert digests(*run, "portable", *files) == expected


def digest_of(engine, history):
    """What `lists.mjs` says, of the library here."""
    whole = hashlib.sha256()
    state = engine.append(engine.append_many(engine.empty_state(), history), 1)
    whole.update(state.tobytes())
    ids = np.arange(engine.config.items + 9)
    bias = np.where(ids % 3, (ids % 7) / 64, -np.inf).astype(np.float32)[None]
    for k, filtered in ((10, None), (bias.size, bias)):
        engine.top_k = k
        for items, scores in (engine.recommend(state, filtered), engine.similar(2, filtered)):
            whole.update(items.astype(np.int32).tobytes() + scores.tobytes())
    return whole.hexdigest()


@pytest.mark.skipif(sys.byteorder != "little", reason="digests are of little-endian bytes")
def test_webassembly_gives_the_same_bits(files, folders):
    if shutil.which("node") is None:
        pytest.skip("needs Node.js")
    draw = np.random.default_rng(4)
    # No longer than what the models with reference padding may take in.
    histories = [draw.integers(-1, 60, length).tolist() for length in (0, 1, 5, 8)]
    command = ["node", IN_NODE, WASM, *files]
    done = subprocess.run(
        command, input=json.dumps(histories), capture_output=True, text=True, check=True
    )
    for of, folder, got in zip(MODELS, folders, json.loads(done.stdout), strict=True):
        engine = engine_of(*of, folder)
        assert [digest_of(engine, history) for history in histories] == got, of
