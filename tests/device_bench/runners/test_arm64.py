"""The arm64 runner: what NEON kernels answer, and how many instructions they take."""

from dataclasses import replace

import numpy as np
import pytest

from converters.targets import find_target
from device_bench.judge.parity import TIE, agreement, compare, overlap
from device_bench.measure.job import Histories, Inputs, Job, TopK
from device_bench.measure.runtimes import load_runtime
from device_bench.native import cross
from device_bench.native.emulator import find_qemu
from device_bench.runners import arm64
from glint_edge.data.sequences import HeldOut
from glint_edge.errors import ConfigError, RunnerError
from tests import conversions
from tests.converters.programs import ITEMS, OPTIONS, small_program
from tests.histories import recommend_history

GOLDEN = Histories.of([[1, 2, 3], []])
METHODS = {
    "append", "recommend", "cold_start_20", "cold_start_50", "cold_start_200", "tap_beyond",
}  # fmt: skip
WINDOW, CYCLE = 60, 3  # no history here is longer


@pytest.fixture(scope="session")
def histories():
    random = np.random.default_rng(0)
    lengths = [1, 2, 3, *random.integers(1, 60, 37)]
    return Histories.of([random.integers(0, 1683, length).tolist() for length in lengths])


@pytest.fixture(scope="session")
def run(arm64_set_up, artifacts, histories):
    """A `.pte` of the session's on the usual core, over the histories; once for each `time`."""
    outcomes = {}

    def run(precision, time=0):
        if (precision, time) not in outcomes:
            artifact = artifacts[precision]
            job = job_of("executorch", artifact.program, artifact.path)
            outcomes[precision, time] = arm64.open_runner("").run(job, Inputs.of(GOLDEN, histories))
        return outcomes[precision, time]

    return run


def lists_here(target, program, path, histories):
    """What the same artifact recommends on this machine."""
    runtime = load_runtime(target, path, program.config, top_k=program.top_k)
    lists = [recommend_history(runtime, histories[n], None) for n in range(len(histories))]
    items, scores = zip(*lists, strict=True)
    return TopK(np.concatenate(items), np.concatenate(scores))


def job_of(target, program, path):
    config = program.config.to_dict()
    return Job(target, str(path), config, program.top_k, WINDOW, timed=False, cycle=CYCLE)


@pytest.mark.slow
@pytest.mark.full
def test_fp32_on_arm_is_the_hosts(run, artifacts, histories, shipped):
    arm, artifact = run("fp32"), artifacts["fp32"]
    host = lists_here("executorch", artifact.program, artifact.path, histories)
    assert agreement(arm.lists, host) == agreement(host, arm.lists) == 1.0
    np.testing.assert_allclose(arm.lists.scores, host.scores, rtol=0, atol=TIE)
    held_out = HeldOut(histories.ids, histories.offsets, np.ones(len(histories), np.int64))
    parity = compare(shipped.model, held_out, arm.lists, None)
    assert (parity.users, parity.unusable, parity.same_top10) == (40, 0, 1.0)
    np.testing.assert_allclose(arm.golden_states, arm.golden_cold_states, rtol=0, atol=1e-4)
    assert arm.golden.items[1].tolist() == list(range(1, conversions.TOP_K + 1))  # no history


@pytest.mark.slow
def test_int8_on_arm_is_the_hosts_but_for_rounding(run, artifacts, histories):
    arm, artifact = run("int8"), artifacts["int8"]
    host = lists_here("executorch", artifact.program, artifact.path, histories)
    assert len(arm.lists.items) == 40
    assert overlap(arm.lists.items, host.items) >= 0.98


@pytest.mark.slow
@pytest.mark.parametrize("target", ["c", "onnx", pytest.param("tflite", marks=pytest.mark.full)])
def test_the_other_runtimes_answer_on_arm_as_on_the_host(arm64_set_up, tmp_path, target):
    if target not in cross.installed_targets():
        pytest.skip(f"needs what runs {target}")
    program, path = small_program("int8"), tmp_path / "artifact"
    conversions.convert(program, find_target(target), path, OPTIONS)
    random = np.random.default_rng(0)
    histories = Histories.of([random.integers(0, ITEMS + 1, n).tolist() for n in range(1, 21)])
    inputs = Inputs.of(GOLDEN, histories)
    arm = arm64.open_runner("").run(job_of(target, program, path), inputs)
    host = lists_here(target, program, path, histories)
    if target == "c":  # the same bits
        assert arm.lists.items.tolist() == host.items.tolist()
        assert arm.lists.scores.tobytes() == host.scores.tobytes()
    assert overlap(arm.lists.items, host.items) >= 0.98
    # Where an activation is rounded the other way, a score moves.
    assert np.median(np.abs(arm.lists.scores - host.scores)) < 0.01
    assert set(arm.instructions) == METHODS


@pytest.mark.slow
def test_counts_are_the_same_at_every_run(run):
    once, again = run("int8"), run("int8", time=1)
    assert once.instructions == again.instructions
    assert set(once.instructions) == METHODS
    assert once.threads == 1
    assert once.samples_ns == {}  # emulated time means nothing


@pytest.mark.slow
def test_counts_grow_with_the_work(run):
    int8 = run("int8").instructions
    assert int8["append"] < int8["cold_start_20"] < int8["cold_start_50"] < int8["cold_start_200"]
    assert int8["append"] < int8["tap_beyond"] < int8["cold_start_50"], "told a tap, not a cycle"


@pytest.mark.slow
def test_a_damaged_artifact_is_refused_in_a_sentence(arm64_set_up, artifacts, tmp_path):
    artifact = artifacts["int8"]
    broken = tmp_path / "broken.pte"
    broken.write_bytes(artifact.path.read_bytes()[:5000])
    job = job_of("executorch", artifact.program, broken)
    inputs = Inputs.of(Histories.of([[1]]), Histories.of([]))
    with pytest.raises(RunnerError, match=r"refuses .*broken\.pte"):
        arm64.open_runner("").run(job, inputs)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("does", "says"),
    [
        ("kill -9 $$", r"arm64 executorch process died with signal 9 \(SIGKILL\)"),
        ("echo it is broken >&2; exit 1", "ended with exit code 1 and no result: it is broken"),
        ("exec sleep 60", "did not end within 0.5 s and was stopped"),
        ("exit 0", "wrote no result.json"),
    ],
)
def test_an_emulator_that_fails_says_why(arm64_set_up, artifacts, install_qemu, does, says):
    install_qemu(does)
    runner = replace(arm64.open_runner(""), timeout=0.5)
    artifact = artifacts["int8"]
    job = job_of("executorch", artifact.program, artifact.path)
    inputs = Inputs.of(Histories.of([[1]]), Histories.of([]))
    with pytest.raises(RunnerError, match=says):
        runner.run(job, inputs)


def test_says_what_to_install(monkeypatch, no_setup):
    monkeypatch.setenv("PATH", str(no_setup))
    find_qemu.cache_clear()
    findings = arm64.check()
    tools = findings[:3]
    find_qemu.cache_clear()
    assert [finding.what for finding in findings if finding.ok] == ["c for aarch64"]  # sources
    assert {finding.text for finding in tools} == {arm64.INSTALL}


def test_the_static_emulator_cannot_count(install_qemu, no_setup):
    install_qemu(shows="no such option")
    finding = arm64.check()[0]
    assert not finding.ok
    assert "qemu-user can, qemu-user-static cannot" in finding.text
    with pytest.raises(RunnerError, match=r"lacks qemu-aarch64; .*cannot load plugins"):
        arm64.open_runner("").prepare("executorch", lambda step: None)


def test_a_bench_downloads_nothing(no_setup, arm64_tools):
    pytest.importorskip("executorch", reason="needs glint-edge[executorch]")
    with pytest.raises(RunnerError, match=r"no executorch runner .* glint-edge device setup arm64"):
        arm64.open_runner("").prepare("executorch", lambda step: None)
    with pytest.raises(RunnerError, match="no native runner for torch"):
        arm64.open_runner("").prepare("torch", lambda step: None)


def test_an_unknown_core_is_refused():
    assert arm64.open_runner("").device == "cortex-a76"
    assert arm64.open_runner("cortex-a53").device == "cortex-a53"
    with pytest.raises(ConfigError, match="core 'm1' is unknown; choose one of cortex-a53"):
        arm64.open_runner("m1")
