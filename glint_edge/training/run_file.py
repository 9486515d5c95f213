"""`run.toml`: what a training was asked for, to read, to change and to repeat.

    data = "/home/me/taps.csv"
    user_column = "user"
    out = "/home/me/runs/mine"

    # Model
    d = 64

Each run writes one into its folder, a search one of its best trial. The names are those of the
flags, written with "_" or "-"; what is left out has its default.
"""

from __future__ import annotations

import json
import os
import shlex
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from glint_edge.config import GONE_LEVERS, LEVERS, ModelConfig, TrainConfig, configs
from glint_edge.data.items import ItemFile, require_table
from glint_edge.data.options import OPTIONS
from glint_edge.data.reading.columns import ROLES
from glint_edge.data.record import is_sharded
from glint_edge.errors import ConfigError
from glint_edge.files import require_place, write_atomic
from glint_edge.levers import Setting, refuse_unknown
from glint_edge.processes.distributed import find_device
from glint_edge.suggestions import no_file

if TYPE_CHECKING:
    from glint_edge.data.log import Log
    from glint_edge.data.record import DataSource

RUN_FILE = "run.toml"

# What stands there beside the levers: which log, how it is read, and where what becomes of it goes.
READING = {
    **{f"{role}_column": role for role in ROLES},
    **{name: name for name in OPTIONS},
    "event": "weights",
}  # what `load_log` calls it, by flag
del READING["weights"]
# `ItemFile.settings`
ITEMS = ("items", "item_key", "item_title", "item_field", "item_image", "item_separator")
PLACES: Mapping[str, type] = dict.fromkeys(("data", *READING, *ITEMS, "out", "device"), str) | {
    "item_field": list,
    "k_core": int,
    "min_length": int,
    "min_rating": float,
    **dict.fromkeys(("header", "keep_missing", "collapse_repeats"), bool),
}


@dataclass(frozen=True)
class Request:
    """What a training is asked for: settings by flag, of a file and of whoever calls."""

    settings: Mapping[str, Any]

    @property
    def data(self) -> str:
        """The log to read."""
        return self.required("data")

    @property
    def out(self) -> str:
        """The run's folder."""
        return self.required("out")

    @property
    def device(self) -> str:
        """Where to compute."""
        return str(self.settings.get("device", "cpu"))

    @property
    def reading(self) -> dict[str, Any]:
        """How the log is read, as `glint_edge.api.load_log` takes it."""
        return {
            name: self.settings[flag] for flag, name in READING.items() if flag in self.settings
        }

    @property
    def items(self) -> ItemFile | None:
        """What is shown of the items, if anything was said of it.

        Raises:
            ConfigError: columns are named, and no file.
            DataError: there is no such file.
        """
        return ItemFile.of_settings(self.settings)

    @property
    def levers(self) -> dict[str, Any]:
        """The levers that are not left at their defaults."""
        return {name: value for name, value in self.settings.items() if name in LEVERS}

    def read(self, log: object = None, items: ItemFile | None = None) -> Log:
        """The log: one that is at hand, or `data`; it is read as the settings say.

        The table of items, or that of the settings, is tried before it.

        Raises:
            DataError: either cannot be read.
        """
        from glint_edge.data.log import Log, load_log

        if isinstance(log, Log):
            return log
        require_table(items or self.items)
        return load_log(self.data if log is None else log, **self.reading)

    def require_place(self, *, resume: bool) -> None:
        """Refuse, before a log is read, a folder or a device that no training can have.

        Raises:
            ConfigError: a run stands there or there is none to resume, the folder cannot be
                written, or there is no such device.
        """
        from glint_edge.training.run_place import require_free

        if self.device != "cpu":
            find_device(self.device)  # imports torch
        if os.environ.get("RANK", "0") == "0":  # of several processes the one that writes
            require_free(Path(self.out), resume)
            require_place(Path(self.out), inside=True)

    def required(self, name: str) -> str:
        """A setting that has no default.

        Raises:
            ConfigError: it is missing.
        """
        if name not in self.settings:
            raise ConfigError(f"--{name} is missing; pass it, or a --config that has it")
        return str(self.settings[name])


def requested(
    config: str | Path | None, passed: Mapping[str, Any], reading: Mapping[str, Any] | None = None
) -> Request:
    """The settings of a file, and before them those that were passed; None was not.

    Args:
        config: the file; None is none.
        passed: by flag.
        reading: how the log is read, as `glint_edge.api.load_log` takes it.

    Raises:
        ConfigError: the file cannot be read or has an unknown name, or a lever is impossible.
    """
    settings = read_run(Path(config)) if config is not None else {}
    values = {n: str(v) if isinstance(v, Path) else v for n, v in (reading or {}).items()}
    said = {flag: values.get(name) for flag, name in READING.items()}
    request = Request({**settings, **typed(said), **typed(passed)})
    # Before a log is read: what no catalogue makes possible, and a run without a place.
    configs(1, request.levers)
    _ = request.items
    request.required("out")
    return request


def typed(flags: Mapping[str, Any]) -> dict[str, Any]:
    """The flags that were typed: the others are None."""
    return {name: value for name, value in flags.items() if value is not None}


def run_settings(
    model: ModelConfig,
    config: TrainConfig,
    source: DataSource,
    folder: Path,
    device: str,
    items: ItemFile | None = None,
) -> dict[str, Setting]:
    """All that repeats a training, by flag; of items in memory it has nothing."""
    # What is in shards was read when they were made.
    options = {} if is_sharded(source.source) else source.options
    said = {**options, **options.get("columns", {})}
    places = {
        "data": source.source,
        **{flag: _flag_value(said.get(name)) for flag, name in READING.items()},
        **(items.settings() if items else {}),
        "out": str(folder.resolve()),
        "device": device,
    }
    values = {**vars(model), **vars(config)}
    # A lowest rating of 0 and False say something, a k-core of 0 does not.
    named = {
        name: value
        for name, value in places.items()
        if value not in (None, "") and (name, value) != ("k_core", 0)
    }
    return {**named, **{name: values[name] for name in LEVERS}}


def _flag_value(value: Any) -> Setting | None:  # noqa: ANN401  # an option as JSON has it
    """An option of reading as its flag takes it: kinds and weights with commas between them."""
    if isinstance(value, Mapping):
        return ",".join(f"{kind}={_spelled(weight)}" for kind, weight in value.items())
    if isinstance(value, list):
        return ",".join(value)
    return None if value is None else cast(Setting, value)


def _spelled(number: float) -> str:
    """A number as people write it, if that is the same one."""
    short = f"{number:g}"
    return short if float(short) == number else repr(number)


def command_of(settings: Mapping[str, Setting]) -> str:
    """The whole command line of a training; defaults are left out."""
    words = ["glint-edge", "train"]
    for name, value in settings.items():
        lever = LEVERS.get(name)
        flag = name.replace("_", "-")
        if isinstance(value, bool):
            words += (
                [] if lever and value == lever.default else [f"--{'' if value else 'no-'}{flag}"]
            )
        elif isinstance(value, list):
            for one in value if len(value) > 1 else map(_in_quotes, value):
                words += [f"--{flag}", one]
        elif not (lever and value == lever.default) and (name, value) != ("device", "cpu"):
            words += [f"--{flag}", str(value)]
    return shlex.join(words)


def _in_quotes(one: str) -> str:
    """The only text of a list; in quotes where it has a comma, which would end it."""
    doubled = one.replace('"', '""')
    return f'"{doubled}"' if "," in one or doubled != one else one


def write_run(path: Path, settings: Mapping[str, Setting], title: str = "") -> None:
    """Write settings, those of a panel below each other; `title`: a comment at the top."""
    lines = [f"# {title or f'glint-edge train --config {path.name}'}"]
    panel = ""
    for name, value in settings.items():
        if name in LEVERS and LEVERS[name].panel != panel:
            panel = LEVERS[name].panel
            lines += ["", f"# {panel}"]
        lines.append(f"{name} = {_toml(value)}")
    write_atomic(path, ("\n".join(lines) + "\n").encode())


def read_run(path: Path) -> dict[str, Setting]:
    """The settings in a file that `write_run` or a person wrote.

    Raises:
        ConfigError: it cannot be read, has an unknown key, or a value that is not of its type.
    """
    if path.exists() and not path.is_file():
        raise ConfigError(f"{path} is a folder or a pipe; pass a run.toml by --config")
    try:
        values: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(no_file(path, "pass a run.toml by --config")) from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path} is no TOML ({error}); correct that line") from error
    values = {name.replace("-", "_"): value for name, value in values.items()}
    if not GONE_LEVERS.keys().isdisjoint(values):  # written before there was a choice of the new
        values = {**ModelConfig.BEFORE, **TrainConfig.BEFORE, **values}
    values = {n: v for n, v in values.items() if n not in GONE_LEVERS or v != GONE_LEVERS[n]}
    if gone := [name for name in values if name in GONE_LEVERS]:
        raise ConfigError(f"{path}: there is no {gone[0]} any more; delete that line")
    refuse_unknown(f"{path}: the setting", values, (*PLACES, *LEVERS))
    for name, value in values.items():
        try:
            _check(name, value)
        except ConfigError as error:
            raise ConfigError(f"{path}: {error}") from error
    return values


_WHAT = {
    int: "a whole number", float: "a number", bool: "true or false", str: "a text in quotes",
    list: "a list of texts in quotes",
}  # fmt: skip


def _check(name: str, value: object) -> None:
    if name in LEVERS:
        LEVERS[name].check(value)
    elif type(value) is not PLACES[name] and (type(value), PLACES[name]) != (int, float):
        raise ConfigError(f"{name} must be {_WHAT[PLACES[name]]}, not {value!r}")


def _toml(value: Setting) -> str:
    if isinstance(value, str | list):
        # JSON's escapes are TOML's, but for the one control character that JSON leaves as it is.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return str(value).lower()  # true, false, 1e-12
