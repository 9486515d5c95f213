"""The emulator: instructions counted between two marks, and which QEMU can."""

import subprocess

import pytest

from device_bench.native import cross, emulator
from device_bench.native.emulator import CORES, Emulation, find_qemu
from glint_edge.errors import RunnerError

# Counts its argument down, two instructions a turn, between two marks; then shows the processor.
GUEST = """
#include <cstdio>
#include <cstdlib>
#include "mark.h"
int main(int, char** arguments) {
  long left = std::atol(arguments[1]);
  glint::mark(0);
  glint::mark(1);
  glint::mark(2);
  __asm__ volatile("1: subs %0, %0, #1\\n b.ne 1b" : "+r"(left)::"cc");
  glint::mark(3);
  char line[256];
  std::FILE* file = std::fopen("/proc/cpuinfo", "r");
  while (std::fgets(line, sizeof line, file)) std::fputs(line, stdout);
}
"""


@pytest.mark.slow
def test_counts_every_instruction_between_two_marks(arm64_tools, tmp_path):
    source, program = tmp_path / "guest.cpp", tmp_path / "guest"
    source.write_text(GUEST)
    include = f"-I{emulator.SOURCES / 'src'}"
    subprocess.run([cross.COMPILER, "-static", "-O1", include, source, "-o", program], check=True)
    # Commas are QEMU's separators.
    folder = tmp_path / "one,two"
    folder.mkdir()
    for turns in (1000, 100_000):
        emulation = Emulation.of(find_qemu(), CORES["cortex-a53"], folder)
        command = [*emulation.command, program, str(turns)]
        shown = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        calls = emulation.calls(["nothing", "loop"])
        (overhead,), (count,) = calls["nothing"], calls["loop"]
        assert overhead < 100
        assert abs(count - 2 * turns - overhead) <= 2
    assert "CPU part\t: 0xd03" in shown
    assert "asimddp" not in shown


def test_a_later_qemu_has_a_later_plugin_interface(install_qemu):
    install_qemu(version="7.2.22 (Debian 1:7.2)")
    assert find_qemu().interface == 1
    install_qemu(version="10.0.2")
    assert find_qemu().interface == 2


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (["0 10", "1 30", "2 40"], "did not see all calls"),
        (["0 10", "1 30"], "did not see all calls"),
        (["0 10", "3 30", "2 31", "1 40"], "saw mark 3 after mark 0"),
        (["0 10", "1 30", "4 40", "5 50"], "saw mark 5 after mark 4"),
    ],
)
def test_marks_that_are_no_pairs_are_refused(tmp_path, lines, says):
    path = tmp_path / "counts.txt"
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(RunnerError, match=says):
        Emulation((), path).calls(["append", "recommend"])
