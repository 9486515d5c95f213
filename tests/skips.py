"""What a test may lack. Where CI is set, a skip that is not in this table fails the run."""

import importlib.util
import os
import sys
from dataclasses import dataclass
from fnmatch import fnmatch

import pytest


def needs(package, extra):
    """A mark for tests that need a package; looking for it imports nothing."""
    absent = importlib.util.find_spec(package) is None
    return pytest.mark.skipif(absent, reason=f"needs glint-edge[{extra}]")


def require(package, extra):
    """Skip the test that asks, if a package is not installed."""
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"needs glint-edge[{extra}]")


@dataclass(frozen=True)
class MaySkip:
    """Tests that may skip, and why.

    Attributes:
        tests: a pattern of their ids.
        why: what is not there.
        here: whether that may be so on this machine.
    """

    tests: str
    why: str
    here: bool = True


ON_LINUX = sys.platform == "linux"
MAY_SKIP = (
    MaySkip("tests/training/test_distributed.py::test_a_gpu_*", "hosted machines have no GPU"),
    MaySkip("tests/data/test_log.py::test_real_logs*",
            "../shared is not part of the project"),
    MaySkip("tests/data/test_log.py::test_ml_100k_where_it_is_cached", "tests do not download it"),
    MaySkip("tests/converters/test_tflite.py::test_tflite_runtime_2_14_*",
            "tflite-runtime 2.14 has no wheel for it", sys.version_info >= (3, 12)),
    MaySkip("tests/device_bench/judge/test_diff_runs.py::*",
            "other work on a hosted machine can hide even twice the work"),
    MaySkip("tests/engine/test_kernels.py::test_kernels_here_*",
            "no processor has the kernels of another, and not all have the newest"),
    MaySkip("tests/engine/test_sources.py::test_kernels_are_small", "nm and size are binutils'",
            not ON_LINUX),
    MaySkip("tests/test_no_network.py::*", "the kernel's filter of calls is Linux's", not ON_LINUX),
    MaySkip("tests/*arm64*", "QEMU's user mode is Linux's", not ON_LINUX),
    MaySkip("tests/device_bench/native/*", "the emulator and its compilers are Linux's",
            not ON_LINUX),
    MaySkip("tests/device_bench/runners/*", "adb and sshd come by apt-get", not ON_LINUX),
    MaySkip("tests/device_bench/runners/test_adb.py::test_a_real_phone_*",
            "no phone is attached to hosted machines"),
    MaySkip("tests/apps/*", "Chromium, the JVM and their parts come by apt-get", not ON_LINUX),
    MaySkip("tests/device_bench/reports/test_page.py::*", "Chromium comes by apt-get",
            not ON_LINUX),
)  # fmt: skip


def unexpected(skipped):
    """Of the ids of skipped tests, those that this machine gives no reason for."""
    if not os.environ.get("CI"):
        return []
    patterns = [each.tests for each in MAY_SKIP if each.here]
    return sorted(test for test in skipped if not any(fnmatch(test, one) for one in patterns))
