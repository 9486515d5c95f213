"""What a bundle's manifest and its files say of themselves."""

from __future__ import annotations

import datetime
import json
from collections.abc import Sequence
from importlib import metadata
from typing import TYPE_CHECKING, Any

from glint_edge.bundles.bundle import Artifact, methods_of, state_of
from glint_edge.bundles.manifest import no_history
from glint_edge.checkpoints.checkpoint import Checkpoint
from glint_edge.data.named import NAMED
from glint_edge.model.stream import StreamProgram
from quantization import LayerReport

if TYPE_CHECKING:
    from converters.options import ExportOptions


def manifest_of(
    checkpoint: Checkpoint,
    options: ExportOptions,
    program: StreamProgram,
    artifacts: Sequence[Artifact],
    layers: Sequence[LayerReport],
) -> dict[str, Any]:
    """The manifest, but for the checks and the files' digests.

    It goes to strangers with the app: of the maker it names no folder, no file and no figure of a
    training.

    Args:
        checkpoint: what was exported.
        options: how.
        program: what the artifacts compute.
        artifacts: the files.
        layers: what quantization did to each layer.
    """
    config, catalogue, repeats = program.config, checkpoint.catalogue, checkpoint.data.repeats
    return {
        "name": options.bundle_name,
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "tool": {"name": "glint-edge", "version": metadata.version("glint-edge")},
        "model": config.to_dict(),
        "window": options.window,
        "top_k": program.top_k,
        "catalogue": {
            "version": catalogue.version,
            "added": catalogue.added,
            "retired": len(catalogue.retired),
            "spare": program.spare_items,
            "order": _order(config.items, catalogue.added),
        },
        "no_history": no_history(config),
        "state": state_of(config),
        "methods": methods_of(config, program.top_k, program.append_many.chunk, program.rows),
        "quantization": {
            "precision": program.precision,
            "layers": [layer.to_dict() for layer in layers],
        },
        "artifacts": [{**vars(a), "runtime": dict(a.runtime)} for a in artifacts],
        "checkpoint": {"sha256": checkpoint.sha256, "path": None},
        "data": {
            "name": _public_name(checkpoint),
            "attribution": checkpoint.data.attribution,
            "metrics": {},
            **({} if repeats is None else {"repeats": repeats}),
        },
    }


def file_metadata(
    checkpoint: Checkpoint, options: ExportOptions, program: StreamProgram
) -> dict[str, str]:
    """What a file says of itself, for those who find it without its bundle.

    Of a catalogue that may change, nothing that a change would make untrue.
    """
    config = program.config.to_dict()
    items = f"{program.config.items}"
    about = {"checkpoint_sha256": checkpoint.sha256}
    if program.spare_items is not None:
        items, about = f"up to {config.pop('items') + program.spare_items}", {}
    return {
        "name": options.bundle_name,
        "description": (
            f"GLINT-RU as a stream: next-item recommendations over {items} items, "
            f"{program.precision}; made by glint-edge"
        ),
        "version": metadata.version("glint-edge"),
        "author": "glint-edge",
        "precision": program.precision,
        "top_k": str(program.top_k),
        "window": options.window,
        "model": json.dumps(config),
        "state": json.dumps(state_of(program.config)),
        "data": _public_name(checkpoint),
        "attribution": checkpoint.data.attribution,
        **about,
    }


def _order(items: int, added: int) -> str:
    """What the ids mean, for people."""
    ranks = f"1 … {items - added}: ranks by popularity when the model was trained"
    return f"{ranks}; then the items added since, oldest first" if added else ranks


def _public_name(checkpoint: Checkpoint) -> str:
    """Of the data, where it is a public set's; the name of the maker's own file is theirs."""
    return checkpoint.data.name if checkpoint.data.source in NAMED else ""
