"""What native code prints, held back."""

import os
import sys

import pytest

from glint_edge.processes.native_output import held_back


def test_what_native_code_prints_is_held_back_and_kept(capfd):
    with held_back(streams=True) as printed:
        os.write(2, b"[a.cpp:1] first\n")
        sys.stdout.write("[b.cpp:2] second\n")
        assert printed.last_line() == "second"
        os.write(1, b"third\n")
        assert printed.last_line() == "third"
    sys.stdout.write("after\n")
    assert capfd.readouterr() == ("after\n", "")


def test_an_error_puts_the_streams_back(capfd):
    with pytest.raises(KeyError), held_back(streams=True):
        raise KeyError
    sys.stdout.write("seen\n")
    assert capfd.readouterr().out == "seen\n"
