"""`glint-edge train`, `shard` and `tune`: from a log to a checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from glint_edge.cli import console, render
from glint_edge.cli.options import (
    Format,
    ItemColumn,
    Json,
    KCore,
    TimeColumn,
    UserColumn,
    load_options,
)
from glint_edge.config import ModelConfig, TrainConfig

if TYPE_CHECKING:
    from collections.abc import Mapping

    from glint_edge.data.record import DataSource, LoadOptions
    from glint_edge.data.sequences import Split
    from glint_edge.data.shards import ShardedLog


def train(
    data: Annotated[
        str,
        typer.Option(help="ml-100k, a log of who tapped what when, or a folder that `shard` made."),
    ],
    out: Annotated[Path, typer.Option(help="The run's folder.")],
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --out.")] = False,
    format: Format = None,
    user_column: UserColumn = None,
    item_column: ItemColumn = None,
    time_column: TimeColumn = None,
    k_core: KCore = 0,
    d: Annotated[
        int,
        typer.Option(
            "--d",
            "--width",
            help="Width; after torchrun only --width will do.",
            rich_help_panel="Model",
        ),
    ] = ModelConfig.d,
    heads: Annotated[
        int, typer.Option(help="Heads of the attention.", rich_help_panel="Model")
    ] = ModelConfig.heads,
    kernel: Annotated[
        int, typer.Option(help="Taps of a convolution.", rich_help_panel="Model")
    ] = ModelConfig.kernel,
    max_length: Annotated[
        int, typer.Option(help="Items of a history that are seen.", rich_help_panel="Model")
    ] = ModelConfig.max_length,
    gated_mlp: Annotated[
        bool, typer.Option(help="Without it: Light GLINT-RU.", rich_help_panel="Model")
    ] = ModelConfig.gated_mlp,
    epochs: Annotated[
        int, typer.Option(help="At most.", rich_help_panel="Steps")
    ] = TrainConfig.epochs,
    patience: Annotated[
        int,
        typer.Option(help="Epochs without a better validation NDCG@10.", rich_help_panel="Steps"),
    ] = TrainConfig.patience,
    batch_positions: Annotated[
        int, typer.Option(help="Predictions a step.", rich_help_panel="Steps")
    ] = TrainConfig.batch_positions,
    learning_rate: Annotated[
        float, typer.Option(help="Adam's step size, at its highest.", rich_help_panel="Steps")
    ] = TrainConfig.learning_rate,
    schedule: Annotated[
        str,
        typer.Option(
            help="constant, or cosine: down to nothing at --epochs.", rich_help_panel="Steps"
        ),
    ] = TrainConfig.schedule,
    warmup_epochs: Annotated[
        int, typer.Option(help="Epochs over which the step size grows.", rich_help_panel="Steps")
    ] = TrainConfig.warmup_epochs,
    loss: Annotated[
        str, typer.Option(help="cross-entropy, sampled-softmax or gbce.", rich_help_panel="Loss")
    ] = TrainConfig.loss,
    negatives: Annotated[
        int,
        typer.Option(help="Items drawn a step, of the last two.", rich_help_panel="Loss"),
    ] = TrainConfig.negatives,
    calibration: Annotated[
        float, typer.Option(help="t of gbce, 0 to 1.", rich_help_panel="Loss")
    ] = TrainConfig.calibration,
    temperature: Annotated[
        float,
        typer.Option(help="Above 0: scores are cosines divided by it.", rich_help_panel="Loss"),
    ] = TrainConfig.temperature,
    seen_margin: Annotated[
        float,
        typer.Option(
            help="How much further down a user's own items are pushed; for logs in "
            "which nobody takes an item twice.",
            rich_help_panel="Loss",
        ),
    ] = TrainConfig.seen_margin,
    label_smoothing: Annotated[
        float,
        typer.Option(
            help="Share of the target's probability spread over the catalogue.",
            rich_help_panel="Loss",
        ),
    ] = TrainConfig.label_smoothing,
    weight_decay: Annotated[
        float,
        typer.Option(help="Decoupled (AdamW), of matrices.", rich_help_panel="Against overfitting"),
    ] = TrainConfig.weight_decay,
    l2: Annotated[
        float,
        typer.Option(
            help="Penalty in the gradient, which Adam scales: 1e-4 is a start.",
            rich_help_panel="Against overfitting",
        ),
    ] = TrainConfig.l2,
    embedding_dropout: Annotated[
        float, typer.Option(rich_help_panel="Against overfitting")
    ] = ModelConfig.embedding_dropout,
    attention_dropout: Annotated[
        float, typer.Option(rich_help_panel="Against overfitting")
    ] = ModelConfig.attention_dropout,
    block_dropout: Annotated[
        float, typer.Option(rich_help_panel="Against overfitting")
    ] = ModelConfig.block_dropout,
    item_dropout: Annotated[
        float,
        typer.Option(
            help="Share of the input items hidden.", rich_help_panel="Against overfitting"
        ),
    ] = TrainConfig.item_dropout,
    crop: Annotated[
        float,
        typer.Option(
            help="Share of the sequences of which an epoch sees a random part.",
            rich_help_panel="Against overfitting",
        ),
    ] = TrainConfig.crop,
    precision: Annotated[
        str,
        typer.Option(
            help="float32, or bfloat16 for products of matrices.", rich_help_panel="Steps"
        ),
    ] = TrainConfig.precision,
    device: Annotated[
        str, typer.Option(help="cpu, or cuda: one GPU a process.", rich_help_panel="Steps")
    ] = "cpu",
    seed: Annotated[
        int,
        typer.Option(help="Of the weights, the order and the dropout.", rich_help_panel="Steps"),
    ] = TrainConfig.seed,
    threads: Annotated[
        int,
        typer.Option(
            help="One: the same weights on any machine; 0: torch's choice.", rich_help_panel="Steps"
        ),
    ] = TrainConfig.threads,
    json: Json = False,
) -> None:
    """Train GLINT-RU on a log, with early stopping; writes a checkpoint folder."""
    from glint_edge.processes.distributed import joined
    from glint_edge.training.train import train as run

    with joined() as group:
        console.quiet(group.rank > 0)
        training = TrainConfig(
            epochs=epochs, patience=patience, batch_positions=batch_positions, seed=seed,
            learning_rate=learning_rate, schedule=schedule, warmup_epochs=warmup_epochs,
            weight_decay=weight_decay, l2=l2, loss=loss, negatives=negatives,
            calibration=calibration, label_smoothing=label_smoothing, temperature=temperature,
            seen_margin=seen_margin, item_dropout=item_dropout, crop=crop, precision=precision,
            threads=threads,
        )  # fmt: skip
        found, source, dropped = _read(
            data, load_options(user_column, item_column, time_column, format, k_core)
        )
        model = ModelConfig(
            items=found.item_count, d=d, heads=heads, kernel=kernel, max_length=max_length,
            gated_mlp=gated_mlp, embedding_dropout=embedding_dropout,
            attention_dropout=attention_dropout, block_dropout=block_dropout,
        )  # fmt: skip
        console.say(render.data(source, dropped))
        with console.training_bar(epochs) as on_progress:
            checkpoint = run(
                found, model, training, out,
                source=source, resume=resume, on_progress=on_progress, group=group,
                device=device,
            )  # fmt: skip
    if json:
        console.show_json(checkpoint.metrics)
    else:
        console.show(render.metrics(f"{out}: the best epoch", checkpoint.metrics))


def shard(
    log: Annotated[
        Path, typer.Argument(help="A Parquet or CSV file of interactions, or a folder of Parquet.")
    ],
    out: Annotated[Path, typer.Option(help="The shards' folder.")],
    parts: Annotated[
        int, typer.Option(help="Shards; two at a time are in memory, and each process needs one.")
    ] = 16,
    held_out: Annotated[int, typer.Option(help="Users to evaluate on, at most.")] = 10_000,
    seed: Annotated[int, typer.Option(help="Of the choice of these users.")] = 0,
    user_column: UserColumn = None,
    item_column: ItemColumn = None,
    time_column: TimeColumn = None,
    json: Json = False,
) -> None:
    """Cut a log that is larger than memory into shards that `train` reads a few at a time."""
    from glint_edge.data.columns import Columns
    from glint_edge.data.log import source_of
    from glint_edge.data.record import LoadOptions
    from glint_edge.data.sharding import make_shards

    options = LoadOptions(Columns(user=user_column, item=item_column, time=time_column))
    made = make_shards(log, out, options=options, parts=parts, held_out=held_out, seed=seed)
    if json:
        console.show_json({"shards": str(out), "parts": parts, **made.summary})
    else:
        console.show(f"{out}: {parts} shards of {render.data(source_of(made), {})}")


def tune(
    data: Annotated[
        str, typer.Option(help="ml-100k, a log of who tapped what when, or what `shard` made.")
    ],
    out: Annotated[Path, typer.Option(help="The study's folder; one that exists is gone on with.")],
    trials: Annotated[int, typer.Option(help="Finished ones in the end, earlier ones too.")] = 30,
    search: Annotated[
        list[str] | None,
        typer.Option(
            help="A lever to search, once for each; the others stay as given. Of: "
            "embedding-dropout, attention-dropout, block-dropout, learning-rate, l2, "
            "label-smoothing, item-dropout, crop, which are the default, and weight-decay, "
            "schedule, d, loss, calibration, temperature, seen-margin.",
        ),
    ] = None,
    protocol: Annotated[
        str, typer.Option(help="full, or unseen: without the user's own items.")
    ] = "full",
    format: Format = None,
    user_column: UserColumn = None,
    item_column: ItemColumn = None,
    time_column: TimeColumn = None,
    k_core: KCore = 0,
    d: Annotated[int, typer.Option("--d", "--width", help="Width.")] = ModelConfig.d,
    max_length: Annotated[int, typer.Option(help="Items of a history that are seen.")] = 50,
    epochs: Annotated[int, typer.Option(help="Of a trial, at most.")] = 30,
    patience: Annotated[int, typer.Option(help="Of a trial.")] = 3,
    batch_positions: int = TrainConfig.batch_positions,
    loss: Annotated[str, typer.Option(help="As `train` takes it.")] = TrainConfig.loss,
    negatives: int = TrainConfig.negatives,
    seen_margin: float = TrainConfig.seen_margin,
    precision: str = TrainConfig.precision,
    seed: int = TrainConfig.seed,
    threads: int = TrainConfig.threads,
    json: Json = False,
) -> None:
    """Search for good settings of the levers of `train` with Optuna; resumable."""
    from glint_edge.training.tune import USUAL
    from glint_edge.training.tune import tune as run

    found, source, dropped = _read(
        data, load_options(user_column, item_column, time_column, format, k_core)
    )
    console.say(render.data(source, dropped))
    results = run(
        found,
        ModelConfig(items=found.item_count, d=d, max_length=max_length),
        TrainConfig(
            epochs=epochs, patience=patience, batch_positions=batch_positions, loss=loss,
            negatives=negatives, seen_margin=seen_margin, precision=precision, seed=seed,
            threads=threads,
        ),
        out,
        trials=trials,
        search=[name.replace("-", "_") for name in search] if search else USUAL,
        protocol=protocol,
        on_trial=lambda result: console.say(render.trial(result)),
    )  # fmt: skip
    if json:
        console.show_json({"study": str(out), "trials": [vars(result) for result in results]})
    else:
        console.show(render.trials(out, results))


def _read(
    data: str, options: LoadOptions
) -> tuple[Split | ShardedLog, DataSource, Mapping[str, int]]:
    """What to train on, the record of it, and what was left out."""
    from glint_edge.data.log import read

    log = read(data, options)  # which logs what was left out
    return log.split(), log.source, {}
