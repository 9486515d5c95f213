"""Of the web library in Node.js."""

import pytest

from tests.apps.web_node import run_node


@pytest.fixture
def node(tmp_path):
    """Run a script above the library: `run_node`."""
    return lambda script, values: run_node(tmp_path, script, values)
