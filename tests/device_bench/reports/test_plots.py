"""The plots: what is drawn, of which rows, with which numbers."""

import re

from device_bench.reports.plots.figures import plots
from tests.device_bench.reports.documents import document_of, failed, generated, row_of, scale_of


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


def note_of(plot):
    return plot.note.replace("\N{NO-BREAK SPACE}", " ")


def texts_of(plot):
    return re.findall(r"<text[^>]*>([^<]*)</text>", plot.svg)


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
