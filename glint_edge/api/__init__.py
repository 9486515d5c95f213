"""What `glint-edge` does, as functions: the command line and Python users call the same.

The one room that may import all four packages. Each function imports what it needs when it is
called, so that importing this costs nothing. Notes go to the `glint_edge` logger. How far a slow
function is goes to the `on_step`, `on_progress` or `on_rows` it is passed; without one it is shown,
where somebody looks: in a terminal and in a notebook.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from glint_edge.api.apps import embed, inspect, publish
from glint_edge.api.catalogue import add_items, catalogue_of, describe_items, retire_items
from glint_edge.api.devices import check_device, doctor, list_devices, setup_device
from glint_edge.api.evaluating import evaluate
from glint_edge.api.exporting import export
from glint_edge.api.lists import load, recommend, recommend_all, similar
from glint_edge.api.measuring import bench, bench_diff, bench_report
from glint_edge.api.scaling import bench_scale
from glint_edge.api.sharing import import_recbole, pull, push
from glint_edge.api.training import shard, train, tune
from glint_edge.data.log import load_log as load_log

if TYPE_CHECKING:
    # `as`: who calls these functions takes the names of what they give from here.
    from converters.catalogue.change import CatalogueChange as CatalogueChange
    from device_bench.devices import Device as Device
    from device_bench.results import BenchRun as BenchRun
    from device_bench.runners.arm64 import Finding as Finding

# In the order of the data's way, as the docs show them.
__all__ = [  # noqa: RUF022
    "train", "tune", "shard", "evaluate", "export", "recommend", "similar", "recommend_all", "load",
    "catalogue_of", "add_items", "describe_items", "retire_items", "embed", "publish", "inspect",
    "import_recbole", "push", "pull", "bench", "bench_scale", "bench_diff", "bench_report",
    "list_devices", "setup_device", "check_device", "doctor",
]  # fmt: skip
