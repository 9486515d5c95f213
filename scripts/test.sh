#!/bin/sh
# Set-up, then everything that must hold: format, lint, types, tests. Arguments go to pytest.
EXTRAS=dev
. "$(dirname "$0")/setup.sh"
.venv/bin/ruff format --check .
.venv/bin/ruff check .
.venv/bin/mypy
.venv/bin/python -m pytest "$@"
