"""The web module as an app's developer has it: embedded, built by npm, served."""

import contextlib
import hashlib
import os
import shutil
import subprocess
import threading
from dataclasses import dataclass, replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from filelock import FileLock

from converters.export import export
from converters.options import ExportOptions
from glint_edge.apps.module import embed, find_platform
from glint_edge.bundles.bundle import Bundle, load_bundle
from glint_edge.checkpoints.checkpoint import DEFAULT_CHECKPOINT, load_checkpoint
from glint_edge.files import cache_folder
from tests.conversions import CHUNK, TOP_K
from tests.skips import require
from tests.small import tiny_neighbours

TARGETS = ("c", "onnx", "tflite")
# A page that holds the library and every engine, for what no person can click.
LIBRARY_PAGE = """<!doctype html><html lang="en"><title>library</title><body>
<script type="module" src="/src/library-page.ts"></script>"""
LIBRARY_SCRIPT = """
import script from '@litertjs/core/wasm/litert_wasm_compat_internal.js?url';
import litertWasm from '@litertjs/core/wasm/litert_wasm_compat_internal.wasm?url';
import onnxWasm from 'onnxruntime-web/ort-wasm-simd-threaded.wasm?url';

import { BUNDLE } from './config';
import * as library from './glint-edge';
import { engine } from './glint-edge/engine';
import engineWasm from './glint-edge/glint.wasm?url';
import { litert } from './glint-edge/litert';
import { onnx } from './glint-edge/onnx';
import { decodeSession, encodeSession } from './glint-edge/session-bytes';

const engines = {
  c: engine(engineWasm), onnx: onnx(onnxWasm), tflite: litert({ script, wasm: litertWasm }),
};
const place = `${encodeURIComponent(BUNDLE)}/`;
const refusal = async (call: () => unknown) => {
  try {
    await call();
    return null;
  } catch (error) {
    const { code, message } = error as library.GlintError;
    return { code, message };
  }
};
const parts = { decodeSession, encodeSession, engines, place, refusal };
Object.assign(window, { ...library, ...parts });
"""


@dataclass(frozen=True)
class WebApp:
    """A bundle, and the module around it.

    Attributes:
        bundle: with `.glnt`, `.onnx` and `.tflite`.
        site: the build's folder, in the module's.
    """

    bundle: Bundle
    site: Path


def make_web_app(folder):
    """Export, embed and build, unless that was done."""
    bundle, app = folder / "ml-100k.glint", folder / "app"
    with FileLock(f"{folder}.lock"):
        if not bundle.exists():
            make_bundle(bundle)
        if not (app / "dist").exists():
            build(load_bundle(bundle), app)
    return WebApp(load_bundle(bundle), app / "dist")


def make_bundle(out):
    """The shipped model for every engine of a page in int8, beside drawn neighbours."""
    require("onnxscript", "onnx")
    require("litert_torch", "litert")
    checkpoint = load_checkpoint()
    checkpoint = replace(
        checkpoint, neighbours=tiny_neighbours(checkpoint.model.config.items, 8, gamma=300.0)
    )
    options = ExportOptions(TARGETS, "int8", TOP_K, out, chunk=CHUNK)
    export(
        checkpoint, options, folder=DEFAULT_CHECKPOINT,
        check=lambda artifacts, golden: [],
    )  # fmt: skip


def build(bundle, folder):
    """Embed a bundle and build the module."""
    embed(bundle, find_platform("web"), folder, TARGETS)
    (folder / "library.html").write_text(LIBRARY_PAGE)
    (folder / "src/library-page.ts").write_text(LIBRARY_SCRIPT)
    build_module(folder)


def build_module(folder, *words):
    """Build what `embed` wrote, by words for npm or its script; returns the site's folder."""
    (folder / "node_modules").symlink_to(node_modules(folder))
    done = _npm(*(words or ("run", "build")), folder=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "dist"


def node_modules(folder):
    """What `npm ci` installs, kept in the user's cache by the lock file's hash."""
    if shutil.which("npm") is None:
        pytest.skip("needs npm (Debian: apt-get install npm)")
    lock = (folder / "package-lock.json").read_bytes()
    place = cache_folder() / "web" / hashlib.sha256(lock).hexdigest()[:16]
    place.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{place}.lock"):
        if not (place / "node_modules").is_dir():
            work = Path(f"{place}.{os.getpid()}")
            work.mkdir()
            for name in ("package.json", "package-lock.json"):
                shutil.copy(folder / name, work)
            done = _npm("ci", "--no-audit", "--no-fund", folder=work)
            if done.returncode:
                shutil.rmtree(work)
                pytest.skip(f"npm cannot install the packages: {done.stderr.strip()[-300:]}")
            work.rename(place)
    return place / "node_modules"


def _npm(*words, folder):
    return subprocess.run(["npm", *words], cwd=folder, capture_output=True, text=True, check=False)


class Server(ThreadingHTTPServer):
    """A local web server that can hold answers back.

    Attributes:
        address: ends in a slash.
        replaced: what is answered in a file's place, by path.
        stalled: paths that are never answered.
        reached: set when one of them was asked for.
    """

    def __init__(self, folder):
        super().__init__(("127.0.0.1", 0), partial(_Handler, directory=folder))
        self.address = f"http://127.0.0.1:{self.server_port}/"
        self.replaced, self.stalled = {}, set()
        self.reached, self.released = threading.Event(), threading.Event()


class _Handler(SimpleHTTPRequestHandler):
    def do_GET(self):  # the base class's name
        if self.path in self.server.stalled:
            self.server.reached.set()
            self.server.released.wait(60)
        elif self.path in self.server.replaced:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(self.server.replaced[self.path])
        else:
            with contextlib.suppress(ConnectionError):  # the browser was killed
                super().do_GET()

    def log_message(self, *words):
        pass


@contextlib.contextmanager
def serve(folder):
    """A folder on a port of its own."""
    server = Server(folder)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.released.set()
        server.shutdown()
        server.server_close()
        thread.join()


@contextlib.contextmanager
def library_page(browser, site):
    """A page with the library in it, and a recommender of each engine in `loaded`."""
    with serve(site) as server:
        page = browser.new_page()
        page.goto(server.address + "library.html")
        page.evaluate("""async () => {
            window.loaded = {};
            for (const [name, engine] of Object.entries(engines))
                loaded[name] = await Recommender.load(place, { engine });
        }""")
        yield page
        page.close()
