"""Documents as `bench` and `bench scale` write them, made up here."""

from html.parser import HTMLParser

from device_bench.judge.rows import Row, ScaleRow
from device_bench.measure.statistics import Latency

METHODS = {"append": 8.0, "recommend": 30.0, "cold_start_20": 90, "cold_start_50": 200}
EVIL = "<script>alert('x')</script> | `a` & \"b\" *c* $\\frac$"


def row_of(target="tflite", precision="int8", *, bundle="app", times=1.0, **figures):
    """A whole row as a document has it; `times`: of the usual; None: it was not timed."""
    row = {
        "bundle": bundle, "target": target, "precision": precision, "runner": "python",
        "device": "", "append_us": None, "recommend_us": None, "cold_start_us": {},
        "interval_us": {}, "quantiles_us": {}, "first_call_us": {}, "file_bytes": 303_000,
        "runtime_memory_bytes": 23_400_000,
        "peak_memory_bytes": 248_000_000, "memory_added_bytes": 8_400_000, "load_ms": 7.0,
        "ndcg_at_10": 0.0597, "ndcg_at_10_float": 0.0599, "top10_overlap": 0.9875,
        "rank_weighted_overlap": 0.9839, "same_top10": 0.46, "agreement": {"onnx": 0.9884},
        "max_score_error": 0.07, "golden_ok": True, "ok": True, "users": 943, "threads": 1,
        "rounds": 3, "failures": [], "warnings": [], "conditions": {}, "profile": None,
    }  # fmt: skip
    for method, usual in METHODS.items() if times else ():
        us = usual * times
        latency = {"p50": us, "p90": us * 1.2, "p99": us * 4}
        if method.startswith("cold_start_"):
            row["cold_start_us"][method.removeprefix("cold_start_")] = latency
        else:
            row[f"{method}_us"] = latency
        row["interval_us"][method] = [us * 0.97, us * 1.04]
        row["quantiles_us"][method] = [us * (0.9 + n / 100) for n in range(41)]
    return row | figures


def document_of(*rows, **parts):
    return {
        "schema": 2, "kind": "bench", "tool": "0.1.0", "created": "2026-01-02T03:04:05+00:00",
        "command": ["glint-edge", "bench", "my app.glint"],
        "machine": {
            "system": "Linux", "machine": "x86_64", "cpu": "AMD EPYC", "flags": [], "cpus": 2,
            "governor": None, "packages": {"torch": "2.13.0"},
        },
        "settings": {"threads": 1, "rounds": 3, "runs": 200, "budget_ms": 1000.0},
        "not_measured": {}, "rows": list(rows),
    } | parts  # fmt: skip


def profile_of(name):
    operator = {
        "name": f"append/{name}", "kind": name, "provider": "XNNPACK", "calls": 1, "us": 5.0,
        "share": 0.6,
    }  # fmt: skip
    method = {
        "name": "append", "items": 1, "operators": [operator], "method_us": 8.0,
        "profiled_us": 10.0, "record_us": 0.1,
    }  # fmt: skip
    return {
        "target": "tflite", "runtime": "LiteRT 2", "resolution_ns": 1, "methods": [method],
        "note": "as it is.",
    }  # fmt: skip


def generated(target, items, width, us=10.0):
    """A row as `bench scale` has it."""
    lengths = (20, 50, 200)
    medians = {"append": us, "recommend": us * 3} | {f"cold_start_{n}": us * n for n in lengths}
    times = {str(n): Latency(us * 3, us * 4, us * 9) for n in lengths}
    row = Row(
        target=target, precision="int8", file_bytes=items * width, ok=True, threads=1, rounds=1,
        append_us=Latency(us, us * 1.2, us * 4), recommend_us=Latency(us * 3, us * 4, us * 9),
        cold_start_us={str(n): Latency(us * n, us * n * 2, us * n * 3) for n in lengths},
        interval_us={method: (at * 0.97, at * 1.04) for method, at in medians.items()},
        quantiles_us={method: [at * (0.9 + n / 100) for n in range(41)]
                      for method, at in medians.items()},
        peak_memory_bytes=200_000_000, warnings=("the machine was busy",),
    )  # fmt: skip
    return ScaleRow(row, items, width, {"append": times, "recommend": times}, 2.0)


def failed(target, items, width, why):
    row = Row(target=target, precision="int8", file_bytes=0, ok=False, threads=0, failures=(why,))
    return ScaleRow(row, items, width, {}, None)


def scale_of(*rows, **parts):
    return document_of(*(row.to_dict() for row in rows), kind="scale", **parts)


class Page(HTMLParser):
    """Tags, attributes and letters of a page; complains where tags do not nest."""

    VOID = ("meta", "link", "br")

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.attributes, self.text = [], [], [], []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)

    def values(self, name):
        return [value for key, value in self.attributes if key == name]
