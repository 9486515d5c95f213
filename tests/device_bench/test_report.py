"""What a run reads like: the page in a real browser, Markdown, and the table's warnings."""

import io
import json
import re
from html.parser import HTMLParser

import pytest
from PIL import Image
from rich.console import Console

from device_bench.judge.rows import BenchResult, Row, ScaleRow
from device_bench.measure.statistics import Latency
from device_bench.reports.html import html
from device_bench.reports.markdown import markdown
from device_bench.reports.plots.figures import plots
from device_bench.reports.terminal import render
from glint_edge.errors import ConfigError

METHODS = {"append": 8.0, "recommend": 30.0, "cold_start_20": 90, "cold_start_50": 200}
EVIL = "<script>alert('x')</script> | `a` & \"b\" *c* $\\frac$"


def row_of(target="tflite", precision="int8", *, bundle="app", times=1.0, **figures):
    """A whole row as a document has it; `times`: of the usual; None: it was not timed."""
    row = {
        "bundle": bundle, "target": target, "precision": precision, "runner": "python",
        "device": "", "append_us": None, "recommend_us": None, "cold_start_us": {},
        "interval_us": {}, "quantiles_us": {}, "first_call_us": {}, "file_bytes": 303_000,
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


def test_a_page_says_what_was_measured_where_and_how(full):
    text = html(full)
    page = Page(text)
    said = "".join(page.text)
    for what in (
        "AMD EPYC", "glint-edge bench &#39;my app.glint&#39;", "2.13.0",
        "1 of 7 rows failed; 1 row to compare with.",
        "the process died of SIGSEGV", "recommend: 3% of the calls", "41,000", "7.76–8.32",
        "cortex-a76", "Fully Connected int8", "torch.onnx.export; a tap", "0.9875",
        "stock is what one would do without this tool", "+8.4",
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


def test_colours_of_plots_are_the_pages(full):
    for plot in plots(full):
        assert not re.search(r"(fill|stroke): *#", plot.svg)
        assert "var(--series-0)" in plot.svg
        assert "<text" in plot.svg
        assert "font-family" not in plot.svg


def test_plots_are_of_what_there_is(full, scaled):
    titles = [plot.title for plot in plots(full)]
    assert titles == [
        "Latency: append", "Latency: recommend", "Latency: cold start, 50 items",
        "Size against accuracy", "Growth with history",
    ]  # fmt: skip
    titles = [plot.title for plot in plots(scaled)]
    assert titles == [
        "Growth with history", "Recommend after a history", "Growth with catalogue",
        "Growth with width", "Latency: append", "Latency: recommend",
        "Latency: cold start, 200 items",
    ]  # fmt: skip
    assert plots(document_of(row_of(times=None, ndcg_at_10=None))) == []


def test_accuracy_is_drawn_over_the_same_histories_alone():
    few = row_of("torch", "fp32", users=100, ndcg_at_10=0.09)
    document = document_of(row_of(), row_of("onnx", runner="native"), row_of("onnx"), few)
    drawn = next(plot for plot in plots(document) if "accuracy" in plot.title)
    names = re.findall(r"<text[^>]*>([a-z]+ [a-z]+\d+)</text>", drawn.svg)
    assert sorted(names) == ["onnx int8", "tflite int8"]  # a file once, whatever it ran on
    assert "Over 943 histories" in drawn.note


def test_what_was_not_measured_is_said(full, scaled):
    text = html(scaled)
    assert "weights drawn at random: times and sizes" in text
    assert ">NDCG@10<" not in text
    document = full | {"not_measured": {"app": "there are no test items"}}
    assert "Accuracy of app was not measured: there are no test items." in html(document)
    assert "Accuracy of app was not measured: there are no test items." in markdown(document)


def note_of(plot):
    return plot.note.replace("\N{NO-BREAK SPACE}", " ")


def texts_of(plot):
    return re.findall(r"<text[^>]*>([^<]*)</text>", plot.svg)


def test_generated_models_are_told_apart_by_their_shape(scaled):
    page, text = html(scaled), markdown(scaled)
    assert page.count("<small>10,000 × 64</small>") == 2  # a target each
    assert "|  | append µs | recommend µs | cold 50 µs | cold 200 µs | file KB | ok |" in text
    assert "| onnx int8 1,000 × 64 | 22.0 ± 0.9 | 66.0 ± 2.6 | 1,100 | 4,400 | 64 | ✅ |" in text
    assert "| onnx int8 1,000,000 × 64 | – | – | – | – | – | ❌ |" in text
    assert "- ❌ onnx int8 1,000,000 × 64: too large" in text


def test_growth_is_drawn_one_thing_at_a_time(scaled):
    history, recommend, catalogue, width, strips, *_ = plots(scaled)
    for plot in (history, recommend, strips):
        assert "Models of 100,000 × 128, weights" in note_of(plot)
        assert sorted(name for name in texts_of(plot) if "int8" in name) == [
            "onnx int8", "tflite int8",
        ]  # fmt: skip
    assert {"20", "50", "200"} <= set(texts_of(history)) & set(texts_of(recommend))
    assert {"tflite int8, d 64", "onnx int8, d 128", "1k", "10k", "100k"} <= set(
        texts_of(catalogue)
    )
    assert {"tflite int8, 1k items", "onnx int8, 100k items", "64", "128"} <= set(texts_of(width))


def test_growth_is_drawn_at_a_shape_that_all_have():
    rows = [generated("tflite", 1_000, 64), generated("tflite", 10_000, 64)]
    rows += [generated("onnx", 1_000, 64), failed("onnx", 10_000, 64, "too large")]
    history = next(plot for plot in plots(scale_of(*rows)) if plot.title == "Growth with history")
    assert "Models of 1,000 × 64," in note_of(history)
    assert {"tflite int8", "onnx int8"} <= set(texts_of(history))


def test_noise_does_not_look_like_growth():
    rows = [generated("tflite", 1_000, 64, us=2.4), generated("tflite", 2_000, 64, us=2.5)]
    growth = next(p for p in plots(scale_of(*rows)) if p.title == "Growth with catalogue")
    numbers = [float(text) for text in texts_of(growth) if re.fullmatch(r"[\d.]+", text)]
    assert max(numbers) > 1.9 * min(numbers)


def test_numbers_of_an_axis_are_told_apart():
    close = row_of(quantiles_us={"append": [7.6 + n / 100 for n in range(41)]})
    strips = plots(document_of(close))[0]
    numbers = [text for text in texts_of(strips) if re.fullmatch(r"[\d.]+", text)]
    assert len(numbers) == len(set(numbers)) > 2


def test_what_rows_share_is_told_once(scaled):
    for said in ("".join(Page(html(scaled)).text), markdown(scaled)):
        assert said.count("the machine was busy") == 1


def test_stock_rows_have_no_verdict():
    stock = {"runner": "stock", "times": None, "file_bytes": 0, "warnings": ["it took too long"]}
    document = document_of(row_of(), row_of("onnx", "fp32", **stock))
    page = html(document)
    assert "The only row is good; 1 row to compare with." in page
    assert page.count('aria-label="yes"') == page.count('aria-label="not under test"') == 1
    assert markdown(document).count("✅") == 1
    assert "| onnx fp32 (stock) | – | – | – | – | – |" in markdown(document)


def test_differences_within_the_noise_are_said_to_be():
    speeds = {"calibrations_us": {"append": [30.0] * 3}}
    document = document_of(
        row_of(medians_us={"append": [8.0, 8.1, 7.9]}, **speeds),
        row_of("onnx", medians_us={"append": [8.1, 8.0, 8.2]}, **speeds),
        row_of("executorch", medians_us={"append": [80.0, 81.0, 79.0]}, **speeds),
    )
    said = "ithin the noise: append of tflite int8 and onnx int8."
    assert said in html(document)
    assert said in markdown(document)


def test_settings_are_for_people(scaled):
    said = "".join(Page(html(scaled)).text)
    assert "1,000, 1,000,000" in said
    assert "1,000 ms" in said
    assert "[" not in said[said.index("How it was measured") : said.index('"use strict"')]


NOTHING = {"peak_memory_bytes": None, "memory_added_bytes": None, "load_ms": None,
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
    assert page.tags.count("tbody") == 1
    assert "None" not in "".join(page.text)
    lines = markdown(document_of(*rows)).splitlines()
    table = [line for line in lines if line.startswith("|")]
    assert len(table) == 2 + len(rows)
    assert len({line.count("|") for line in table}) == 1


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


def test_markup_in_a_document_is_text_in_markdown():
    lines = markdown(document_of(
        row_of(EVIL, failures=[f"one\n\n# {EVIL}"], warnings=[EVIL], ok=False, note=EVIL)
    )).splitlines()  # fmt: skip
    text = "\n".join(lines)
    assert "<script" not in text
    assert not re.search(r"(?<!\\)[`*]", text)
    assert not any(line.startswith("# ") for line in lines)
    header, _, row = (line for line in lines if line.startswith("|"))
    cells = re.compile(r"(?<!\\)\|")
    assert len(cells.findall(row)) == len(cells.findall(header))


def test_markdown_is_a_table_with_failures_below(full):
    text = markdown(full)
    assert (
        "| app: tflite int8 | 8.00 ± 0.32 | 30.0 ± 1.2 | 200 | – | 303 | 0.0597 (0.0599) " in text
    )
    assert "app: tflite int8 (arm64 cortex-a76)" in text
    assert "- ❌ other: onnx int8: the process died of SIGSEGV" in text
    assert "<summary>1 warning, and notes</summary>" in text
    assert text.count("✅") == 6


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


def warned(*rows):
    """Lines of warnings below the tables."""
    made = [
        Row(target=f"target{n}", precision="int8", file_bytes=1, ok=True, threads=1, rounds=1,
            append_us=Latency(1, 1, 1), interval_us={"append": (1, 1)}, warnings=tuple(warnings))
        for n, warnings in enumerate(rows)
    ]  # fmt: skip
    text = Console(width=200)
    with text.capture() as said:
        text.print(render(document_of(*BenchResult("app", tuple(made), 1, "").to_dict()["rows"])))
    return [line.rstrip()[2:] for line in said.get().splitlines() if line.startswith("! ")]


def test_few_warnings_are_all_told():
    assert warned([], []) == []
    assert warned(["append: slow"], []) == ["target0 int8: append: slow"]
    assert warned(["the machine was busy"], ["the machine was busy"]) == ["the machine was busy"]


def test_many_warnings_are_a_line_a_row_what_explains_others_first():
    busy = ["append: 3%", "append: 9%", "the clock fell", "hot"]
    assert warned(busy, ["append: 1%", "hot"]) == [
        "hot", "target0 int8: the clock fell (and 2 more)", "target1 int8: append: 1%",
        "5 warnings in all; --html and --json have each",
    ]  # fmt: skip
    many = warned(*([f"append: {n}"] for n in range(20)))
    assert len(many) == 7
    assert many[-1].startswith("20 warnings in all")


@pytest.fixture
def visit(browser, tmp_path):
    """Open a document's page: it may say nothing on the console and ask for nothing else."""
    pages = []

    def open_page(document, *, scheme="light", width=1280, script=True):
        file = tmp_path / "page.html"
        file.write_text(html(document), encoding="utf-8")
        page = browser.new_page(
            viewport={"width": width, "height": 844}, color_scheme=scheme,
            java_script_enabled=script,
        )  # fmt: skip
        page.said, page.asked = [], []
        page.on("console", lambda message: page.said.append(message.text))
        page.on("pageerror", lambda error: page.said.append(str(error)))
        page.on("request", lambda request: page.asked.append(request.url))
        page.goto(file.as_uri())
        pages.append((page, file.as_uri()))
        return page

    yield open_page
    for page, address in pages:
        assert page.said == []
        assert page.asked == [address]
        page.close()


def colours(png):
    """How many different ones there are; a blank page has one."""
    return len(set(Image.open(io.BytesIO(png)).convert("RGB").get_flattened_data()))


def names_of(page):
    return page.locator("#rows tbody th").all_inner_texts()


@pytest.mark.slow
def test_a_click_sorts_by_a_column_and_says_so(full, visit):
    page = visit(full)
    head = page.get_by_role("columnheader", name="append", exact=True).first
    assert head.get_attribute("aria-sort") is None
    before = names_of(page)
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    cells = page.locator("#rows tbody tr td:nth-of-type(2)").all_inner_texts()
    assert [cell.split()[0] for cell in cells] == [
        "8.00", "12.0", "20.0", "40.0", "160", "–", "–", "–",
    ]  # fmt: skip
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "descending"
    cells = page.locator("#rows tbody tr td:nth-of-type(2)").all_inner_texts()
    assert [cell.split()[0] for cell in cells][:2] == ["160", "40.0"]
    assert cells[-1] == "–"  # what has no figure stays last
    other = page.get_by_role("columnheader", name="artifact")
    other.get_by_role("button").focus()
    page.keyboard.press("Enter")
    assert names_of(page) == before
    assert page.locator("[aria-sort]").count() == 1


@pytest.mark.slow
@pytest.mark.parametrize("width", [1280, 390])
def test_a_page_fits_and_is_drawn_in_light_and_dark(full, scaled, visit, width):
    for document in (full, scaled):
        shown = {}
        for scheme in ("light", "dark"):
            page = visit(document, scheme=scheme, width=width)
            assert page.evaluate("document.documentElement.scrollWidth") == width
            shown[scheme] = page.screenshot(full_page=True)
            assert colours(shown[scheme]) > 100
            ink = page.locator("figure.plot text").first.evaluate("e => getComputedStyle(e).fill")
            page_colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
            brightness = [int(c.split("(")[1].split(",")[0]) for c in (ink, page_colour)]
            assert (brightness[0] < brightness[1]) == (scheme == "light")
        assert shown["light"] != shown["dark"]


@pytest.mark.slow
def test_without_scripts_the_table_is_plain_and_whole(full, visit):
    page = visit(full, script=False)
    assert page.locator("#rows tbody tr").count() == 8
    assert page.locator("#rows button").count() == 0
