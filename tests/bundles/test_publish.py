"""A bundle in a server's folder: published again, and after a kill."""

import json

import pytest

from glint_edge import api
from glint_edge.bundles.publish import publish
from glint_edge.checkpoints.checkpoint import Checkpoint, save_checkpoint
from glint_edge.data.catalogue import Catalogue
from glint_edge.data.record import DataSource
from glint_edge.files import PART


@pytest.fixture
def bundle(make_model, fake_convert, monkeypatch, tmp_path):
    monkeypatch.setattr("glint_edge.api.exporting._check", lambda *_: lambda artifacts, golden: [])
    catalogue = Catalogue(("", *(f"k{n}" for n in range(1, 41))), {})
    save_checkpoint(Checkpoint(make_model(), catalogue, DataSource("l", "l")), tmp_path / "run")
    return api.export(tmp_path / "run", tmp_path / "app.glint", chunk=4)


def test_a_whole_published_version_is_left_alone_and_a_damaged_one_made_again(bundle, tmp_path):
    served = tmp_path / "served"
    place = publish(bundle, served)
    inode = place.stat().st_ino
    latest = json.loads((served / "latest.json").read_text())
    latest["published"] = "2999-01-01T00:00:00.000000+00:00"  # by a clock that was ahead
    (served / "latest.json").write_text(json.dumps(latest))
    assert publish(bundle, served) == place
    again = json.loads((served / "latest.json").read_text())
    assert again["published"] == "2999-01-01T00:00:00.000001+00:00"
    assert place.stat().st_ino == inode
    (place / "items.json").write_bytes(b"{}")
    publish(bundle, served)
    assert (place / "items.json").read_bytes() == (bundle.path / "items.json").read_bytes()
    assert json.loads((served / "latest.json").read_text())["path"] == f"bundles/{place.name}"


def test_what_a_kill_left_in_the_served_folder_goes_with_the_next(bundle, tmp_path):
    served = tmp_path / "served"
    publish(bundle, served)
    (served / f".latest.json.0123{PART}").touch()
    half = served / "bundles" / f".other{PART}" / "new"
    half.mkdir(parents=True)
    (half / "model.pte").touch()
    (served / "latest.json").unlink()
    publish(bundle, served)
    assert {path.name for path in served.iterdir()} == {"bundles", "latest.json"}
    assert len(list((served / "bundles").iterdir())) == 1
