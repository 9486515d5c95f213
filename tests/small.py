"""A whole bundle of a tiny model, exported as by `glint-edge export` but for the checks."""

from converters.export import export
from converters.options import ExportOptions
from glint_edge.checkpoints.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from glint_edge.data.catalogue import Catalogue
from glint_edge.data.record import DataSource

APP = DataSource("app", "app")
HISTORIES = [[1, 2, 3], list(range(5, 11)), [7]]


def small_bundle(
    model, folder, target="onnx", titles=(), keys=(), *,
    quantize="none", data=APP, metrics=None, **shown,
):  # fmt: skip
    """`app.glint` in a folder, its checkpoint beside it; keys are k1, k2, … unless said.

    `data` and `metrics` are the checkpoint's, `shown` other attributes of its catalogue.
    """
    keys = keys or [f"k{number}" for number in range(1, model.config.items + 1)]
    catalogue = Catalogue(("", *keys), dict(titles), **shown)
    save_checkpoint(Checkpoint(model, catalogue, data, metrics=metrics or {}), folder / "run")
    options = ExportOptions((target,), quantize, 10, folder / "app.glint", chunk=4)
    return export(
        load_checkpoint(folder / "run"), options,
        folder=folder / "run", histories=HISTORIES, check=lambda *_: [],
    ).path  # fmt: skip
