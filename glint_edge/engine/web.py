"""`python -m glint_edge.engine.web`: build glint.wasm, which ships with this package.

By one pinned compiler (`pip install ziglang==0.17.1`): the same sources give the same bytes.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path

from glint_edge.engine.library import HEADER, HERE, PARTS, SOURCES, NoCompilerError

WASM = HERE / "glint.wasm"
COMPILER, VERSION = "ziglang", "0.17.1"
EXPORTS = (
    "glint_model_bytes", "glint_open", "glint_kernels_name", "glint_state_floats",
    "glint_workspace_bytes", "glint_append", "glint_append_many", "glint_recommend",
    "glint_similar", "__heap_base",
)  # fmt: skip
FLAGS = (
    "-target", "wasm32-freestanding", "-mcpu=baseline+simd128+bulk_memory", "-std=c11", "-O3", "-s",
    "-ffp-contract=off", "-nostdlib", "-Wl,--no-entry",
    *(f"-Wl,--export={name}" for name in EXPORTS),
)  # fmt: skip


def build_wasm(to: Path = WASM) -> Path:
    """Compile the engine to WebAssembly.

    Raises:
        NoCompilerError: the pinned compiler is not here, or it failed.
    """
    if importlib.util.find_spec(COMPILER) is None or metadata.version(COMPILER) != VERSION:
        raise NoCompilerError(f"glint.wasm is built by: pip install {COMPILER}=={VERSION}")
    parts = [name for name in PARTS if (SOURCES / name).is_file()]
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "all.c"
        source.write_text("".join(f'#include "{name}"\n' for name in parts), "utf-8")
        built = Path(folder) / WASM.name
        command = [sys.executable, "-m", COMPILER, "cc", *FLAGS, f"-I{SOURCES}",
                   f"-I{HEADER.parent}", str(source), "-o", str(built)]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise NoCompilerError(f"{COMPILER} failed: {done.stderr.strip()}")
        to.write_bytes(built.read_bytes())
    return to


if __name__ == "__main__":
    sys.stdout.write(f"built {build_wasm()}\n")
