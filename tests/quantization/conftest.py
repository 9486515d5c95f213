"""The rounded form of a model."""

import pytest


@pytest.fixture(scope="module")
def rounded():
    """Makes a model's rounded form, for evaluation."""
    from quantization.qat import fine_tune as qat

    return lambda model: qat._rounded(model).eval()
