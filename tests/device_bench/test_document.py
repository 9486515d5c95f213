"""What a run's document tells others: no folders, no hosts."""

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest

from device_bench.document import document, read_document, write_document
from device_bench.entries import Settings
from device_bench.judge.rows import BenchResult, Row
from device_bench.results import BenchRun
from glint_edge.errors import ConfigError

HOSTS = ("pi@10.0.0.7:22", "pi@10.0.0.8", "emu.lan:5555")
COMMAND = [
    "/home/me/acme/.venv/bin/glint-edge", "bench", "/home/me/acme/app.glint", "../b.glint",
    "--runner", f"native,ssh:{HOSTS[0]},ssh:{HOSTS[1]}", f"--runner=adb:{HOSTS[2]}",
    "--data=/data/acme/log.csv", "--output", "C:\\Users\\me\\r.json", "--rounds", "5",
]  # fmt: skip


def a_run():
    remote = [SimpleNamespace(name="ssh", device=host, host=object()) for host in HOSTS]
    settings = Settings(runners=(SimpleNamespace(name="native", device=""), *remote))
    row = Row(target="onnx", precision="int8", runner="native", device="", file_bytes=1, ok=True,
              threads=1)  # fmt: skip
    rows = [row] + [
        replace(row, runner="ssh", device=host, conditions={"model": model},
                warnings=(f"ssh:{host} is hot; 10.0.0.71 is none",))
        for host, model in zip(HOSTS, ("Raspberry Pi 5", "Raspberry Pi 5", ""), strict=True)
    ]  # fmt: skip
    result = BenchResult("app", tuple(rows), threads=1, not_measured="")
    return document([result], settings, COMMAND)


def test_a_document_names_no_folder_and_no_host(tmp_path):
    run = a_run()
    assert run["command"] == [
        "glint-edge", "bench", "app.glint", "b.glint", "--runner", "native,ssh,ssh",
        "--runner=adb", "--data=log.csv", "--output", "r.json", "--rounds", "5",
    ]  # fmt: skip
    assert [row["device"] for row in run["rows"]] == [
        "", "Raspberry Pi 5", "Raspberry Pi 5 2", "device",
    ]  # fmt: skip
    assert run["rows"][1]["warnings"] == ["ssh:Raspberry Pi 5 is hot; 10.0.0.71 is none"]
    BenchRun(run, ()).html(tmp_path / "report.html")
    shown = (tmp_path / "report.html").read_text() + BenchRun(run, ()).markdown() + json.dumps(run)
    for private in (*HOSTS, "acme", "/home/me", "C:", "Users"):
        assert private not in shown


@pytest.mark.parametrize("text", ["[" * 100_000, "1e400", "[NaN]", '{"schema": 1e999}', "{"])
def test_a_result_that_is_out_of_bounds_is_one_line(tmp_path, text):
    write_document(a_run(), tmp_path / "good.json")
    assert read_document(tmp_path / "good.json")["kind"] == "bench"
    (tmp_path / "r.json").write_text(text)
    with pytest.raises(ConfigError, match="is not JSON"):
        read_document(tmp_path / "r.json")
