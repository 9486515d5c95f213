"""A server of bundles, and the store of an app that asks it."""

import pytest

from glint_edge.runtime import BundleStore
from tests.runtime.update_server import Server, make_bundle


@pytest.fixture
def server(tmp_path):
    (tmp_path / "server").mkdir()
    return Server(tmp_path / "server")


@pytest.fixture
def store(tmp_path):
    return BundleStore(tmp_path / "store", make_bundle(tmp_path / "app.glint", "built in"))
