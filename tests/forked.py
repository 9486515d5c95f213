"""Processes forked off one that has imported what takes seconds: torch, and training."""

import multiprocessing

import torch
import torch._dynamo  # what an optimizer's first step imports

import glint_edge.training.train  # noqa: F401  # takes seconds, and none again once forked
from glint_edge.cli import app  # noqa: F401  # the same

torch.set_num_threads(1)


def start(function, *arguments):
    """Start a function of a module that can be imported, in a process of its own."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    process = context.Process(target=function, args=arguments)
    process.start()
    return process
