"""`glint-edge train`."""

import json
import re

from glint_edge.checkpoints.checkpoint import load_checkpoint


def test_train_prints_json_and_says_what_it_read(taps, run, tmp_path):
    code, out, err = run(
        "train", "--data", taps, "--out", tmp_path / "run", "--d", 8, "--heads", 2, "--epochs", 2,
        "--batch-positions", 64, "--json",
    )  # fmt: skip
    assert code == 0, err
    assert set(json.loads(out)["test"]) == {"recall_at_10", "mrr_at_10", "ndcg_at_10", "users"}
    assert "30 users, 25 items" in err
    assert re.search(r"epoch 1/2: loss \d\.\d+, validation NDCG@10 0\.\d{4}", err)
    assert load_checkpoint(tmp_path / "run").model.config.d == 8
