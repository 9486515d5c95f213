"""Everything that writes a file or a folder, and what must be found there whatever stops it.

A writer is run in a folder that is `before`. However it ends, what `look` sees is that or `after`,
and when it is run once more, undisturbed, it is `after`, and nothing half written is left.
"""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from converters.export import export
from converters.options import ExportOptions
from device_bench.document import read_document, write_document
from glint_edge import api
from glint_edge.bundles.bundle import load_bundle
from glint_edge.bundles.publish import publish
from glint_edge.checkpoints.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from glint_edge.checkpoints.of_bundle import find_checkpoint
from glint_edge.cli import app as cli
from glint_edge.cli.signals import Stopped, stopped_by_signals
from glint_edge.data.catalogue import Catalogue
from glint_edge.data.record import DataSource
from glint_edge.errors import GlintEdgeError
from glint_edge.files import sha256
from glint_edge.json_files import parse
from glint_edge.runtime import BundleStore
from glint_edge.staging import recover
from glint_edge.training.run_file import read_run
from tests import forked  # noqa: F401  # imports what else each child would, for seconds
from tests.campaign.trials import require
from tests.checkpoints.recbole_oracle import checkpoint_bytes, weights
from tests.conversions import write_no_artifact
from tests.device_bench.reports.documents import document_of, row_of
from tests.logs import write_ring
from tests.runtime.update_server import Server, make_bundle, name_of
from tests.small import small_bundle, tiny_model

BEFORE, AFTER = "before", "after"


@dataclass(frozen=True)
class Writer:
    """One command or function.

    Attributes:
        name: of it.
        prepare: makes a folder in which it can run.
        run: it, in that folder; in a child.
        look: `BEFORE` or `AFTER`; raises where it is neither.
        share: about how many steps it has.
        quick: it takes milliseconds, and neither torch's nor polars' threads.
    """

    name: str
    prepare: Callable[[Path], None]
    run: Callable[[Path], None]
    look: Callable[[Path], str]
    share: int = 1
    quick: bool = False


def command(*words):
    """A command line in this process."""
    sys.argv = ["glint-edge", *map(str, words)]
    cli.main()


def called(function):
    """A function of Python's, called as the command line calls it."""

    def run(folder):
        try:
            with stopped_by_signals():
                function(folder)
        except (GlintEdgeError, OSError) as error:
            sys.stderr.write(f"{error}\n")
            sys.exit(2)
        except (Stopped, KeyboardInterrupt) as error:
            sys.stderr.write("stopped\n")
            sys.exit(getattr(error, "exit_code", 130))

    return run


def _model(folder, seed=0):
    catalogue = Catalogue(("", *(f"k{n}" for n in range(1, 21))), {})
    model = tiny_model(seed, items=20, d=4, heads=2, max_length=6)
    save_checkpoint(Checkpoint(model, catalogue, DataSource("x", "x")), folder)


def _bundle(folder, out, top_k):
    options = ExportOptions(("onnx",), "none", top_k, out)
    with mock.patch("converters.export.convert", write_no_artifact):
        return export(load_checkpoint(folder), options, folder=folder, check=lambda *_: [])


def _side(value, before, after):
    require(value in (before, after), f"neither {before} nor {after}, but {value}")
    return BEFORE if value == before else AFTER


def _absent_or(path, read):
    """Nothing, or what is whole."""
    recover(path)
    if not path.exists():
        return BEFORE
    read(path)
    return AFTER


# ---- bundles ------------------------------------------------------------------------------------


def _prepare_export(folder):
    _model(folder / "run")
    _bundle(folder / "run", folder / "app.glint", 5)


def _run_export(folder):
    with (
        mock.patch("converters.export.convert", write_no_artifact),
        mock.patch("glint_edge.api.exporting._check", lambda *_: lambda artifacts, golden: []),
    ):
        command(
            "export", folder / "run", "--target", "onnx", "--quantize", "none", "--top-k", 7,
            "--out", folder / "app.glint", "--offline",
        )  # fmt: skip


def _look_export(folder):
    recover(folder / "app.glint")
    return _side(load_bundle(folder / "app.glint").top_k, 5, 7)


def _prepare_publish(folder):
    _model(folder / "run")
    publish(_bundle(folder / "run", folder / "old.glint", 5), folder / "served")
    _bundle(folder / "run", folder / "new.glint", 7)


def _look_publish(folder):
    served = folder / "served"
    latest = json.loads((served / "latest.json").read_bytes())
    place = served / latest["path"]
    require(sha256(place / "manifest.json") == latest["manifest_sha256"], "latest.json lies")
    for name in ("old", "new"):  # those that apps are fetching
        own = served / "bundles" / sha256(folder / f"{name}.glint" / "manifest.json")[:16]
        if own.exists() or name == "old":
            load_bundle(own)
    return _side(load_bundle(place).top_k, 5, 7)


def _read_module(folder):
    (bundle,) = folder.rglob("*.glint")
    load_bundle(bundle)
    require(len([path for path in folder.rglob("*") if path.is_file()]) > 6, "a half module")


def _prepare_retire(folder):
    small_bundle(tiny_model(max_length=12), folder)


def _run_retire(folder):
    with mock.patch("device_bench.bench.check_artifacts", lambda *_, **__: []):
        command(
            "catalogue", "retire", folder / "app.glint", "--checkpoint", folder / "run",
            "--item", "k1", "--offline", "--out", folder / "next.glint",
        )  # fmt: skip


def _look_retire(folder):
    load_bundle(folder / "app.glint")

    def read(path):
        bundle = load_bundle(path)
        floats = find_checkpoint(bundle, folder / "next.v2.checkpoint")
        require(floats is not None and bundle.catalogue.retired == ("k1",), "not what was asked")

    return _absent_or(folder / "next.glint", read)


# ---- checkpoints, runs and data -----------------------------------------------------------------


def _prepare_import(folder):
    (folder / "GLINTRU.pth").write_bytes(checkpoint_bytes(weights(items=10, d=4)))


def _prepare_log(folder):
    write_ring(folder / "ring.txt", users=12, items=9, longest=9)


TRAIN = ("--d", 4, "--heads", 2, "--max-length", 6, "--threads", 1, "--batch-positions", 64)


def _run_train(folder):
    out = folder / "out"
    resumed = ["--resume"] if (out / "resume.safetensors").exists() else []
    command("train", "--data", folder / "ring.txt", "--out", out, *TRAIN, "--epochs", 2, *resumed)


def _look_train(folder):
    out = folder / "out"
    if not (out / "config.json").exists():
        return BEFORE  # it begins, or continues: the next run says
    weights_are = sha256(out / "model.safetensors")
    load_checkpoint(out)
    right = folder / "right.txt"
    if not right.exists():  # the first is undisturbed
        right.write_text(weights_are)
    require(weights_are == right.read_text(), "other weights than of a run that nothing stopped")
    return BEFORE if (out / "resume.safetensors").exists() else AFTER


def _run_tune(folder):
    command(
        "tune", "--data", folder / "ring.txt", "--out", folder / "out", "--trials", 2,
        "--epochs", 1, *TRAIN,
    )  # fmt: skip


def _look_tune(folder):
    out = folder / "out"
    for name, read in (
        ("best.toml", read_run),
        ("best.json", lambda path: parse(path.read_bytes())),
    ):
        if (out / name).exists():
            read(out / name)
    done = (out / "journal.log").read_text().count('"state":1') if out.exists() else 0
    return AFTER if done >= 2 and (out / "best.toml").exists() else BEFORE


def _save(folder):
    _model(folder / "run", seed=1)


def _prepare_save(folder):
    _model(folder / "run")
    before = sha256(folder / "run" / "model.safetensors")
    (folder / "was.txt").write_text(before)


def _look_save(folder):
    recover(folder / "run")
    load_checkpoint(folder / "run")
    same = sha256(folder / "run" / "model.safetensors") == (folder / "was.txt").read_text()
    return BEFORE if same else AFTER


# ---- single files and the store -----------------------------------------------------------------


def _write_run(folder):
    write_document(document_of(row_of(), row_of("onnx")), folder / "run.json")


def _look_run(folder):
    return _side(len(read_document(folder / "run.json")["rows"]), 1, 2)


def _prepare_store(folder):
    (folder / "server").mkdir()
    server = Server(folder / "server")
    store = BundleStore(folder / "store", make_bundle(folder / "app.glint", "built in"))
    for name in ("one", "two"):
        server.publish(name)
        store.update(server.fetch, name_of)
    server.publish("three")


def _stored(folder):
    return BundleStore(folder / "store", folder / "app.glint")


def _run_store(folder):
    _stored(folder).update(Server(folder / "server").fetch, name_of)


def _look_store(folder):
    return _side(_stored(folder).open(name_of), "two", "three")


WRITERS = (
    Writer("export", _prepare_export, _run_export, _look_export, 39),
    Writer(
        "publish", _prepare_publish,
        lambda folder: command("publish", folder / "new.glint", "--out", folder / "served"),
        _look_publish, 17,
    ),
    Writer(
        "embed", _prepare_export,
        lambda folder: command(
            "embed", folder / "app.glint", "--platform", "web", "--out", folder / "module"
        ),
        lambda folder: _absent_or(folder / "module", _read_module), 86,
    ),
    Writer("catalogue retire", _prepare_retire, _run_retire, _look_retire, 65),
    Writer(
        "import", _prepare_import,
        lambda folder: command("import", folder / "GLINTRU.pth", "--out", folder / "run"),
        lambda folder: _absent_or(folder / "run", load_checkpoint), 28,
    ),
    Writer(
        "shard", _prepare_log,
        lambda folder: command(
            "shard", folder / "ring.txt", "--out", folder / "shards", "--parts", 2
        ),
        lambda folder: _absent_or(folder / "shards", api.load_log), 12,
    ),
    Writer("train", _prepare_log, _run_train, _look_train, 41),
    Writer("tune", _prepare_log, _run_tune, _look_tune, 30),
    Writer("save a checkpoint", _prepare_save, called(_save), _look_save, 24, quick=True),
    Writer(
        "write a bench document",
        lambda folder: write_document(document_of(row_of()), folder / "run.json"),
        called(_write_run), _look_run, 4, quick=True,
    ),
    Writer("update a store", _prepare_store, called(_run_store), _look_store, 30, quick=True),
)  # fmt: skip
