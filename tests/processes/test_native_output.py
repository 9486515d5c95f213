"""What native code prints: held back in a command line, and let through in a library."""

import os
import subprocess
import sys
import threading

import pytest

from glint_edge.processes import native_output
from glint_edge.processes.native_output import command_line, held_back


def test_what_native_code_prints_is_held_back_and_kept(capfd):
    with command_line(), held_back(streams=True) as printed:
        os.write(2, b"[a.cpp:1] first\n")
        sys.stdout.write("[b.cpp:2] second\n")
        assert printed.last_line() == "second"
        os.write(1, b"third\n")
        assert printed.last_line() == "third"
    sys.stdout.write("after\n")
    assert capfd.readouterr() == ("after\n", "")


def test_an_error_puts_the_streams_back(capfd):
    with pytest.raises(KeyError), command_line(), held_back(streams=True):
        raise KeyError
    sys.stdout.write("seen\n")
    assert capfd.readouterr().out == "seen\n"


def test_what_other_threads_of_an_application_print_is_seen(capfd):
    with held_back(streams=True) as printed:
        other = threading.Thread(target=os.write, args=(1, b"another thread\n"))
        other.start()
        other.join()
        assert printed.text() == printed.last_line() == ""
    assert capfd.readouterr().out == "another thread\n"


def test_without_a_place_to_keep_it_nothing_is_held_back(capfd, monkeypatch):
    def refuse(**_):
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr(native_output.tempfile, "TemporaryFile", refuse)
    with command_line(), held_back(streams=True) as printed:
        os.write(1, b"seen\n")
        assert printed.text() == ""
    assert capfd.readouterr().out == "seen\n"


HOLDS = """
import os, sys
from glint_edge.processes.native_output import command_line, held_back
with command_line(), held_back(streams=True):
    os.write(2, b"held")
open(sys.argv[1], "w").write(str(sys.stdout))
"""


@pytest.mark.skipif(os.name == "nt", reason="a shell of its own closes descriptors here")
def test_a_process_without_standard_output_is_no_problem(tmp_path):
    said = tmp_path / "said"
    done = subprocess.run(
        ["sh", "-c", 'exec "$0" -c "$1" "$2" >&-', sys.executable, HOLDS, said],
        stderr=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert said.read_text() == "None"
