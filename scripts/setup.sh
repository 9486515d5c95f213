# Sourced by demo.sh and test.sh: a virtual environment in .venv with this project and the
# extras named in $EXTRAS. PYTHON chooses the interpreter (3.11 or newer).
set -eu
cd "$(dirname "$0")/.."
PYTHON=${PYTHON:-python3}
if [ ! -x .venv/bin/python ]; then
    "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
        echo "glint-edge needs Python 3.11 or newer; name one: PYTHON=python3.12 sh $0" >&2
        exit 1
    }
    "$PYTHON" -m venv .venv
fi
# Where an environment forbids to keep what is compiled, each process would compile all of torch anew.
unset PYTHONDONTWRITEBYTECODE
.venv/bin/python scripts/install.py "$EXTRAS"
