"""glint.wasm: that of the sources, and small."""

import gzip

from glint_edge.engine.web import COMPILER, WASM, build_wasm
from tests.skips import require


def test_it_is_what_the_pinned_compiler_makes_of_the_sources(tmp_path):
    require(COMPILER, "dev")
    assert build_wasm(tmp_path / "glint.wasm").read_bytes() == WASM.read_bytes()


def test_it_is_small():
    data = WASM.read_bytes()
    assert data[:4] == b"\0asm"
    assert len(data) <= 64 << 10
    assert len(gzip.compress(data)) < 32 << 10
