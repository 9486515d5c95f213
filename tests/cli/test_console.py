"""What is printed is what was said, to the letter; and a reader that leaves is no error."""

import json
import logging
import os
import signal
import subprocess
import sys

import pytest
from rich.console import Group
from rich.text import Text

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


STEERS = "a\x1b[31mb\x9b2J\u202ec\ud800"
ESCAPED = r"a\x1b[31mb\x9b2J\u202ec\ud800"


@pytest.mark.parametrize(
    "value", [STEERS, columns(STEERS, ("", "x"), [("x", STEERS)]), pairs(STEERS, [("x", STEERS)]),
              Text(STEERS), Group(Text(STEERS), STEERS)]
)  # fmt: skip
def test_nothing_that_is_shown_steers_the_terminal(value, capsys, monkeypatch):
    monkeypatch.setattr(console.out, "width", 400)
    console.show(value)
    console.show_text(f"{STEERS}\n\n")
    out = capsys.readouterr().out
    assert ESCAPED in out.splitlines()[0]
    assert out.endswith("\n\n")
    assert not set(STEERS) - set("a[31mb2Jc") & set(out)


def test_no_message_step_or_warning_steers_the_terminal(capsys):
    console.say(STEERS)
    console.fail(STEERS)
    with console.steps() as on_step:
        on_step(STEERS)
    with console.live() as live:
        live.on_step(STEERS)
    record = logging.LogRecord("x", logging.WARNING, "", 0, STEERS, None, None)
    console.ConsoleHandler().emit(record)
    err = capsys.readouterr().err
    assert err.count(ESCAPED) == 5
    assert not set(STEERS) - set("a[31mb2Jc") & set(err)


def test_json_holds_them_as_json_does(capsys):
    console.show_json({"title": STEERS})
    out = capsys.readouterr().out
    assert json.loads(out) == {"title": STEERS}
    assert not set(STEERS) - set("a[31mb2Jc") & set(out)


def test_a_new_line_in_a_title_makes_no_row(capsys):
    console.show(pairs("all", [("x", "one\ntwo\tthree")]))
    assert r"one\ntwo\tthree" in capsys.readouterr().out


@pytest.mark.parametrize("what", ["show('a line')", "show_json({'a': 1})", "show_text('a')"])
def test_a_reader_that_has_enough_is_no_error(what):
    program = (
        "import sys\nfrom glint_edge.cli import console\n"
        "from glint_edge.cli.streams import command_streams\n"
        f"sys.stdin.read()\nwith command_streams(): console.{what}\n"
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


def left_by_its_reader(*words):
    """Exit code and stderr of a command line whose reader is gone before it writes."""
    code = "import sys; sys.stdin.read(); from glint_edge.__main__ import main; main()"
    child = subprocess.Popen(
        [sys.executable, "-c", code, *words],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    child.stdout.close()
    _, err = child.communicate("")
    return child.returncode, err


@pytest.mark.parametrize("words", ["--help", "export -h", "--version", "doctor"])
def test_a_command_whose_reader_leaves_ends_as_by_its_signal(words):
    assert left_by_its_reader(*words.split()) == (141, "")


def command(words, tmp_path, **variables):
    return subprocess.run(
        [sys.executable, "-m", "glint_edge", *words.split()], cwd=tmp_path, check=False,
        capture_output=True, env={**os.environ, **variables},
    )  # fmt: skip


def test_an_encoding_that_lacks_letters_ends_no_command(tmp_path):
    done = command("device list", tmp_path, PYTHONIOENCODING="cp1252")
    assert (done.returncode, done.stderr) == (0, b"")
    assert b" + " in done.stdout, "for a check mark"
    done = command("inspect ✓日本", tmp_path, PYTHONIOENCODING="ascii")
    assert done.returncode == 2
    assert rb"error: +\u65e5\u672c is not a bundle" in done.stderr


def test_json_is_whole_in_any_encoding(capsys, monkeypatch):
    monkeypatch.setattr(type(console.out), "encoding", "cp1252")
    console.show_json({"title": "日本 ✓"})
    assert capsys.readouterr().out == '{"title": "\\u65e5\\u672c \\u2713"}\n'


def test_a_command_without_any_stream_ends_well(tmp_path):
    closed = 'exec "$0" -m glint_edge doctor <&- >&- 2>&-'
    assert subprocess.run(["sh", "-c", closed, sys.executable], cwd=tmp_path).returncode == 0


def test_ctrl_c_is_one_line(run, monkeypatch, request):
    def interrupt(*_):
        os.kill(os.getpid(), signal.SIGINT)
        raise AssertionError("it went on")

    monkeypatch.setattr("glint_edge.cli.manners.Command.invoke", interrupt)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # one in background has none
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, before))
    assert run("doctor") == (130, "", "error: stopped\n")


def test_ctrl_c_while_the_commands_are_imported_is_one_line():
    code = (
        "import sys\nclass Interrupts:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'glint_edge.cli.app': raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Interrupts())\n"
        "from glint_edge.__main__ import main\nmain()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "error: stopped\n")
