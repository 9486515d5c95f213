"""The web library, in Node.js and on a page."""

import pytest

from tests.apps.web_node import run_node
from tests.apps.web_site import TARGETS, library_page


@pytest.fixture
def node(tmp_path):
    """Run a script above the library: `run_node`."""
    return lambda script, values: run_node(tmp_path, script, values)


@pytest.fixture(params=TARGETS)
def target(request):
    """Each engine of the web library."""
    return request.param


@pytest.fixture(scope="module")
def library(browser, web_app):
    """A page with every engine's recommender loaded."""
    with library_page(browser, web_app.site) as page:
        yield page
