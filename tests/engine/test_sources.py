"""The engine's C: clean for any compiler here, as many files or one, and safe with any bytes."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from glint_edge.engine.library import (
    HEADER,
    LIBRARY,
    SOURCES,
    NoCompilerError,
    build,
    compiler,
    one_file,
)
from glint_edge.engine.web import COMPILER
from tests.engine.models import file_of
from tests.skips import require

DAMAGE = Path(__file__).with_name("damage.c")
STRICT = ("-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", f"-I{HEADER.parent}")
SANITIZERS = (
    "-g",
    "-fsanitize=address,undefined",
    "-fno-sanitize-recover=all",
    "-DGLINT_SANITIZED",
)
# What a compiler may ask for, of itself, where nothing is hosted.
FREESTANDING = {"memcpy", "memset", "memmove", "memcmp"}
LINES = 1500
SET_BYTES, ALL_BYTES = 64 << 10, 128 << 10  # of code, and of constants: a set's, and everything

pytestmark = pytest.mark.skipif(not LIBRARY.is_file(), reason="no C compiler is here")


def run(*command):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_is_short():
    files = [HEADER, *SOURCES.iterdir()]
    assert sum(len(path.read_text("utf-8").splitlines()) for path in files) <= LINES


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The folder of the one file, and its object."""
    folder = tmp_path_factory.mktemp("alone")
    (folder / "glint.c").write_text(one_file())
    shutil.copy(HEADER, folder)
    flags = [flag for flag in STRICT if not flag.startswith("-I")]
    run(*compiler(), *flags, "-O1", "-ffreestanding", "-c", folder / "glint.c", "-o",
        folder / "glint.o")  # fmt: skip
    return folder


def test_one_file_needs_nothing_and_changes_nothing(alone):
    symbols = [line.split() for line in run("nm", alone / "glint.o").splitlines()]
    wanted = {words[-1] for words in symbols if words[-2] == "U"}
    assert wanted <= FREESTANDING
    # No data that can be written but what the linker fills in: addresses of kernels.
    assert not [words for words in symbols if words[-2] in "bBcCG"]
    public = {words[-1] for words in symbols if words[-2] == "T"}
    assert all(name.startswith("glint_") for name in public)


@pytest.mark.skipif(sys.platform != "linux", reason="reads nm and size of binutils")
def test_kernels_are_small():
    """Each set of the library, which is built for speed (-O3), and all of it."""
    lines = [line.split() for line in run("nm", "-S", LIBRARY).splitlines()]
    symbols = [(words[3].partition(".")[0], int(words[1], 16)) for words in lines if words[3:]]
    sets = [name.removeprefix("linear_int8") for name, _ in symbols if "linear_int8_" in name]
    assert "_portable" in sets
    for kernels in sets:
        assert sum(size for name, size in symbols if name.endswith(kernels)) <= SET_BYTES
    text = int(run("size", LIBRARY).splitlines()[1].split()[0])
    assert text <= ALL_BYTES


ELSEWHERE = {
    "aarch64-macos": (),
    "x86_64-windows-gnu": (),
    "aarch64-linux-musl": ("-O2",),
    "aarch64-windows-gnu": ("-O2",),
    "x86_64-macos": ("-O2",),
    "arm-linux-musleabihf": ("-O2",),
    "riscv64-linux-musl": ("-O2",),
}


@pytest.mark.parametrize(
    "target",
    [
        pytest.param(name, marks=[pytest.mark.full] if more else [])
        for name, more in ELSEWHERE.items()
    ],
)
def test_it_is_clean_for_another_system(target, alone, tmp_path):
    require(COMPILER, "dev")
    flags = [flag for flag in STRICT if not flag.startswith("-I")]
    run(sys.executable, "-m", COMPILER, "cc", "-target", target, *ELSEWHERE[target], *flags, "-c",
        alone / "glint.c", "-o", tmp_path / "glint.o")  # fmt: skip


@pytest.fixture(scope="module")
def damager(tmp_path_factory):
    program = tmp_path_factory.mktemp("damage") / "damage"
    run(*compiler(), *STRICT, "-O0", *SANITIZERS, *sorted(SOURCES.glob("*.c")),
        DAMAGE, "-o", program)  # fmt: skip
    return program


@pytest.mark.parametrize("tries", [2_000, pytest.param(250_000, marks=pytest.mark.full)])
@pytest.mark.parametrize("kind", ["light", "reference"])
@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_no_damage_is_read_beyond(damager, kind, precision, tries, tmp_path):
    opened = int(run(damager, file_of(kind, precision, tmp_path), tries))
    assert 0 < opened < tries


def test_without_a_compiler_it_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(NoCompilerError, match="install gcc or clang, or: pip install ziglang"):
        build(tmp_path / "library.so")
    monkeypatch.setenv("CC", "no-such-compiler")
    with pytest.raises(NoCompilerError, match="no-such-compiler cannot be started"):
        build(tmp_path / "library.so")
