"""`neighbours.bin` in the folder of a checkpoint or a bundle."""

from __future__ import annotations

from pathlib import Path

from glint_edge.data.neighbours import Neighbours, Newer
from glint_edge.errors import GlintEdgeError
from glint_edge.json_files import Fault

NEIGHBOURS = "neighbours.bin"


def read_file(path: Path, items: int) -> Neighbours:
    """Read `neighbours.bin` of a model.

    Args:
        path: the file.
        items: of the model's catalogue.

    Raises:
        Fault: it is damaged, of a later version, or of another model.
        OSError: it is not there, or cannot be read.
    """
    neighbours = Neighbours.from_bytes(path.read_bytes())
    if neighbours.rows > items + 1:
        raise Fault(
            f"is damaged (it has {neighbours.rows - 1:,} items, and the model has {items:,})"
        )
    return neighbours


def read_beside(
    folder: Path, items: int, refused: type[GlintEdgeError], way_out: str
) -> Neighbours:
    """The `neighbours.bin` of a checkpoint's or a bundle's folder.

    Args:
        folder: that lists it.
        items: the model's catalogue size.
        refused: raised where it is missing, damaged, of another model or of a later version.
        way_out: what to do about a damaged one.
    """
    path = folder / NEIGHBOURS
    try:
        return read_file(path, items)
    except Newer as error:
        raise refused(f"{path} {error}; upgrade glint-edge") from error
    except Fault as error:
        raise refused(f"{path} {error}; {way_out}") from error
