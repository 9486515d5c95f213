"""glint-edge: put a sequential recommender on a phone.

    import glint_edge as ge

    log = ge.load_log("taps.csv", user="uid", item="sku")
    run = ge.train(log, "runs/mine", epochs=30)
    bundle = ge.export(run, "mine.glint", targets=["onnx"])
    ge.Recommender.load(bundle).recommend(["50", "181"], k=10)

The names in `__all__` are the public API. Each is imported when it is first used, so that this
costs nothing; those of a bundle at work need numpy and a runtime alone.
"""

from __future__ import annotations

import importlib
import os
from importlib.util import find_spec
from typing import TYPE_CHECKING

# ONNX Runtime reads this once, when it is imported; else a thread of it looks up its maker's host
# and keeps a device's id in the user's cache. Child processes inherit it. Somebody's own "0" stays.
if not os.environ.get("ORT_DISABLE_TELEMETRY"):
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"

if TYPE_CHECKING:
    from glint_edge.api import (
        add_items,
        bench,
        bench_diff,
        bench_report,
        bench_scale,
        catalogue_of,
        describe_items,
        doctor,
        embed,
        evaluate,
        export,
        import_recbole,
        load,
        publish,
        pull,
        push,
        recommend,
        recommend_all,
        retire_items,
        shard,
        similar,
        train,
        tune,
    )
    from glint_edge.bundles.bundle import Bundle, load_bundle
    from glint_edge.checkpoints.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
    from glint_edge.checkpoints.scorer import Scorer, load_scorer
    from glint_edge.config import ModelConfig, TrainConfig
    from glint_edge.data.items import ItemFile
    from glint_edge.data.log import Log, load_log
    from glint_edge.errors import GlintEdgeError
    from glint_edge.model.glint_ru import GlintRU
    from glint_edge.model.stream import StreamProgram, stream_program
    from glint_edge.runtime.recommendation import Recommendation
    from glint_edge.runtime.recommender import Recommender
    from glint_edge.runtime.session import Session
    from glint_edge.runtime.update import BundleStore

__all__ = [
    "Bundle",
    "BundleStore",
    "Checkpoint",
    "GlintEdgeError",
    "GlintRU",
    "ItemFile",
    "Log",
    "ModelConfig",
    "Recommendation",
    "Recommender",
    "Scorer",
    "Session",
    "StreamProgram",
    "TrainConfig",
    "add_items",
    "bench",
    "bench_diff",
    "bench_report",
    "bench_scale",
    "catalogue_of",
    "describe_items",
    "doctor",
    "embed",
    "evaluate",
    "export",
    "import_recbole",
    "load",
    "load_bundle",
    "load_checkpoint",
    "load_log",
    "load_scorer",
    "publish",
    "pull",
    "push",
    "recommend",
    "recommend_all",
    "retire_items",
    "save_checkpoint",
    "shard",
    "similar",
    "stream_program",
    "train",
    "tune",
]

_TYPES = {
    "Bundle": "bundles.bundle",
    "BundleStore": "runtime.update",
    "Checkpoint": "checkpoints.checkpoint",
    "GlintEdgeError": "errors",
    "GlintRU": "model.glint_ru",
    "ItemFile": "data.items",
    "Log": "data.log",
    "ModelConfig": "config",
    "Recommendation": "runtime.recommendation",
    "Recommender": "runtime.recommender",
    "Scorer": "checkpoints.scorer",
    "Session": "runtime.session",
    "StreamProgram": "model.stream",
    "TrainConfig": "config",
    "load_bundle": "bundles.bundle",
    "load_checkpoint": "checkpoints.checkpoint",
    "load_log": "data.log",
    "load_scorer": "checkpoints.scorer",
    "save_checkpoint": "checkpoints.checkpoint",
    "stream_program": "model.stream",
}
# What an application that only runs bundles has; all else needs the toolkit.
_RUNTIME = {
    "BundleStore", "GlintEdgeError", "ModelConfig", "Recommendation", "Recommender", "Session",
    "TrainConfig", "load", "recommend", "similar",
}  # fmt: skip


def __getattr__(name: str) -> object:
    """Import a public name on first use (PEP 562).

    Raises:
        MissingExtraError: it needs the toolkit, and the runtime alone is installed.
    """
    if name not in __all__:
        raise AttributeError(f"module 'glint_edge' has no attribute {name!r}")
    if name not in _RUNTIME and any(find_spec(package) is None for package in ("torch", "polars")):
        from glint_edge.errors import MissingExtraError

        raise MissingExtraError(
            "glint-edge[executorch]",
            f"only the runtime is installed, and glint_edge.{name} needs more than that: it",
        )
    return getattr(importlib.import_module(f"glint_edge.{_TYPES.get(name, 'api')}"), name)


def __dir__() -> list[str]:
    return __all__
