"""The peer of training_speed.py: the authors' model in RecBole's own trainer, timed.

Runs in an environment that has RecBole, on the authors' file (benchmarks/README.md says how to get
both). Prints one JSON object: the seconds of each timed batch and how many batches an epoch has.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
import tempfile
import time
from logging import CRITICAL, disable
from pathlib import Path
from types import ModuleType
from typing import Any

COLUMNS = {"inter": ["user_id", "item_id", "timestamp"]}


def load_module(path: Path) -> ModuleType:
    """Import the authors' file, whose name is no Python identifier."""
    spec = importlib.util.spec_from_file_location("authors_glint_ru", path)
    if spec is None or spec.loader is None:
        sys.exit(f"{path} is no Python file; pass the authors' GLINT-RU.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main() -> None:
    """Train some batches and print their times."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, help="the authors' GLINT-RU.py")
    parser.add_argument("--data", default="ml-100k", help="ml-100k, or a file of a user a line")
    parser.add_argument("--batches", type=int, required=True, help="to time; 0: a whole epoch")
    parser.add_argument("--d", type=int, required=True)
    parser.add_argument("--max-length", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True)
    arguments = parser.parse_args()

    import torch
    from recbole.config import Config
    from recbole.data import create_dataset, data_preparation
    from recbole.utils import init_seed

    torch.set_num_threads(arguments.threads)
    disable(CRITICAL)
    with tempfile.TemporaryDirectory() as folder:
        name = arguments.data
        if name != "ml-100k":
            name = Path(arguments.data).stem
            write_atomic_file(Path(arguments.data), Path(folder) / name)
        config = Config(
            model=load_module(arguments.model).GLINTRU,
            dataset=name,
            config_dict={
                **({} if name == "ml-100k" else {"data_path": folder, "load_col": COLUMNS}),
                # the authors' run.py and overall.yaml, at this benchmark's width and length
                "embedding_size": arguments.d, "hidden_size": arguments.d, "n_heads": 8,
                "num_layers": 1, "dropout_prob": 0.2, "hidden_dropout_prob": 0.2,
                "attn_dropout_prob": 0.2, "layer_norm_eps": 1e-12, "loss_type": "CE",
                "MAX_ITEM_LIST_LENGTH": arguments.max_length, "train_batch_size": 2048,
                "train_neg_sample_args": None, "learning_rate": 0.001,
                "eval_args": {"split": {"LS": "valid_and_test"}, "order": "TO", "mode": "full",
                              "group_by": "user"},
                "use_gpu": False, "show_progress": False, "checkpoint_dir": folder,
            },
        )  # fmt: skip
        init_seed(config["seed"], reproducibility=True)
        data, _, _ = data_preparation(config, create_dataset(config))
        model = config.model_class(config, data.dataset)
        print(json.dumps({"batch_seconds": timed(model, data, arguments.batches),
                          "batches": len(data)}))  # fmt: skip


def write_atomic_file(source: Path, folder: Path) -> None:
    """A file of `USER ITEM ITEM …` lines as RecBole's `.inter`, the place in the line as time."""
    folder.mkdir()
    with (folder / f"{folder.name}.inter").open("w") as out:
        out.write("user_id:token\titem_id:token\ttimestamp:float\n")
        for line in source.read_text().splitlines():
            user, *items = line.split()
            out.writelines(f"{user}\t{item}\t{at}\n" for at, item in enumerate(items))


def timed(model: Any, data: Any, batches: int) -> list[float]:  # noqa: ANN401  # RecBole's own
    """RecBole's training step (trainer.py, `_train_epoch`) on the first batches, after one more."""
    import torch

    optimizer = torch.optim.Adam(model.parameters(), lr=0.001)
    model.train()
    seconds: list[float] = []
    started = time.perf_counter()
    for number, batch in enumerate(data):
        optimizer.zero_grad()
        loss = model.calculate_loss(batch)
        loss.backward()
        optimizer.step()
        now = time.perf_counter()
        if number:  # the first one warms up
            seconds.append(now - started)
        started = now
        if batches and len(seconds) == batches:
            break
    return seconds


if __name__ == "__main__":
    main()
