"""What holds for every command: help, errors, exit codes, and the lines that the docs show."""

import os
import re
import shlex
import signal
from pathlib import Path

import pytest
import typer

from glint_edge.cli import manners
from glint_edge.cli.app import app
from glint_edge.files import new_folder, scratch
from tests.cli.streams import only_line

ROOT = Path(__file__).parents[2]
PAGES = ["README.md", *(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md")))]


def leaves(command, *path):
    """The words of every command, as the program itself knows them."""
    if not isinstance(command, manners.Group):
        return [path]
    return [leaf for name, sub in command.commands.items() for leaf in leaves(sub, *path, name)]


COMMANDS = leaves(typer.main.get_command(app))


def named(path):
    return " ".join(path)


@pytest.fixture
def parse(run, monkeypatch):
    """Parse a command line as it would be for a run, which does not come; exit code, stderr."""
    monkeypatch.setattr(manners.Command, "invoke", lambda self, ctx: None)

    def parse(line):
        code, _, err = run(*shlex.split(line)[1:])
        return code, err

    return parse


# ---- help ---------------------------------------------------------------------------------------


def test_the_commands_are_found():
    assert {path[0] for path in COMMANDS} >= {"train", "export", "bench", "catalogue", "doctor"}
    assert ("bench", "diff") in COMMANDS and ("device", "list") in COMMANDS


@pytest.mark.parametrize("path", COMMANDS, ids=named)
def test_every_command_has_help_json_verbose_and_an_example_that_parses(path, run, parse):
    code, out, _ = run(*path, "-h")
    assert code == 0
    assert out == run(*path, "--help")[1]
    for flag in ("--json", "--verbose"):
        assert flag in out
    assert "<bool>" not in out and "BOOLEAN" not in out
    words = " ".join(out.split())
    example = re.search(r"Example: (glint-edge .*)$", words).group(1)
    assert shlex.split(example)[1] == path[0]
    code, err = parse(example)
    assert code == 0, err


def test_an_example_that_does_not_parse_would_be_seen(parse):
    for line in ("glint-edge export --nonsense", "glint-edge embed", "glint-edge bench diff a"):
        assert parse(line)[0] == 2


def test_help_groups_the_commands(run):
    _, out, _ = run("-h")
    panels = ("Data and training", "Export", "App", "Check")
    places = [out.index(f"─ {panel} ─") for panel in panels]
    assert places == sorted(places)
    for command, panel in (("train", 0), ("catalogue", 1), ("embed", 2), ("device", 3)):
        place = re.search(rf"^│ {command} ", out, re.MULTILINE).start()
        end = [*places, len(out)][panel + 1]
        assert places[panel] < place < end, command


def test_no_command_is_outside_the_groups(run):
    assert "─ Commands ─" not in run("-h")[1]


def test_completion_can_be_installed_and_completes(run, monkeypatch):
    assert "--install-completion" in run("-h")[1]
    monkeypatch.setenv("_GLINT_EDGE_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "glint-edge ex")
    monkeypatch.setenv("COMP_CWORD", "1")
    assert run()[1].split() == ["export"]


@pytest.mark.parametrize("page", PAGES)
def test_every_command_line_in_the_docs_parses(page, parse):
    lines = re.findall(
        r"^(?:\$ | {4,}(?:- run: )?)(glint-edge .*?)(?:\s+#.*)?$",
        (ROOT / page).read_text().replace("\\\n", " "), re.MULTILINE,
    )  # fmt: skip
    for line in lines:
        code, err = parse(re.sub(r"\s+>>.*", "", line))
        assert code == 0, f"{line}: {err}"


def test_the_docs_have_command_lines():
    assert (ROOT / "README.md").read_text().count("\n$ glint-edge ") == 5
    assert (ROOT / "docs/bench.md").read_text().count("\n    glint-edge ") > 2


def test_every_command_that_takes_data_takes_how_they_are_read(run):
    flags = ("--user-column", "--item-column", "--time-column", "--format", "--k-core")
    with_data = [path for path in COMMANDS if "--data " in run(*path, "-h")[1]]
    assert {path[0] for path in with_data} >= {"train", "evaluate", "export", "bench", "catalogue"}
    for path in with_data:
        out = run(*path, "-h")[1]
        assert all(flag in out for flag in flags), path


# ---- errors and exit codes ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("train --data nothing.csv --out new", "no such file"),
        ("train --data taps.csv --out new --heads 3", "heads (3) must divide d (64)"),
        ("train --data taps.csv --out new --d 7 --heads 7", "d must be even"),
        ("train --data taps.csv --out new --user-column nobody", "nobody"),
        ("train --data taps.csv --out . ", "exists and is not empty"),
        ("train --data taps.csv --out new --resume", "no unfinished run"),
        ("evaluate nothing", "is not a checkpoint"),
        ("evaluate --data taps.csv", "shares no item"),
        ("evaluate --data taps.csv --user-column nobody", "nobody"),
        ("export --target coreml", "choose one of c, executorch"),
        ("export --target onnx,coreml", "'coreml' is unknown"),
        ("export --quantize int4", "choose one of none, fp32, fp16"),
        ("export --out app", "ends in .glint"),
        ("export --top-k 2000", "between 1 and 1682"),
        ("bench nothing", "is not a bundle"),
        ("bench", "run glint-edge export first"),
        ("bench x.glint --compare torch", "--compare 'torch' is unknown; it takes stock"),
        ("bench x.glint --runner python,toaster", "runner 'toaster' is unknown"),
        ("inspect .", "is not a bundle"),
        ("recommend nothing", "is not a bundle"),
    ],
)
def test_a_refusal_is_one_line_and_exit_code_2(line, says, taps, run, tmp_path, monkeypatch):
    (tmp_path / "taps.csv").write_bytes(taps.read_bytes())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GLINT_EDGE_CACHE", str(tmp_path / "cache"))
    more = ["--offline"] if line.startswith("export") else []
    code, out, err = run(*shlex.split(line), *more)
    assert code == 2
    assert says in only_line(err)
    assert out == ""
    assert {path.name for path in tmp_path.iterdir()} <= {"taps.csv", "cache"}


def test_verbose_adds_the_traceback(run):
    _, _, err = run("evaluate", "nothing", "--verbose")
    assert "Traceback" in err
    assert "is not a checkpoint" in err


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (OSError(28, "No space left on device"),
         "error: No space left on device; free space or choose another place"),
        (OSError("of a library (os error 28)"),
         "error: No space left on device; free space or choose another place"),
        (PermissionError(13, "Permission denied", "/x/y"),
         "error: Permission denied (/x/y); allow it or choose another place"),
        (FileNotFoundError(2, "No such file or directory", "/x"),
         "error: No such file or directory (/x); check the path"),
        (OSError(40, "", "/x"),
         "error: Too many levels of symbolic links (/x); its links lead in a circle, mend them or "
         "choose another place"),
        (OSError(30, "", "/x/.y.glint-part/new/z"),
         "error: Read-only file system (/x); choose a place that can be written"),
        (OSError(22, "Invalid argument", "/x"), "error: Invalid argument (/x)"),
        (OSError("a pipe of the runtime"), "error: a pipe of the runtime"),
    ],
)  # fmt: skip
def test_an_error_of_the_system_is_one_line_with_advice_that_fits(error, says, run, monkeypatch):
    def fail(*_):
        raise error

    monkeypatch.setattr(manners.Command, "invoke", fail)
    code, out, err = run("doctor")
    assert (code, out) == (2, "")
    assert only_line(err) == says


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_that_ends_programs_cleans_up_first(number, run, monkeypatch, tmp_path):
    def stop(*_):
        with new_folder(tmp_path / "app.glint"), scratch() as folder:
            left.append(folder)
            os.kill(os.getpid(), number)
            pytest.fail("the program went on")

    left = []
    before = signal.signal(number, signal.SIG_DFL)  # nohup has SIGHUP ignored
    monkeypatch.setattr(manners.Command, "invoke", stop)
    code, out, err = run("doctor")
    assert (code, out) == (128 + number, "")
    assert only_line(err) == f"error: stopped by {number.name}"
    assert not left[0].parent.exists()
    assert list(tmp_path.iterdir()) == []
    assert signal.signal(number, before) == signal.SIG_DFL


def test_what_nohup_ignores_stays_ignored(run, monkeypatch):
    def hang_up(*_):
        os.kill(os.getpid(), signal.SIGHUP)

    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        monkeypatch.setattr(manners.Command, "invoke", hang_up)
        assert run("doctor")[0] == 0
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_full_disk_leaves_one_line(taps, run, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("glint_edge.files.os.fsync", full)
    code, _, err = run("train", "--data", taps, "--out", tmp_path / "run", "--d", 8, "--epochs", 1)
    assert code == 2
    assert "No space left on device" in only_line(err)


def test_a_usage_error_is_exit_code_2_and_names_the_help(run):
    code, _, err = run("export", "--nonsense")
    assert code == 2
    assert "glint-edge export --help" in " ".join(err.split())


def test_version(run):
    assert re.match(r"glint-edge \d+\.\d+", run("--version")[1])
