#!/bin/sh
# Builds the wheel of this clone into dist/, by pip alone; with a C compiler here, the engine's
# library is in it. PYTHON chooses the interpreter (3.11 or newer).
set -eu
cd "$(dirname "$0")/.."
"${PYTHON:-python3}" -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir dist .
ls dist/glint_edge-*.whl
