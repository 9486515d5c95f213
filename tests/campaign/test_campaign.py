"""The campaign's short form: a seeded sample of every target, and some stops of what is quick.

The long form is `python -m tests.campaign`; docs/reliability.md has its counts.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.campaign.kills import Place, steps_of, stopped_at
from tests.campaign.targets import TARGETS
from tests.campaign.trials import FAULTS, judged, seeded
from tests.campaign.writers import WRITERS

INPUTS = 16  # of a target whose share is 1


@pytest.mark.parametrize(
    "target", [t for t in TARGETS if not t.may_die and t.share > 0.01], ids=lambda t: t.name
)
def test_inputs(target, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GLINT_EDGE_CACHE", str(tmp_path / "cache"))
    trial = target.prepare(tmp_path)
    for number in range(max(2, round(INPUTS * target.share))):
        word, what = judged(trial, seeded(target, number))
        assert word not in FAULTS, f"{target.name} {number}: {word}\n{what}"


@pytest.mark.parametrize("writer", [w for w in WRITERS if w.quick], ids=lambda w: w.name)
def test_stops(writer, tmp_path):
    place = Place(writer, tmp_path.resolve())
    steps = steps_of(place)
    for number, kind in enumerate(("SIGKILL", "ENOSPC", "SIGTERM")):
        word, what = stopped_at(place, kind, (number + 1) * steps // 4)
        assert word not in FAULTS, f"{writer.name}, {kind}: {what}"


@pytest.mark.full
def test_the_long_form():
    """In processes of their own, all targets and writers, as many as a night has time for."""
    words = ("--inputs", "10000", "--kills", "100", "--seconds", "1200")
    done = subprocess.run(
        [sys.executable, "-m", "tests.campaign", *words], capture_output=True, text=True,
        check=False, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
