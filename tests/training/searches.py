"""Training by what a search leaves."""

import shlex

from glint_edge.checkpoints.checkpoint import load_checkpoint
from glint_edge.cli import app as cli


def trained_by(how, best, folder):
    """The checkpoint of the best trial's "command", or of the study's "best.toml"."""
    if how == "command":
        command, out = shlex.split(best.command)[1:], folder / "study/best"
    else:
        out = folder / "run"
        command = ["train", "--config", str(folder / "study/best.toml"), "--out", str(out)]
    cli.app(command, standalone_mode=False)
    return load_checkpoint(out)
