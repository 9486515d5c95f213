"""Two processes that train together without torchrun, which takes seconds to start.

They find one another as under torchrun: by a store that outlives any of them.
"""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from torch.distributed import TCPStore

from glint_edge.cli.app import main
from tests import forked


def run_rank(arguments, variables, told, prepare=None):
    """Be one rank: `glint-edge` with these arguments; what it prints goes into files."""
    os.environ.update(variables)
    for descriptor, path in ((1, f"{told}.out"), (2, f"{told}.err")):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), descriptor)
    if prepare:
        prepare()
    sys.argv = ["glint-edge", *arguments]
    main()


@dataclass(frozen=True)
class Launched:
    """Two ranks that run.

    Attributes:
        processes: by rank.
        folder: where they print.
        store: by which they find one another; it outlives them.
    """

    processes: list
    folder: Path
    store: TCPStore

    def wait(self):
        """Exit codes and the lines of errors, of both."""
        for process in self.processes:
            process.join(300)
        lines = [
            line
            for rank in range(2)
            for line in (self.folder / f"{rank}.err").read_text().splitlines()
            if line.startswith("error: ")
        ]
        return [process.exitcode for process in self.processes], lines


def launch(folder, *arguments_of, prepare=None):
    """Start a rank for each list of arguments; `prepare` is called in each before."""
    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    variables = {
        "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(store.port), "WORLD_SIZE": "2",
        "TORCHELASTIC_USE_AGENT_STORE": "True",
    }  # fmt: skip
    processes = []
    for rank, arguments in enumerate(arguments_of):
        own = variables | {"RANK": str(rank), "LOCAL_RANK": str(rank)}
        words = [str(word) for word in arguments]
        processes.append(forked.start(run_rank, words, own, str(folder / str(rank)), prepare))
    return Launched(processes, folder, store)
