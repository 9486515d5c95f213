#!/bin/sh
# Set-up, system packages where they can be had, then everything that must hold: format, lint, types,
# tests. `--full` runs the tests too that repeat a claim at another shape or size (tests/README.md).
# Other arguments go to pytest.
started=$(date +%s)
# How long a step took, since the one before.
took() {
    now=$(date +%s)
    echo "seconds of $1: $((now - started))"
    started=$now
}
sh "$(dirname "$0")/system-packages.sh" &
packages=$!
EXTRAS=dev
. "$(dirname "$0")/setup.sh"
wait "$packages"
took "set-up"
.venv/bin/ruff format --check .
.venv/bin/ruff check .
took "lint"
full=
if [ "${1:-}" = --full ]; then
    full=--full
    shift
fi
# No test was chosen: that is for the other half to say.
tests() {
    # shellcheck disable=SC2086  # --full or nothing
    .venv/bin/python -m pytest --durations=20 $full "$@" || [ $? -eq 5 ]
}
# Types are looked at beside the tests, which do not keep two cores busy to the end.
types=$(mktemp)
.venv/bin/mypy >"$types" 2>&1 &
mypy=$!
# On a first run one process compiles what the tests import; of the four below, each would.
[ -d tests/__pycache__ ] || .venv/bin/python -m pytest --collect-only -q "$@" >/dev/null 2>&1 || true
# Four at a time, since some wait for a browser or for a file that another one converts; and then,
# with nothing beside them, those that compare times.
failed=
tests -n 4 --dist loadfile --no-loadscope-reorder --alone not "$@" || failed=yes
wait "$mypy" || failed=yes
cat "$types"
rm "$types"
took "types, and tests four at a time"
[ -z "$failed" ]
# Read the files of those few only, if no others are asked for.
[ $# -gt 0 ] || set -- $(grep -rl "pytest.mark.alone" tests --include="test_*.py")
tests --alone only "$@"
took "tests alone"
