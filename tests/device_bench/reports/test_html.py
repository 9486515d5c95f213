"""The page: what it says, and what it never does."""

import json
import re

import pytest

from device_bench.reports.html import html
from device_bench.reports.markdown import markdown
from glint_edge.errors import ConfigError
from tests.device_bench.reports.documents import EVIL, Page, document_of, profile_of, row_of


def test_a_page_says_what_was_measured_where_and_how(full):
    text = html(full)
    page = Page(text)
    said = "".join(page.text)
    for what in (
        "AMD EPYC", "glint-edge bench &#39;my app.glint&#39;", "2.13.0",
        "1 of 7 rows failed; 1 row to compare with.",
        "the process died of SIGSEGV", "recommend: 3% of the calls", "41,000", "7.76–8.32",
        "cortex-a76", "Fully Connected int8", "torch.onnx.export; a tap", "0.9875",
        "stock: what one would do without this tool", "23.4",
    ):  # fmt: skip
        assert what in said or what in text, what
    assert len(text.encode()) < 1_000_000
    assert len(page.values("id")) == len(set(page.values("id")))
    targets = [value[1:] for value in page.values("href") if value.startswith("#")]
    assert targets
    assert set(targets) <= set(page.values("id"))


def test_a_page_asks_nothing_of_the_network(full):
    text = html(full)
    page = Page(text)
    for name in ("src", "href", "xlink:href", "srcset", "action", "data"):
        assert all(value.startswith(("#", "data:")) for value in page.values(name))
    assert "@import" not in text
    assert all(found.startswith("#") for found in re.findall(r"url\(([^)]*)\)", text))
    assert "default-src 'none'" in text


def test_what_was_not_measured_is_said(full, scaled):
    text = html(scaled)
    assert "weights drawn at random: times and sizes" in text
    assert ">NDCG@10<" not in text
    document = full | {"not_measured": {"app": "there are no test items"}}
    assert "Accuracy of app was not measured: there are no test items." in html(document)
    assert "Accuracy of app was not measured: there are no test items." in markdown(document)


def test_what_rows_share_is_told_once(scaled):
    """And on the page folded, with the rows that have it."""
    said = "".join(Page(html(scaled)).text)
    assert said.count("the machine was busy") == 3
    assert said.count("tflite int8 1,000 × 64, onnx int8 1,000 × 64") == 1
    assert markdown(scaled).count("the machine was busy") == 1


def test_stock_rows_have_no_verdict():
    document = document_of(row_of(), row_of("onnx", "fp32", runner="stock"))
    page = html(document)
    assert "The only row is good; 1 row to compare with." in page
    assert page.count("✓<span") == page.count("–<span") == 1
    assert markdown(document).count("✅ good |") == markdown(document).count("– to compare |") == 1


def test_a_row_that_could_not_be_made_says_so_and_has_no_tick():
    stock = {"runner": "stock", "times": None, "file_bytes": 0, "warnings": ["it took too long"]}
    document = document_of(row_of(), row_of("onnx", "fp32", **stock, ok=False))
    page = html(document)
    assert "The only row is good; 1 row to compare with." in page
    assert '✗<span class="word"> not made</span>' in page
    assert "! onnx fp32 (stock): it took too long" in page
    assert page.count("✓<span") == 1
    text = markdown(document)
    assert "| onnx fp32 (stock) | – | – | – | 23.4 | 0.0597 (0.0599) | ❌ not made |" in text
    assert text.count("✅ good") == 1
    assert "- ❌" not in text
    failed = document_of(row_of(times=None, threads=0, ok=False, failures=["it died"]))
    assert "| 0.0597 (0.0599) | ❌ not run |" in markdown(failed)
    waiting = document_of(row_of(times=None, threads=0))
    assert "✅ good" not in markdown(waiting), "it was not run yet"


def test_how_far_rows_differ_is_said_with_how_well_it_is_known():
    def timed(medians, **figures):
        us = {"p50": sorted(medians)[len(medians) // 2], "p90": 1, "p99": 1}
        both = {"append": medians, "recommend": medians}
        return {"medians_us": both, "append_us": us, "recommend_us": us} | figures

    document = document_of(
        row_of("onnx", **timed([20.5, 20.6, 20.4])),
        row_of("executorch", **timed([25.0, 24.9, 25.1])),
        row_of(**timed([20.3, 20.4, 20.5])),
        row_of("onnx", **timed([9.0, 9.0, 9.0], runner="native")),
        row_of("tflite", **timed([90.0], runner="native")),
    )
    for report in (html(document), markdown(document)):
        assert (
            "A tap (tflite int8 = 1): onnx int8 1.00 (0.99 to 1.02); "
            "executorch int8 1.23 (1.21 to 1.24)." in report
        )
        assert "tflite int8 (native) 10.0 (one round: not known how well)" in report
        assert "does not say which" in report
        assert "noise" not in report


def test_settings_are_for_people(scaled):
    said = "".join(Page(html(scaled)).text)
    assert "1,000, 1,000,000" in said
    assert "1,000 ms" in said
    assert "[" not in said[said.index("How it was measured") : said.index('"use strict"')]


NOTHING = {"runtime_memory_bytes": None, "peak_memory_bytes": None,
           "memory_added_bytes": None, "load_ms": None,
           "ndcg_at_10": None, "ndcg_at_10_float": None, "top10_overlap": None,
           "rank_weighted_overlap": None, "same_top10": None, "agreement": {},
           "max_score_error": None, "golden_ok": None, "users": 0, "rounds": 0}  # fmt: skip
REQUIRED = ("bundle", "target", "precision", "runner", "append_us", "recommend_us", "file_bytes",
            "ok")  # fmt: skip


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [row_of(times=None, **NOTHING)],
        [row_of(times=None, **NOTHING, ok=False)],  # and no failure to say why
        [{key: value for key, value in row_of(times=None).items() if key in REQUIRED}],
        [row_of(quantiles_us={"append": [0.0] * 41}, ndcg_at_10=0.0, ndcg_at_10_float=0.0)],
        [row_of(quantiles_us={"append": [5.0] * 41}, file_bytes=0)],
        [row_of(target=f"target{n}", times=1 + n / 100) for n in range(20)],
    ],
)
def test_rows_may_lack_anything(rows):
    page = Page(html(document_of(*rows)))
    assert page.tags.count("tbody") == 2
    assert "None" not in "".join(page.text)
    lines = markdown(document_of(*rows)).splitlines()
    table = [line for line in lines if line.startswith("|")]
    assert len(table) == 2 * (2 + len(rows))
    assert len({line.count("|") for line in table}) <= 2


def test_markup_in_a_document_is_text_in_the_page():
    row = row_of(
        f"t{EVIL}", EVIL, bundle=EVIL, device=EVIL, failures=[EVIL], warnings=[EVIL], ok=False,
        note=EVIL, profile=profile_of(EVIL),
    )  # fmt: skip
    document = document_of(row, command=[EVIL], not_measured={EVIL: EVIL})
    document["machine"]["cpu"] = document["machine"]["packages"]["torch"] = EVIL
    page = Page(html(document))
    assert page.tags.count("script") == 1
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert "".join(page.text).count("<script>alert") > 8


def test_a_saved_run_is_shown_again(full, run, tmp_path):
    saved, page = tmp_path / "run.json", tmp_path / "run.html"
    saved.write_text(json.dumps(full))
    assert run("bench", "report", saved) == (0, markdown(full), "")
    code, out, err = run("bench", "report", saved, "--html", page)
    assert (code, out) == (0, "")
    assert str(page) in err.replace("\n", "")
    assert page.read_text() == html(full)
    code, out, _ = run("bench", "report", saved, "--html", page, "--markdown")
    assert (code, out) == (0, markdown(full))
    code, out, _ = run("bench", "report", saved, "--json")
    assert (code, json.loads(out)) == (0, full)
    assert run("bench", "report", saved, "--json", "--markdown")[0] == ConfigError.exit_code


def test_what_cannot_be_written_is_refused_before_any_work(run, tmp_path):
    (tmp_path / "file").touch()
    for option in ("--html", "--output"):
        for place, why in ((tmp_path / "file" / "in", "another place"), (tmp_path, "a folder")):
            code, _, err = run("bench", "nothing", option, place)
            assert code == ConfigError.exit_code
            assert why in " ".join(err.split())
    code, _, err = run("bench", "nothing", "--json", "--markdown")
    assert code == ConfigError.exit_code
    assert "give one of them" in err
    saved = tmp_path / "run.json"
    saved.write_text(json.dumps(document_of(row_of())))
    code, _, err = run("bench", "report", saved, "--html", tmp_path / "file" / "in")
    assert code == ConfigError.exit_code
    assert "cannot write" in err
