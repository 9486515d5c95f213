"""Everything this project refuses, as one small tree.

    GlintEdgeError              exit code 2: the request cannot be carried out
    ├── ConfigError             an option's value is impossible
    ├── DataError               an interaction log cannot be read
    ├── CheckpointError         a checkpoint is missing, damaged, or of another model
    ├── BundleError             a bundle, or a file in it, is missing or damaged
    ├── UnknownItemError        an item key is not in the catalogue
    ├── SessionError            a saved session is damaged, or of another model
    ├── UpdateError             a newer bundle cannot be taken; the one in use stays
    ├── InUseError              another process writes to the same place
    ├── HubError                the Hugging Face Hub refuses, or is out of reach
    ├── MissingExtraError       an optional dependency is not installed
    ├── ConversionError         a target's toolchain failed
    ├── RunnerError             a benchmark process died
    ├── ProcessDied             another process of a training died
    ├── DivergedError           a loss, or a model's scores, are no numbers any more
    └── CheckFailed             exit code 1: everything ran, and a figure is out of tolerance

A message is one line that ends in what to do. The command line prints it and nothing else;
`--verbose` adds the traceback. What is shown in it of a file is shown as text: no sequence of
letters in somebody's log or manifest reaches the terminal as a command, or fills it.
"""

from __future__ import annotations


class GlintEdgeError(Exception):
    """Base of every error this project raises on purpose."""

    exit_code = 2
    most_letters = 2000  # of a message: paths, and a name or two

    def __init__(self, message: str) -> None:
        super().__init__(plain(message, self.most_letters))


class ConfigError(GlintEdgeError):
    """An option's value is impossible."""


class DataError(GlintEdgeError):
    """An interaction log cannot be read."""


class CheckpointError(GlintEdgeError):
    """A checkpoint is missing, damaged, or of another model."""


class BundleError(GlintEdgeError):
    """A bundle or one of its files is missing, damaged, or newer than this tool."""


class UnknownItemError(GlintEdgeError):
    """An item key is not in the catalogue."""


class SessionError(GlintEdgeError):
    """A saved session is damaged, or of another model or version."""


class UpdateError(GlintEdgeError):
    """A newer bundle cannot be taken; the one in use stays."""


class InUseError(GlintEdgeError):
    """Another process writes to the same place, or did meanwhile."""


class HubError(GlintEdgeError):
    """The Hugging Face Hub refuses, or is out of reach."""


def how_to_get(extra: str) -> str:
    """What to type for what is missing: a pip requirement, or a command that builds it."""
    return extra if " " in extra else f"pip install '{extra}'"


class MissingExtraError(GlintEdgeError):
    """An optional dependency is not installed."""

    def __init__(self, extra: str, why: str) -> None:
        super().__init__(f"{why} needs an extra: {how_to_get(extra)}")
        self.extra = extra


class ConversionError(GlintEdgeError):
    """A target's toolchain failed."""


class RunnerError(GlintEdgeError):
    """A benchmark process died."""


class ProcessDied(GlintEdgeError):
    """Another of a training's processes died."""


class DivergedError(GlintEdgeError):
    """A training's loss, or a model's scores, are no numbers any more."""

    def __init__(self, what: str, way_out: str) -> None:
        super().__init__(f"{what}; {way_out}")
        self.what, self.way_out = what, way_out


class CheckFailed(GlintEdgeError):
    """Everything ran, and a figure is out of tolerance."""

    exit_code = 1
    most_letters = 100_000  # a sentence for each figure


def plain(text: str, most: int) -> str:
    """A text on one line without control characters; of a long one its beginning and its end."""
    if len(text) > most:
        text = f"{text[: most // 2]} … {text[-most // 3 :]}"
    if text.isprintable():
        return text
    lines = (line.strip() for line in text.splitlines())
    return "".join(
        letter if letter.isprintable() else ascii(letter)[1:-1] for letter in " ".join(lines)
    )


def one_line(error: Exception) -> str:
    """What another library's error says, in one line; its class where it says nothing."""
    return " ".join(str(error).split()) or type(error).__name__
