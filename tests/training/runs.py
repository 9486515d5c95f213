"""Trainings of a tiny model, in this process or in one that is killed."""

import math
import os
import signal

import torch

from glint_edge.config import ModelConfig, TrainConfig
from glint_edge.data.log import load_log
from glint_edge.training.train import train

MODEL = {"d": 8, "heads": 2, "max_length": 12}
TRAINING = {"epochs": 4, "batch_positions": 64, "threads": 1}


def spoil(optimizer, *_):
    """A step that leaves float32, in place of Adam's."""
    for group in optimizer.param_groups:
        group["params"][0].data.fill_(math.inf)


def spoil_steps():
    """In a process of its own."""
    torch.optim.Adam.step = spoil


def run(log, out, *, resume=False, on_progress=None, items=None, **training):
    log = load_log(log)
    config = TrainConfig(**TRAINING | training)
    model = ModelConfig(items=log.split().item_count, **MODEL)
    return train(
        log.split(), model, config, out, source=log.source, resume=resume, items=items,
        on_progress=on_progress,
    )  # fmt: skip


def run_to_a_kill(log, out):
    def die(progress):
        if (progress.epoch, progress.batch) == (3, 2):
            os.kill(os.getpid(), signal.SIGKILL)

    run(log, out, on_progress=die)
