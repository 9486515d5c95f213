"""What the tests of a changed catalogue share."""

import torch

from converters.export import write_bundle
from converters.options import ExportOptions
from converters.targets import targets
from glint_edge.bundles.bundle import Artifact
from glint_edge.checkpoints.checkpoint import load_checkpoint
from glint_edge.model.stream import empty_state

HISTORIES = [[1, 2, 3], [40], [5, 5, 0, 7], list(range(1, 41)), [41, 3], [7, 7, 7]]
ROW = torch.ones(16)


def lists(program, history):
    state = empty_state(program.config)
    for item in history:
        state = program.append(state, torch.tensor([item]))
    items, scores = program.recommend(state)
    return items[0].tolist(), scores[0]


def passed(artifacts, *_, **__):
    """What is tested is what is written; that `check_artifacts` finds faults is test_bench's."""
    return [
        {
            "target": artifact.target, "precision": artifact.precision, "ok": True, "users": 0,
            "max_score_error": None, "top10_overlap": None, "ndcg_at_10": None,
            "ndcg_at_10_float": None, "failures": [],
        }
        for artifact, _ in artifacts
    ]  # fmt: skip


def a_bundle(folder, out, spare=None, names=("onnx",), **more):
    """A bundle whose files are none: what is tested is what happens before they are read."""
    artifacts = [
        Artifact(target, "int8", f"model.{target}", targets()[target].runtime) for target in names
    ]
    options = ExportOptions(names, "int8", 10, out, spare_items=spare, chunk=7)
    write_bundle(
        load_checkpoint(folder), options, artifacts,
        lambda program, artifact, file: file.write_bytes(b"converted"),
        folder=folder, check=passed, **more,
    )  # fmt: skip
    return out
