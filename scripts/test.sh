#!/bin/sh
# Set-up, system packages where they can be had, then everything that must hold: format, lint, types,
# tests. Arguments go to pytest.
sh "$(dirname "$0")/system-packages.sh" &
packages=$!
EXTRAS=dev
. "$(dirname "$0")/setup.sh"
wait "$packages"
.venv/bin/ruff format --check .
.venv/bin/ruff check .
.venv/bin/mypy
# No test was chosen: that is for the other half to say.
tests() {
    .venv/bin/python -m pytest "$@" || [ $? -eq 5 ]
}
# Two at a time, and then, with nothing beside them, those that compare times.
tests -n 2 --dist loadfile --no-loadscope-reorder --alone not "$@"
# Read the files of those few only, if no others are asked for.
[ $# -gt 0 ] || set -- $(grep -rl "pytest.mark.alone" tests --include="test_*.py")
tests --alone only "$@"
