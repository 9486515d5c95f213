"""What is printed is what was said, to the letter; and a reader that leaves is no error."""

import subprocess
import sys

import pytest

from glint_edge.cli import console
from glint_edge.tables import columns, pairs

ODD = "[b]bold[/b] :heart: [link=x] \\[c]"


@pytest.mark.parametrize(
    "value", [ODD, columns(ODD, ("", ODD), [("x", ODD)]), pairs(ODD, [(ODD, ODD)])]
)
def test_titles_are_shown_as_they_are(value, capsys, monkeypatch):
    monkeypatch.setattr(console.out, "width", 400)
    console.show(value)
    out = capsys.readouterr().out
    assert out.count(ODD) == (1 if value is ODD else 3)


def test_messages_and_steps_are_shown_as_they_are(capsys):
    console.say(ODD)
    console.fail(ODD)
    with console.steps() as on_step:
        on_step(ODD)
    err = capsys.readouterr().err
    assert err.count(ODD) == 3


@pytest.mark.parametrize("what", ["show('a line')", "show_json({'a': 1})", "show_text('a')"])
def test_a_reader_that_has_enough_is_no_error(what):
    program = (
        f"import sys\nfrom glint_edge.cli import console\nsys.stdin.read()\nconsole.{what}\n"
        "raise AssertionError('nobody reads this')"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    child.stdout.close()  # as head does before the line is written
    child.stdin.close()
    err = child.stderr.read().decode()
    child.stderr.close()
    assert (child.wait(), err) == (141, "")
