#!/bin/sh
# The main job on the shipped checkpoint: export to ExecuTorch in int8, bench what was written, and ask it for films.
# --light does the same on the engine, the lightest target, which needs none of ExecuTorch's packages.
case ${1:-} in
    "") EXTRAS=executorch target=executorch rounds= ;;
    --light) EXTRAS=toolkit target=c rounds="--rounds 1" ;;
    *) echo "usage: sh $0 [--light]" >&2; exit 2 ;;
esac
. "$(dirname "$0")/setup.sh"
if [ $target = c ] && ! ls glint_edge/engine/_glint.* >/dev/null 2>&1; then
    # There was no C compiler when the clone was installed: one that pip brings.
    .venv/bin/python -m pip install --quiet --disable-pip-version-check ziglang
    .venv/bin/python -m glint_edge.engine
fi
.venv/bin/glint-edge export --target $target --quantize int8
# shellcheck disable=SC2086  # an option or nothing
.venv/bin/glint-edge bench $rounds
.venv/bin/glint-edge recommend "Star Wars (1977)" "Alien (1979)" "Blade Runner (1982)"
