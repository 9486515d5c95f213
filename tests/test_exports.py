import subprocess
import sys
from importlib.util import find_spec

import pytest

import glint_edge
from glint_edge.errors import MissingExtraError


def test_every_public_name_resolves_to_itself():
    for name in glint_edge.__all__:
        assert getattr(glint_edge, name).__name__ == name


def test_no_module_hides_a_public_name():
    """Once imported, a module `glint_edge.NAME` stands where the function stood."""
    for name in glint_edge.__all__:
        assert find_spec(f"glint_edge.{name}") is None


def test_dir_shows_the_public_names_alone():
    assert dir(glint_edge) == sorted(glint_edge.__all__)


def test_an_unknown_name_is_an_attribute_error():
    assert not hasattr(glint_edge, "Nothing")


def test_what_runs_a_bundle_needs_numpy_alone():
    script = (
        "import sys, glint_edge as ge; ge.Recommender, ge.BundleStore, ge.load, ge.recommend;"
        "heavy = {'torch', 'polars', 'rich', 'typer', 'jsonschema', 'matplotlib', 'platformdirs'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", ["train", "Checkpoint", "load_log", "export"])
def test_with_the_runtime_alone_a_name_that_needs_more_says_which_extra(monkeypatch, name):
    monkeypatch.setattr(glint_edge, "find_spec", lambda package: None)
    with pytest.raises(MissingExtraError, match=rf"glint_edge\.{name} .*pip install 'glint-edge\["):
        getattr(glint_edge, name)
    assert glint_edge.Recommender.__name__ == "Recommender"
