"""Documents that a report shows."""

import pytest

from tests.device_bench.reports.documents import (
    document_of,
    failed,
    generated,
    profile_of,
    row_of,
    scale_of,
)


@pytest.fixture
def full():
    """Everything a page can show: runners, stock, failures, warnings, profiles, two bundles."""
    return document_of(
        row_of(profile=profile_of("Fully Connected int8")),
        row_of("onnx", times=5, file_bytes=254_000, ndcg_at_10=0.0596),
        row_of("executorch", times=2.5, file_bytes=437_000, ndcg_at_10=0.0595,
               warnings=["recommend: 3% of the calls took more than 3 times the median"]),
        row_of("executorch", times=1.5, runner="native", file_bytes=437_000, ndcg_at_10=0.0595),
        row_of("tflite", times=None, runner="arm64", device="cortex-a76",
               instructions={"append": 41_000, "recommend": 160_000}),
        row_of("torch", "fp32", times=20, file_bytes=832_000, ndcg_at_10=0.0599, golden_ok=None),
        row_of("onnx", "fp32", times=60, runner="stock", append_us=None, file_bytes=950_000,
               ndcg_at_10=0.0599, note="torch.onnx.export; a tap reads the whole history"),
        row_of("onnx", bundle="other", times=None, ok=False, load_ms=None, ndcg_at_10=None,
               peak_memory_bytes=None, failures=["the process died of SIGSEGV"]),
    )  # fmt: skip


@pytest.fixture
def scaled():
    """What `bench scale` writes: models with weights drawn at random."""
    rows = [
        generated(target, items, width, us * (1 + items / 10_000) * width / 64)
        for items in (1_000, 10_000, 100_000)
        for width in (64, 128)
        for target, us in (("tflite", 5.0), ("onnx", 20.0))
    ]
    settings = {"threads": 1, "items": [1_000, 1_000_000], "budget_ms": 1000.0}
    return scale_of(*rows, failed("onnx", 1_000_000, 64, "too large"), settings=settings)
