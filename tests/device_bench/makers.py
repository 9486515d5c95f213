"""What several tests make: held-out histories, the float model's lists, checkpoints, bundles."""

import contextlib
import gc
import io
import json
import subprocess
import sys
import warnings

import numpy as np
import pytest
import torch
from rich.console import Console

from device_bench.document import document
from device_bench.entries import Settings
from device_bench.measure import sampling, worker
from device_bench.measure.job import Histories, TopK
from device_bench.measure.sampling import Plan
from device_bench.reports.terminal import render
from device_bench.runners import python as python_runner
from glint_edge.bundles.bundle import Artifact, Bundle
from glint_edge.bundles.golden import golden_of
from glint_edge.checkpoints.checkpoint import Checkpoint
from glint_edge.data.catalogue import Catalogue
from glint_edge.data.record import DataSource
from glint_edge.data.sequences import HeldOut
from glint_edge.model.stream import empty_state, stream_program

QUICK = Settings(rounds=1, plan=Plan(warmup=1, runs=20, budget_ms=50))
TOP_K = 10  # of the lists below
HISTORIES = [[1, 2, 3], [40], [5, 5, 0, 7], list(range(1, 31))]


def held_out_of(model, users=24, seed=0):
    """Random histories; each target is one of the first items that the model recommends."""
    rng = np.random.default_rng(seed)
    items = model.config.items
    histories = [rng.integers(1, items + 1, rng.integers(1, 31)).tolist() for _ in range(users)]
    packed = Histories.of(histories)
    with torch.no_grad():
        scores = [model.score(torch.tensor([h]), torch.tensor([len(h)]))[0] for h in histories]
    place = rng.integers(0, 14, users)
    targets = [int(s.argsort(descending=True)[p]) for s, p in zip(scores, place, strict=True)]
    return HeldOut(packed.ids, packed.offsets, np.array(targets))


def float_lists(model, held_out, k=TOP_K):
    histories = Histories(held_out.ids, held_out.offsets)
    items, scores = [], []
    with torch.no_grad():
        for number in range(len(histories)):
            history = histories[number][-model.config.max_length :]
            top = model.score(torch.tensor([history]), torch.tensor([len(history)]))[0].topk(k)
            items.append(top.indices.numpy())
            scores.append(top.values.numpy())
    return TopK(np.stack(items), np.stack(scores))


def catalogue_of(items):
    return Catalogue(("", *(f"k{n}" for n in range(1, items + 1))), {})


def checkpoint_of(model):
    return Checkpoint(model, catalogue_of(model.config.items), DataSource("x", "x"))


def bundle_of(model, path, artifacts, golden, *, top_k=TOP_K, named=None):
    return Bundle(
        path=path,
        manifest={
            "name": "app",
            "window": "sliding",
            "checkpoint": named or {"sha256": "", "path": None},
        },
        config=model.config,
        top_k=top_k,
        artifacts=tuple(Artifact(*artifact, runtime={}) for artifact in artifacts),
        catalogue=checkpoint_of(model).catalogue,
        golden=golden,
    )


def golden_for(program, histories=HISTORIES):
    """Golden vectors of a program whose items have the keys of `checkpoint_of`."""
    return golden_of(program, histories, catalogue_of(program.config.items))


def answers(golden, model):
    """What the float stream gives for golden histories: states and lists, to be changed."""
    program = stream_program(model, TOP_K)
    states = []
    with torch.no_grad():
        for case in golden.cases:
            state = empty_state(program.config)
            for item in case.history:
                state = program.append(state, torch.tensor([item]))
            states.append(state.numpy())
    items = np.array([case.items for case in golden.cases])
    scores = np.array([case.scores for case in golden.cases], np.float32)
    return np.concatenate(states), TopK(items, scores)


def printed(*results, width=80):
    """What the terminal shows of them, in one line."""
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(render(document(results, Settings(), [])))
    return " ".join(console.export_text().split())


def work_here(patch, but=None, timed=True):
    """Let the python runner's worker work in this process, which keeps its CPUs and threads.

    Args:
        patch: a `MonkeyPatch`.
        but: artifacts with this in their path have a process of their own.
        timed: where a job is to be; otherwise none is.
    """
    wait_for = python_runner.wait_for

    def work(command, *, folder, stdin, **options):
        if but is not None and but in json.loads(stdin)["path"]:
            return wait_for(command, folder=folder, stdin=stdin, **options)
        job = json.loads(stdin)
        job["timed"] = job["timed"] and timed
        threads = torch.get_num_threads()
        try:
            with (
                contextlib.chdir(folder),
                warnings.catch_warnings(),
                pytest.MonkeyPatch.context() as here,
            ):
                warnings.simplefilter("ignore")  # a process that warns of something goes on
                here.setattr(sys, "stdin", io.StringIO(json.dumps(job)))
                here.setattr(sampling, "LEAST_RUNS", 5)  # eager torch takes 20 ms a cold start
                here.setattr(sampling, "BLOCK", 5)
                here.setattr(gc, "collect", int)  # what tests left is not a worker's to collect
                here.setattr(worker, "pin", lambda threads: None)
                code = worker.main()
        finally:
            torch.set_num_threads(threads)
        return subprocess.CompletedProcess(command, code, "", "")

    patch.setattr(python_runner, "wait_for", work)
