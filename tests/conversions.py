"""One table of conversions: made once for all tests, all workers and later runs.

An entry is addressed by all that goes into it: the program's weights and shape, the options, the
toolchain's versions and the sources that convert. So a test may take every file from here, also
where the conversion is what it is about: a changed converter makes other entries.
"""

import hashlib
import json
import shutil
import sys
import tempfile
from contextlib import contextmanager
from functools import cache
from importlib import metadata
from pathlib import Path

import pytest
from filelock import FileLock

import converters
from converters.targets import find_target
from glint_edge.bundles.target import ConvertOptions

ROOT = Path(__file__).parents[1]
STORE = ROOT / ".pytest_cache/d/conversions"
MOST_BYTES = 500 << 20
# Of the shipped model's files, which many tests share. Each step of a chunk adds a second or more.
TOP_K, CHUNK = 50, 2
# The others are done before an entry could be looked up.
SLOW = ("executorch", "tflite")
SOURCES = ("converters", "quantization", "glint_edge/model")
TOOLCHAINS = ("torch", "torchao", "executorch", "litert-torch", "ai-edge-litert")


def convert(program, target, path, options=None):
    """`converters.convert`, by the table."""
    if target.name not in SLOW:
        converters.convert(program, target, path, options)
        return
    shutil.copyfile(converted(program, target.name, options), path)


def converted(program, target, options=None):
    """A program's file for a slow target; it is shared, so copy it before you change it.

    Args:
        program: the stream program.
        target: its name.
        options: as for `converters.convert`.
    """
    converter = find_target(target)
    # A `.pte` holds none, so that bundles of other names share it.
    options = ConvertOptions() if target == "executorch" else options or ConvertOptions()
    folder = STORE / key_of(program, target, options)
    path = folder / f"model{converter.suffix}"
    STORE.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if path.is_file():
            folder.touch()  # used now: the last to be thrown out
            return path
        with tempfile.TemporaryDirectory(dir=STORE) as work:
            made = Path(work) / folder.name
            made.mkdir()
            converters.convert(program, converter, made / path.name, options)
            made.rename(folder)
    return path


def key_of(program, target, options):
    """The name of an entry."""
    digest = hashlib.sha256(_toolchain().encode())
    shape = {
        "target": target, "model": program.config.to_dict(), "precision": program.precision,
        "top_k": program.top_k, "chunk": program.append_many.chunk,
        "spare_items": program.spare_items, "options": vars(options),
    }  # fmt: skip
    digest.update(json.dumps(shape, sort_keys=True, default=dict).encode())
    for method, (module, _) in program.methods().items():
        for name, tensor in module.state_dict().items():
            told = f"{method}.{name} {tensor.dtype} {tuple(tensor.shape)}"
            digest.update(told.encode() + tensor.detach().contiguous().numpy().tobytes())
    return digest.hexdigest()[:32]


@cache
def _toolchain():
    """What converts: versions, and a hash of our own sources."""
    digest = hashlib.sha256()
    for folder in SOURCES:
        for path in sorted((ROOT / folder).rglob("*.py")):
            digest.update(path.relative_to(ROOT).as_posix().encode() + path.read_bytes())
    installed = {d.metadata["Name"]: d.version for d in metadata.distributions()}
    versions = [f"{name} {installed.get(name)}" for name in TOOLCHAINS]
    return f"{sys.version} {sys.platform} {versions} {digest.hexdigest()}"


def prune():
    """Throw out the entries used longest ago, down to `MOST_BYTES`. Nobody may be converting."""
    if not STORE.is_dir():
        return
    entries = [path for path in STORE.iterdir() if path.is_dir()]
    left = MOST_BYTES
    for entry in sorted(entries, key=lambda path: path.stat().st_mtime, reverse=True):
        left -= sum(file.stat().st_size for file in entry.iterdir())
        if left < 0:
            shutil.rmtree(entry)
            Path(f"{entry}.lock").unlink(missing_ok=True)


@contextmanager
def no_conversion():
    """Exports write what is no artifact: nothing may load it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("converters.export.convert", write_no_artifact)
        yield


def write_no_artifact(program, target, path, options):
    """In `converters.export.convert`'s place, where nothing loads what is written."""
    if target.name == "c":  # as quick as this, and an export asks it for golden vectors
        converters.convert(program, target, path, options)
        return
    path.write_text(f"{target.name} {program.precision}")
