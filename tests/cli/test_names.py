"""Several values in one flag, or one flag several times."""

import pytest

from glint_edge.cli.names import keys, several
from glint_edge.errors import ConfigError


@pytest.mark.parametrize(
    ("values", "names"),
    [
        (["onnx,tflite"], ["onnx", "tflite"]),
        (["onnx", "tflite"], ["onnx", "tflite"]),
        (["onnx, tflite", "onnx", " executorch ,"], ["onnx", "tflite", "executorch"]),
        (["ssh:pi@host:2222,python"], ["ssh:pi@host:2222", "python"]),
        (None, None),
        ([], None),
    ],
)
def test_names_come_by_commas_and_by_repetition(values, names):
    assert several(values) == names


@pytest.mark.parametrize(
    ("values", "items"),
    [
        (["50,181, 172"], ["50", "181", "172"]),
        (["50,50"], ["50", "50"]),
        (["Alien, 1979", "50"], ["Alien, 1979", "50"]),
        (['"Alien, 1979",50'], ["Alien, 1979", "50"]),
        (['50, "Alien, 1979"'], ["50", "Alien, 1979"]),
        (['"Alien, 1979"'], ["Alien, 1979"]),
        (['7" single,"a ""b"", c"'], ['7" single', 'a "b", c']),
        ([""], []),
        (["\n"], []),
        (None, None),
    ],
)
def test_keys_given_one_by_one_may_hold_a_comma(values, items):
    assert keys(values) == items


def test_keys_that_are_no_csv_are_refused():
    with pytest.raises(ConfigError, match="cannot be read: field larger than"):
        keys(["x" * 200_000])
