#!/bin/sh
# Set-up, system packages where they can be had, then everything that must hold: format, lint, types,
# tests. Arguments go to pytest.
EXTRAS=dev
. "$(dirname "$0")/setup.sh"
sh scripts/system-packages.sh
.venv/bin/ruff format --check .
.venv/bin/ruff check .
.venv/bin/mypy
.venv/bin/python -m pytest "$@"
