"""The command line's door, and `python -m glint_edge`."""

import sys
from importlib.util import find_spec


def main() -> None:
    """Run the command line; without the toolkit's packages, say which extra brings them."""
    if find_spec("typer") is None or find_spec("torch") is None:
        sys.stderr.write(
            "glint-edge: only the runtime is installed; for the command line: "
            "pip install 'glint-edge[toolkit]' (or [executorch], [onnx], [litert], [all])\n"
        )
        sys.exit(2)
    try:
        from glint_edge.cli import app as cli
    except KeyboardInterrupt:  # while the commands are imported
        sys.stderr.write("error: stopped\n")
        sys.exit(130)
    cli.main()


if __name__ == "__main__":
    main()
