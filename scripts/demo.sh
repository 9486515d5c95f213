#!/bin/sh
# The main job on the shipped checkpoint: export to ExecuTorch in int8, then bench what was written.
EXTRAS=executorch
. "$(dirname "$0")/setup.sh"
.venv/bin/glint-edge export --target executorch --quantize int8
.venv/bin/glint-edge bench
