"""This package as a wheel, made of what is installed: for an app where no index has it."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from glint_edge.engine import library
from glint_edge.extras import OURS

PACKAGES = ("glint_edge", "quantization", "converters", "device_bench")
ROOT = Path(__file__).parents[2]
DATE = (1980, 1, 1, 0, 0, 0)  # of every file: the same files are the same wheel
KEPT = ("METADATA", "entry_points.txt", "licenses/LICENSE")  # of what is known of the installed one


def version() -> str:
    """Of this package."""
    return metadata.version(OURS)


def write_wheel(folder: Path) -> Path:
    """Write the wheel; it has the engine's library, and the machine's name, where that was built.

    Args:
        folder: where it is put; made if it is not there.
    """
    built = library.LIBRARY.is_file()
    tag = library.wheel_tag() if built else "py3-none-any"
    name = f"{OURS.replace('-', '_')}-{version()}"
    about = f"{name}.dist-info"
    files = {path.relative_to(ROOT).as_posix(): path.read_bytes() for path in _files()}
    installed = metadata.distribution(OURS)
    for kept in KEPT:
        if text := installed.read_text(kept):
            files[f"{about}/{kept}"] = text.encode()
    files[f"{about}/WHEEL"] = (
        f"Wheel-Version: 1.0\nGenerator: {OURS} {version()}\n"
        f"Root-Is-Purelib: {str(not built).lower()}\nTag: {tag}\n"
    ).encode()
    lines = [*(_record(place, data) for place, data in files.items()), f"{about}/RECORD,,\n"]
    files[f"{about}/RECORD"] = "".join(lines).encode()
    folder.mkdir(parents=True, exist_ok=True)
    wheel = folder / f"{name}-{tag}.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for place, data in files.items():
            entry = zipfile.ZipInfo(place, DATE)
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o100644 << 16
            archive.writestr(entry, data)
    return wheel


def _files() -> Iterator[Path]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                yield path


def _record(place: str, data: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return f"{place},sha256={digest},{len(data)}\n"
