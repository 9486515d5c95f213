"""`python -m glint_edge.engine`: build the library with this machine's C compiler."""

from __future__ import annotations

import sys

from glint_edge.engine.library import NoCompilerError, build


def main() -> int:
    """Build it; returns the exit code."""
    try:
        sys.stdout.write(f"built {build()}\n")
    except (NoCompilerError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
