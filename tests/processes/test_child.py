"""Work in a process of its own: its answer, or one sentence why there is none."""

import pytest

from glint_edge.errors import ConversionError
from glint_edge.processes.child import ask, how_it_ended

ANSWERING = """
import sys
from glint_edge.processes.child import answer
from glint_edge.errors import ConfigError

def work(request):
    print("toolchains talk")
    {body}

sys.exit(answer(work))
"""


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """Ask a module of this body for {"n": 20}."""

    def call(body, *, whole=False, seconds=60):
        (tmp_path / "of_a_test.py").write_text(body if whole else ANSWERING.format(body=body))
        monkeypatch.syspath_prepend(tmp_path)
        return ask("of_a_test", {"n": 20}, what="the work", seconds=seconds)

    return call


def test_an_answer(asked):
    assert asked('return {"twice": 2 * request["n"], **request}') == {"twice": 40, "n": 20}


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("raise ConfigError('no such thing; choose another')",
         "the work failed: no such thing; choose another"),
        ("raise OSError('a\\nb')", "the work failed: OSError: a b"),
        ("import os; os.kill(os.getpid(), 9)", "the work died with signal 9 (SIGKILL)"),
        ("sys.exit('enough')", "the work ended with exit code 1 and no result: enough"),
    ],
)  # fmt: skip
def test_no_answer_is_one_sentence(asked, body, sentence):
    with pytest.raises(ConversionError) as error:
        asked(body)
    assert str(error.value) == sentence


def test_what_takes_too_long_is_ended(asked):
    with pytest.raises(ConversionError, match=r"^the work did not end within 0\.5 s and "):
        asked("import time; time.sleep(60)", whole=True, seconds=0.5)


def test_signals_have_names():
    assert how_it_ended("it", -11, "") == "it died with signal 11 (SIGSEGV)"
    assert how_it_ended("it", -40, "") == "it died with signal 40"
