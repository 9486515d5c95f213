"""Files that a changed catalogue is written into: as if they were converted again."""

from dataclasses import replace

import pytest
import torch

from converters import convert
from converters.catalogue.rewrite import rewrite
from converters.targets import find_target
from glint_edge.checkpoints.changes import NewItem, add_items, retire_items
from glint_edge.errors import (
    ConversionError,
)
from glint_edge.model.stream import stream_program
from glint_edge.runtime.engines import find_engine
from quantization import quantize
from tests.checkpoints.changed import HISTORIES, lists
from tests.conversions import converted
from tests.converters.programs import extreme_model, extreme_program
from tests.skips import require


def programs(trained, changed, precision):
    before = stream_program(trained.model, 10, spare_items=4)
    after = stream_program(changed.model, 10, spare_items=3)
    return quantize(before, precision), quantize(after, precision)


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8-table", "int8"])
def test_an_onnx_file_written_over_is_the_one_converted_again(
    trained, changed, precision, tmp_path
):
    require("onnxscript", "onnx")
    before, after = programs(trained, changed, precision)
    target = find_target("onnx")
    for name, program in (("before", before), ("after", after)):
        convert(program, target, tmp_path / f"{name}.onnx")
    old = (tmp_path / "before.onnx").read_bytes()
    new = (tmp_path / "after.onnx").read_bytes()
    assert old != new
    assert rewrite(old, before, after) == new
    assert rewrite(new, after, before) == old


@pytest.mark.slow
@pytest.mark.parametrize("target", ["tflite", pytest.param("executorch", marks=pytest.mark.full)])
def test_a_file_written_over_recommends_as_the_changed_program(trained, target, tmp_path):
    try:
        converter = find_target(target)
    except Exception as error:
        pytest.skip(str(error))
    # Of a model that is converted anyway, in the converters' own tests.
    extreme = replace(trained, model=extreme_model())
    changed = retire_items(add_items(extreme, [NewItem("new", torch.ones(64))]), ["k7", "k1"])
    before, after = extreme_program(extreme.model, 4), extreme_program(changed.model, 3)
    path = tmp_path / f"model{converter.suffix}"
    path.write_bytes(rewrite(converted(before, target).read_bytes(), before, after))
    runtime = find_engine(target).load(path, changed.model.config, 39, 1)
    for history in [[], *HISTORIES]:
        state = runtime.empty_state()
        for item in history:
            state = runtime.append(state, item)
        items, scores = (runtime.to_numpy(x)[0] for x in runtime.recommend(state))
        wanted, wanted_scores = lists(after, history)
        # The whole offer is in the list, so it is the order that may differ, by rounding alone.
        assert set(items.tolist()) == set(wanted)
        by_item = dict(zip(wanted, wanted_scores.tolist(), strict=True))
        largest = max(map(abs, by_item.values()))
        for item, score in zip(items.tolist(), scores.tolist(), strict=True):
            assert score == pytest.approx(by_item[item], abs=0.03 * largest)
        if not history:
            assert items.tolist() == wanted


def test_a_file_of_other_weights_is_refused(trained, changed, make_model):
    before, after = programs(trained, changed, "int8")
    with pytest.raises(ConversionError, match=r"item rows .* convert again"):
        rewrite(b"no such rows", before, after)
    with pytest.raises(ConversionError, match="rows, the file has"):
        rewrite(b"", before, quantize(stream_program(changed.model, spare_items=9)))
    with pytest.raises(ConversionError, match="fixed"):
        rewrite(b"", quantize(stream_program(trained.model)), after)
