import json
import logging

import pytest

from glint_edge.checkpoints.checkpoint import load_checkpoint
from glint_edge.data.log import load_log
from glint_edge.data.neighbours_file import NEIGHBOURS
from glint_edge.data.sharded.sharding import make_shards
from glint_edge.evaluation.ranking import evaluate
from tests.logs import write_ring
from tests.training.runs import run


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    return write_ring(tmp_path_factory.mktemp("log") / "ring.txt")


def test_a_run_counts_neighbours_and_keeps_what_helps(log, tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        made = run(log, tmp_path / "run", neighbours=4)
    loaded = load_checkpoint(tmp_path / "run")
    assert loaded.neighbours.to_bytes() == made.neighbours.to_bytes()
    assert (loaded.neighbours.most, loaded.training.neighbours) == (4, 4)
    assert loaded.neighbours.c in (0.25, 0.5, 1.0, 1.5)
    parts = load_log(log).split()
    for name, held_out in (("validation", parts.validation()), ("test", parts.test())):
        with_it = evaluate(loaded.model, held_out, protocol="full", neighbours=loaded.neighbours)
        assert loaded.metrics[name] == with_it.to_dict()
        without = evaluate(loaded.model, held_out, protocol="full")
        assert loaded.metrics[f"{name}_without_neighbours"] == without.to_dict()
    alone = loaded.metrics["validation_without_neighbours"]["ndcg_at_10"]
    lines = (tmp_path / "run/metrics.jsonl").read_text().splitlines()
    assert alone == max(json.loads(line)["validation_ndcg_at_10"] for line in lines)
    assert loaded.metrics["validation"]["ndcg_at_10"] > alone
    assert f"validation NDCG@10 {alone:.4f} by the model alone, " in caplog.text
    assert "neighbours = 4" in (tmp_path / "run/run.toml").read_text()


def test_where_they_do_not_help_none_are_kept(log, tmp_path, caplog, monkeypatch):
    monkeypatch.setattr("glint_edge.evaluation.neighbours.C", (0.0,))
    with caplog.at_level(logging.INFO):
        made = run(log, tmp_path / "run", neighbours=4, epochs=1)
    assert set(made.metrics) == {"validation", "test"}
    assert made.neighbours is None and not (tmp_path / "run" / NEIGHBOURS).exists()
    assert "neighbours do not help" in caplog.text


def test_a_run_that_was_stopped_may_ask_for_them(log, tmp_path):
    class Stop(Exception):
        pass

    def stop(progress):
        if progress.epoch == 3:
            raise Stop

    with pytest.raises(Stop):
        run(log, tmp_path / "run", on_progress=stop)
    resumed = run(log, tmp_path / "run", resume=True, neighbours=4)
    whole = run(log, tmp_path / "whole", neighbours=4)
    assert resumed.neighbours.to_bytes() == whole.neighbours.to_bytes()
    assert resumed.metrics == whole.metrics
    assert "neighbours = 4" in (tmp_path / "run/run.toml").read_text()


def test_shards_train_with_them(log, tmp_path):
    make_shards(log, tmp_path / "shards", parts=2, held_out=20)
    made = run(tmp_path / "shards", tmp_path / "run", neighbours=4)
    assert made.neighbours.most == 4 and made.metrics["test"]["users"] == 20
