"""`glint-edge inspect`, and what every command says of a damaged bundle."""

import json

import pytest

from tests.cli.streams import only_line


def test_inspect_shows_each_layer(bundle, run):
    code, out, _ = run("inspect", bundle)
    assert code == 0
    for name in ("append.gru.step_state", "recommend.scores", "model.onnx"):
        assert name in out
    assert json.loads(run("inspect", bundle, "--json")[1])["schema_version"] == 2


@pytest.mark.parametrize("command", ["bench", "recommend", "inspect"])
@pytest.mark.parametrize("name", ["model.onnx", "manifest.json"])
def test_a_damaged_bundle_is_one_line(bundle, run, tmp_path, command, name):
    for path in bundle.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    data = bytearray((tmp_path / name).read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / name).write_bytes(data)
    code, out, err = run(command, tmp_path)
    assert code == 2
    assert "damaged" in only_line(err)
    assert out == ""
    (tmp_path / name).write_bytes(data[: len(data) // 2])
    assert run(command, tmp_path)[0] == 2
