"""The one table of precisions: what is typed, what it is called, and who holds it."""

import pytest

from converters.targets import targets
from glint_edge.bundles.precisions import (
    PRECISIONS,
    flag_of,
    flags,
    held_by,
    precision_of,
    quantize_help,
)
from glint_edge.errors import ConfigError
from quantization.quantize import FORMS


def test_both_names_of_the_floats_are_understood_in_any_case():
    names = [precision_of(flag) for flag in ("none", "fp32", "FP32", "INT8", "int8-qat")]
    assert names == ["fp32", "fp32", "fp32", "int8", "int8"]


def test_an_unknown_precision_is_refused_with_all_that_there_are():
    with pytest.raises(ConfigError, match=r"'x' is unknown; .*none, fp32, fp16, .*int8-qat$"):
        precision_of("x")
    with pytest.raises(ConfigError, match=r"mean int8 or .*\? Or choose one of none, fp32, fp16$"):
        precision_of("int4")
    with pytest.raises(ConfigError, match="'int8-qat' is unknown"):
        precision_of("int8-qat", fine_tuning=False)


def test_a_precision_is_exported_again_by_the_flag_it_had():
    assert all(precision_of(flag_of(name)) == name for name in PRECISIONS)


def test_help_names_every_flag():
    helped = [part.partition(":")[0] for part in quantize_help().split("; ")]
    assert helped == flags()
    assert "qat" not in quantize_help(fine_tuning=False)


def test_every_precision_has_numbers_and_targets_that_hold_it():
    assert set(FORMS) == set(PRECISIONS)
    for name, precision in PRECISIONS.items():
        assert len(precision.tolerance.reason) > 50
        holders = {target for target in targets() if name in held_by(target)}
        assert holders == set(precision.targets)
