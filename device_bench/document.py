"""One run's results as one JSON document, with what others need to compare: versions, CPU, command.

`bench.schema.json` describes it; what is read is held against that first.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema

from device_bench.judge.choice import choices
from device_bench.measure.machine import machine
from glint_edge.errors import ConfigError
from glint_edge.files import write_json
from glint_edge.json_files import parse
from glint_edge.refusals import refusal
from glint_edge.suggestions import no_file

if TYPE_CHECKING:
    from device_bench.entries import Settings
    from device_bench.judge.rows import BenchResult, ScaleResult
    from device_bench.runners.runner import Runner
    from device_bench.scale import Scale

# Of `--runner NAME:DEVICE`, the device: a host, a serial number.
RUNNER_AT = re.compile(r"^([a-z][a-z0-9-]+):(?![/\\]).*$")
VERSION = 2  # 1 took the machine's speed by another piece of work
SCHEMA = Path(__file__).parent / "bench.schema.json"


def document(
    results: Sequence[BenchResult], settings: Settings, command: Sequence[str]
) -> dict[str, Any]:
    """All rows of a run.

    Args:
        results: one a bundle.
        settings: how it was measured.
        command: what was typed, program and arguments.
    """
    rows = _without_hosts(
        [row for result in results for row in result.to_dict()["rows"]], settings.runners
    )
    return {
        **_head("bench", command),
        "settings": _timing(settings),
        "choices": [choice.to_dict() for choice in choices(rows)],
        "not_measured": {r.name: r.not_measured for r in results if r.not_measured},
        "rows": rows,
    }


def scale_document(result: ScaleResult, settings: Scale, command: Sequence[str]) -> dict[str, Any]:
    """All rows of a `bench scale`; each is marked as generated.

    Args:
        result: the rows.
        settings: what was measured.
        command: what was typed, program and arguments.
    """
    return {
        **_head("scale", command),
        "settings": {
            **_timing(settings),
            "precision": settings.precision,
            "targets": [target.name for target in settings.targets],
            "items": list(settings.items),
            "widths": list(settings.widths),
            "histories": list(settings.histories),
        },
        "rows": _without_hosts([row.to_dict() for row in result.rows], settings.runners),
    }


def _head(kind: str, command: Sequence[str]) -> dict[str, Any]:
    return {
        "schema": VERSION,
        "kind": kind,
        "tool": metadata.version("glint-edge"),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": [_of_this_machine(word) for word in command],
        "machine": machine(),
    }


def _timing(settings: Settings | Scale) -> dict[str, Any]:
    return {
        "threads": settings.threads,
        "rounds": settings.rounds,
        "runs": settings.plan.runs,
        "budget_ms": settings.plan.budget_ms,
    }


def _without_hosts(rows: list[dict[str, Any]], runners: Sequence[Runner]) -> list[dict[str, Any]]:
    """Rows that call a machine on the network by its model: its address is nobody else's affair."""
    names: dict[str, str] = {}
    for device in (runner.device for runner in runners if hasattr(runner, "host")):
        conditions = (row.get("conditions") or {} for row in rows if row["device"] == device)
        model = next((each["model"] for each in conditions if each.get("model")), "device")
        count = sum(name.startswith(model) for name in names.values())
        names[device] = f"{model} {count + 1}" if count else model
    for device, name in names.items():
        if device:
            address = re.compile(rf"(?<![\w.-]){re.escape(device)}(?![\w-])")
            rows = [_renamed(row, address, name) for row in rows]
    return rows


def _renamed(value: Any, address: re.Pattern[str], name: str) -> Any:  # noqa: ANN401  # JSON is any of its types
    if isinstance(value, str):
        return address.sub(lambda _: name, value)
    if isinstance(value, dict):
        return {key: _renamed(member, address, name) for key, member in value.items()}
    return [_renamed(each, address, name) for each in value] if isinstance(value, list) else value


def _of_this_machine(word: str) -> str:
    """A word of a command line without folders and hosts: results are shown to others."""
    option, equals, value = word.rpartition("=") if word.startswith("-") else ("", "", word)
    parts = (
        RUNNER_AT.sub(r"\1", part).rstrip("/\\").replace("\\", "/").rpartition("/")[2]
        for part in value.split(",")
    )
    return f"{option}{equals}{','.join(parts)}"


@cache
def _schema() -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(SCHEMA.read_bytes())
    return schema


def write_document(value: dict[str, Any], path: Path) -> None:
    """Write it whole or not at all.

    Raises:
        ConfigError: the folder is not there or cannot be written.
    """
    try:
        write_json(path, value)
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {refusal(error, '')}") from error


def read_document(path: Path) -> dict[str, Any]:
    """Read what `bench --output` or `bench --json` wrote.

    Raises:
        ConfigError: it is no such file, or of another version.
    """
    if not path.exists():
        raise ConfigError(no_file(path, "pass what `bench --output` wrote"))
    if not path.is_file():
        raise ConfigError(f"{path} is a folder or a pipe; pass what `bench --output` wrote")
    try:
        value = parse(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {refusal(error, '')}") from error
    except ValueError as error:
        raise ConfigError(f"{path} is not JSON; pass what `bench --output` wrote") from error
    version = value.get("schema") if isinstance(value, dict) else None
    if isinstance(version, int) and version > VERSION:
        raise ConfigError(f"{path} is from a newer glint-edge; upgrade this one")
    if isinstance(version, int) and version < VERSION:
        raise ConfigError(f"{path} is from an older glint-edge; run `bench --output` again")
    wrong = next(jsonschema.Draft202012Validator(_schema()).iter_errors(value), None)
    if wrong is not None:
        raise ConfigError(
            f"{path} is no bench result ({wrong.json_path}: {wrong.message[:120]}); pass what "
            "`bench --output` wrote"
        )
    document: dict[str, Any] = value
    return document
