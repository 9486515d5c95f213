"""Every set of kernels gives the same bits: states, lists and scores, filtered or not."""

import shutil
import subprocess
from pathlib import Path

import pytest

from glint_edge.engine.library import HEADER, LIBRARY, SOURCES, compiler
from tests.engine.models import KINDS, PRECISIONS, file_of

REPLAY = Path(__file__).with_name("replay.c")
NOT_HERE = "0" * 16  # what `replay` says of kernels that this processor has not
NOT_ONE_BY_ONE = f"{1:016x}"
ON_ARM = "aarch64-linux-gnu-gcc"

pytestmark = pytest.mark.skipif(not LIBRARY.is_file(), reason="no C compiler is here")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    paths = []
    for number, (kind, precision) in enumerate((k, p) for k in KINDS for p in PRECISIONS):
        folder = tmp_path_factory.mktemp(f"model{number}")
        paths.append(file_of(kind, precision, folder))
    return paths


def built(program, *command):
    sources = sorted(SOURCES.glob("*.c"))
    flags = ("-std=c11", "-O2", "-Wall", "-Wextra", "-Wpedantic", "-Werror")
    subprocess.run([*command, *flags, f"-I{HEADER.parent}", *sources, REPLAY, "-o", program],
                   check=True)  # fmt: skip
    return program


def digests(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.split()


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    return built(tmp_path_factory.mktemp("replay") / "replay", *compiler())


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


@pytest.mark.full
@pytest.mark.parametrize(
    ("core", "kernels"),
    [("cortex-a53", "neon"), ("cortex-a76", "neon"), ("cortex-a76", "neon-dot")],
)
def test_arm64_gives_the_same_bits(core, kernels, files, expected, tmp_path):
    if not shutil.which(ON_ARM) or not shutil.which("qemu-aarch64"):
        pytest.skip("needs aarch64-linux-gnu-gcc and qemu-user (Debian, Ubuntu: apt-get)")
    program = built(tmp_path / "replay", ON_ARM, "-static")
    assert digests("qemu-aarch64", "-cpu", core, program, kernels, *files) == expected


@pytest.mark.full
def test_a_core_without_dot_products_has_none(tmp_path, files):
    if not shutil.which(ON_ARM) or not shutil.which("qemu-aarch64"):
        pytest.skip("needs aarch64-linux-gnu-gcc and qemu-user (Debian, Ubuntu: apt-get)")
    program = built(tmp_path / "replay", ON_ARM, "-static")
    said = digests("qemu-aarch64", "-cpu", "cortex-a53", program, "neon-dot", files[0])
    assert said == [NOT_HERE]
