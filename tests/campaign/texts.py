"""Settings, bench documents, what the native runner writes, and the notes of the cache."""

import io
import json

import numpy as np
from rich.console import Console

from device_bench.native.exchange import OUTPUTS, RESULT, read_result
from device_bench.reports.html import html
from device_bench.reports.terminal import render
from device_bench.results import BenchDiff, BenchRun
from glint_edge import api
from glint_edge.bundles.bundle import load_bundle
from glint_edge.checkpoints.checkpoint import load_checkpoint
from glint_edge.checkpoints.of_bundle import _note as checkpoint_note
from glint_edge.checkpoints.of_bundle import find_checkpoint
from glint_edge.cli.last_bundle import _note as bundle_note
from glint_edge.cli.last_bundle import last_bundle
from glint_edge.errors import GlintEdgeError
from glint_edge.training.run_file import read_run, requested, write_run
from tests.campaign.bundles import bundle_of_no_artifact
from tests.campaign.mutators import of_bytes, of_document, one_of
from tests.campaign.trials import Target, require
from tests.device_bench.reports.documents import (
    document_of,
    generated,
    profile_of,
    row_of,
    scale_of,
)

VALUES = (
    "1e400", "nan", "-inf", "10" * 3000, "2147483648", "-1", "0", "1.5", "true", '""', '"x"',
    '"\\ud800"',
    "[]", "[[]]", "{}", "1979-05-27", "'''", "{a=1}", "[" * 5000, "[" * 5000 + "]" * 5000,
    '"../x"', "0x10",
    '"\\u001b[31m"', "",
)  # fmt: skip


def _run_toml(folder):
    path = folder / "run.toml"
    levers = {
        "d": 16, "heads": 2, "epochs": 3, "learning_rate": 1e-3, "loss": "cross-entropy",
        "gated_mlp": True, "embedding_dropout": 0.2, "precision": "float32",
    }  # fmt: skip
    settings = {"data": "taps.csv", "k_core": 5, "out": "runs/mine", "device": "cpu", **levers}
    write_run(path, settings, "a title")
    whole = path.read_bytes()
    lines = whole.decode().splitlines()

    def changed(rng):
        if rng.random() < 0.4:
            return of_bytes(whole, rng)
        own = list(lines)
        at = int(rng.integers(1, len(own)))
        name = own[at].partition(" = ")[0]
        own[at] = f"{one_of((name, name, name, 'stranger', 'a.b', '[d]', ''), rng)} = " + one_of(
            VALUES, rng
        )
        return "\n".join(own).encode("utf-8", errors="surrogatepass")

    def trial(rng):
        path.write_bytes(changed(rng))
        read = read_run(path)
        again = folder / "again.toml"
        write_run(again, read)
        require(read_run(again) == read, "what is written of it is read otherwise")
        requested(path, {})

    return trial


def _documents():
    rows = [row_of(profile=profile_of("conv")), row_of("onnx", failures=["x"], warnings=["y"])]
    yield document_of(*rows)
    yield scale_of(generated("onnx", 100, 16), generated("tflite", 1000, 16))


def _bench(folder):
    """A run that is shown in every way, and compared with another."""
    path, other = folder / "run.json", folder / "other.json"
    documents = list(_documents())
    other.write_text(json.dumps(documents[0]))

    def trial(rng):
        path.write_bytes(of_document(one_of(documents, rng), rng))
        run = BenchRun.read(path)
        shown = rng.integers(5)
        if shown == 0:
            html(run.to_dict())
        elif shown == 1:
            run.markdown()
        elif shown == 2:
            Console(file=io.StringIO()).print(render(run.document))
        elif shown == 3:
            run.to_frame()
        else:
            difference = api.bench_diff(other, path)
            require(isinstance(difference, BenchDiff), "no difference")
            Console(file=io.StringIO()).print(difference)
            json.dumps(difference.to_dict())

    return trial


def _native(folder):
    """What a runner wrote that may be of another version, or on another machine."""
    size, k, golden, histories = 6, 3, 2, 4
    times = {"append": [100, 110], "recommend": [200]}
    result = {
        "state_size": size, "top_k": k, "samples_ns": times, "calibration_ns": times,
        "cpu_ns": {"append": 90.0}, "load_ms": [1.0], "first_call_us": {"append": 5.0},
    "threads": 1,
        "peak_memory_bytes": 1000, "memory_added_bytes": 10, "warnings": [],
    }  # fmt: skip
    sizes = 4 * (2 * golden * size + golden * k + histories * k) + 8 * (golden + histories) * k
    outputs = np.arange(sizes // 4, dtype="<i4").tobytes()

    def trial(rng):
        (folder / OUTPUTS).write_bytes(outputs if rng.random() < 0.7 else of_bytes(outputs, rng))
        (folder / RESULT).write_bytes(of_document(result, rng))
        read_result(folder, golden, histories)

    return trial


def _notes(folder):
    """Notes of what lies where: a damaged one is none."""
    bundle = load_bundle(bundle_of_no_artifact(folder))
    floats = load_checkpoint(folder / "run")
    notes = (checkpoint_note(floats.digest), bundle_note())
    for note in notes:
        note.parent.mkdir(parents=True, exist_ok=True)
    wholes = (f"{folder / 'run'}\n".encode(), f"{bundle.path}\n".encode())

    def trial(rng):
        for note, whole in zip(notes, wholes, strict=True):
            note.write_bytes(of_bytes(whole, rng))
        try:
            last_bundle()
        except GlintEdgeError:
            pass
        finally:
            notes[1].unlink()
        found = find_checkpoint(bundle)
        require(found is None or found.digest == floats.digest, "another model's checkpoint")

    return trial


TARGETS = (
    Target("run.toml", _run_toml),
    Target("bench documents", _bench, share=0.7),
    Target("what the native runner wrote", _native, share=0.3),
    Target("notes in the cache", _notes, share=0.2),
)
