# Sourced by demo.sh and test.sh: a virtual environment in .venv with this project and the
# extras named in $EXTRAS. PYTHON chooses the interpreter (3.10 or newer).
set -eu
cd "$(dirname "$0")/.."
[ -x .venv/bin/python ] || "${PYTHON:-python3}" -m venv .venv
# pip rather than another installer: it takes a CPU build of torch where one is offered. Compiling
# all that is installed takes longer than installing it; Python compiles what is imported, once.
.venv/bin/python -m pip install --quiet --no-compile --disable-pip-version-check --editable ".[$EXTRAS]"
