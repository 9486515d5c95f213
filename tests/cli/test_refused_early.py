"""What a command could not do in the end is refused before it begins its work."""

import shlex
from importlib import import_module

import pytest

from device_bench.devices import require_usable
from glint_edge.errors import ConfigError, RunnerError
from glint_edge.files import require_place
from tests.cli.streams import only_line


def work_begins(*_, **__):
    pytest.fail("the work was begun")


@pytest.fixture
def refused(bundle, trained, taps, run, tmp_path, monkeypatch):
    """Run a line that is to be refused; TAKEN is a file where a folder would have to be."""
    (tmp_path / "taken").touch()
    (tmp_path / "taps.csv").write_bytes(taps.read_bytes())
    monkeypatch.chdir(tmp_path)
    begun = (
        "glint_edge.data.log.read", "glint_edge.checkpoints.checkpoint.load_checkpoint",
        "glint_edge.data.sharded.sharding.make_shards", "converters.export.export",
        "glint_edge.checkpoints.recbole.import_recbole", "glint_edge.api.measuring._bench_inputs",
        "converters.catalogue.change.open_either", "glint_edge.apps.module.embed",
        "glint_edge.bundles.publish.publish", "glint_edge.api.lists._list",
        "device_bench.scale.scale", "glint_edge.checkpoints.hub.fetch",
    )  # fmt: skip
    # None is imported while another is replaced, and keeps what replaced it.
    for module in ("converters.catalogue.describe", *(work.rpartition(".")[0] for work in begun)):
        import_module(module)
    for work in begun:
        monkeypatch.setattr(work, work_begins)
    names = {"BUNDLE": str(bundle), "RUN": str(trained)}

    def call(line):
        code, out, err = run(*(names.get(word, word) for word in shlex.split(line)))
        assert (code, out) == (2, "")
        assert {path.name for path in tmp_path.iterdir()} == {"taken", "taps.csv"}
        return only_line(err)

    return call


@pytest.mark.parametrize(
    "line",
    [
        "train --data taps.csv --out taken/run",
        "tune --data taps.csv --out taken/study",
        "shard taps.csv --out taken/shards",
        "export RUN --target onnx --out taken/app.glint",
        "embed BUNDLE --platform python --out taken/app",
        "publish BUNDLE --out taken/server",
        "import taps.csv --out taken/run",
        "pull someone/shop --out taken/run",
        "recommend BUNDLE --data taps.csv --out taken/lists.csv",
        "catalogue add BUNDLE --item new --like i1 --out taken/app.glint",
        "catalogue retire BUNDLE --item i1 --out taken/app.glint",
        "catalogue describe BUNDLE --items taps.csv --out taken/app.glint",
        "bench BUNDLE --output taken/run.json",
        "bench BUNDLE --html taken/page.html",
        "bench scale --targets onnx --output taken/run.json",
        "evaluate RUN --plot taken/slices.png",
    ],
)
def test_a_place_that_cannot_be_written(line, refused):
    says = "there is no folder taken" if "--plot" in line else "cannot write taken/"
    assert says in refused(line)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("train --data taps.csv --out run --device cuda", "torch finds no CUDA device here"),
        ("train --data taps.csv --out run --device gpu", "did you mean cuda?"),
        ("train --data taps.csv --out . --resume", "holds no unfinished run"),
        ("train --data taps.csv --out .", ". exists and is not empty; choose another --out"),
        ("bench BUNDLE --runner ssh:host.invalid", "host.invalid is not known"),
        ("bench scale --targets onnx --runner ssh:host.invalid", "host.invalid is not known"),
        ("bench BUNDLE --runner adb", "adb is not installed"),
        ("bench scale --targets onnx --runner python,adb", "adb is not installed"),
    ],
)
def test_a_device_that_is_not_there(line, says, refused, monkeypatch):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    monkeypatch.setattr("device_bench.runners.adb.shutil.which", lambda name: None)
    ssh = "device_bench.runners.ssh.SshHost._talk"
    monkeypatch.setattr(ssh, lambda host, *_: fails(f"{host.name} is not known: check the name"))
    assert says in refused(line)


def fails(text):
    raise RunnerError(text)


@pytest.mark.parametrize(
    ("line", "extra"),
    [
        ("tune --data taps.csv --out study", "glint-edge[tune]"),
        ("push RUN someone/shop", "glint-edge[hub]"),
        ("export RUN --target onnx --quantize int8-qat --out a.glint", "glint-edge[qat]"),
        ("export RUN --target tflite --out a.glint", "glint-edge[litert]"),
        ("bench BUNDLE", "glint-edge[onnx]"),
    ],
)
def test_an_extra_that_is_missing(line, extra, refused, monkeypatch):
    gone = {"optuna", "huggingface_hub", "torchao", "litert_torch"} | (
        {"onnxruntime"} if line.startswith("bench") else set()
    )
    for module in ("glint_edge.extras", "converters.targets", "glint_edge.runtime.engines"):
        monkeypatch.setattr(f"{module}.missing", lambda names: [n for n in names if n in gone])
    assert f"pip install '{extra}'" in refused(line)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("--item-key sku", "no column 'sku'; choose --item-key from user, item, time"),
        ("--item-title t", "no column 't'; did you mean item or time"),
        ("--item-field kind", "no column 'kind'"),
        ("--item-title time", "products.csv, line 3: byte 0xe9 is not UTF-8 text; if it is"),
    ],
)
@pytest.mark.parametrize("command", ["train", "tune"])
def test_a_table_of_items_that_cannot_be_read(command, words, says, refused, tmp_path):
    table = tmp_path.parent / "products.csv"
    table.write_bytes(b"user,item,time\na,b,1\n" + b"a,b,\xe9\n" * words.endswith(" time"))
    assert says in refused(f"{command} --data taps.csv --out run --items {table} {words}")


def test_what_is_in_the_way_names_how_to_go_on(refused, tmp_path, run):
    unfinished = tmp_path.parent / "unfinished"
    unfinished.mkdir(exist_ok=True)
    (unfinished / "resume.safetensors").touch()
    said = refused(f"train --data taps.csv --out {unfinished}")
    assert said.endswith("exists and is not empty; add --resume to continue it")


def test_a_place_is_tried_where_it_would_be(tmp_path, monkeypatch):
    require_place(tmp_path / "new/deep/file")
    require_place(tmp_path, inside=True)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ConfigError, match="name too long; choose a shorter name"):
        require_place(tmp_path / ("x" * 250))

    def denied(dir):
        raise PermissionError(13, "", str(dir))

    monkeypatch.setattr("glint_edge.files.tempfile.TemporaryFile", denied)
    with pytest.raises(ConfigError, match=r"cannot write .*/a: Permission denied; allow it or"):
        require_place(tmp_path / "a")


class Able:
    """A runner that can prepare some targets."""

    def __init__(self, *targets):
        self.targets = targets

    def prepare(self, target, on_step):
        if target not in self.targets:
            raise RunnerError(f"no {target} here")


def test_a_runner_that_can_run_some_artifacts_is_of_use():
    require_usable([Able("onnx", "c"), Able("c")], ["onnx", "c"], print)
    with pytest.raises(RunnerError, match="no onnx here"):
        require_usable([Able("c"), Able()], ["onnx", "c"], print)
