"""The web page's three engines in Chromium: µs a tap, bytes of a first visit, the first list.

    python benchmarks/web.py --files web-files --out docs/measured/web.json
    python scripts/docs_tables.py

The shipped checkpoint in int8; a module of each engine alone, as `glint-edge embed --platform web
--target …` and `npm run build` make it, and one page with all three for the taps. Headless, one
thread, the engines in turn; a figure is a median between the least and the greatest of the rounds'.
A tap is timed in blocks, as browsers round their clocks: in the runtime (`append` and `recommend`)
and by the library's calls (`session.append`, `session.top(10)`), without neighbours and with. A
first visit is of a new browser profile, to a server that compresses by gzip, at 1.6 Mbit/s and 150
ms: by the DevTools protocol, which slows the page but not its service worker, and on one link for
everything, which the server keeps to. What `--files` has is not made again. Needs
glint-edge[all,dev], npm and chromium.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from busy import noting_other_work
from playwright.sync_api import Browser, Page, sync_playwright
from web_link import BYTES_A_SECOND, LATENCY_MS, Link, served

import glint_edge.api as ge
from device_bench.measure.machine import machine
from glint_edge.apps.module import embed, find_platform
from glint_edge.bundles.bundle import Bundle, load_bundle
from tests.apps.web_site import TARGETS, build, build_module, library_page

PATIENCE_MS = 180_000
WATCH = """
new MutationObserver(() => {
  if (document.querySelector('#top .title')) window.firstCards ??= performance.now();
  const status = document.querySelector('#status')?.textContent ?? '';
  if (status.startsWith('Ready')) window.ready ??= performance.now();
}).observe(document, { childList: true, subtree: true, characterData: true });
"""
TAPS = """
async ([target, blocks, calls]) => {
  const recommender = loaded[target];
  const { runtime } = recommender.stream;
  const { size } = recommender.catalogue;
  const keys = recommender.catalogue.items.map(({ key }) => key);
  const timed = async (call) => {
    const times = [];
    for (let block = -blocks; block < blocks; block++) {
      const from = performance.now();
      for (let n = 0; n < calls; n++) await call((block + blocks) * calls + n);
      if (block >= 0) times.push((1e3 * (performance.now() - from)) / calls);
    }
    return times.sort((a, b) => a - b)[blocks >> 1];
  };
  let state = recommender.stream.empty();
  const append = async (n) => { state = await runtime.append(state, 1 + ((n * 7) % size)); };
  const recommend = () => runtime.recommend(state, null);
  let session = await recommender.start();
  const byCalls = (neighbours) => timed(async (n) => {
    if (n % 40 === 0) session = await recommender.start();
    await session.append(keys[(n * 7) % keys.length]);
    await session.top(10, { neighbours });
  });
  return {
    append: await timed(append),
    recommend: await timed(recommend),
    tap: await timed(async (n) => { await append(n); await recommend(); }),
    session: await byCalls(false),
    neighbours: await byCalls(true),
  };
}
"""


def kept_or_new(folder: Path, make: Callable[[Path], object]) -> Path:
    """A folder that is there, or is made now, whole."""
    if not folder.exists():
        print(f"making {folder.name}", file=sys.stderr)
        work = folder.with_name(f"{folder.name}.part")
        shutil.rmtree(work, ignore_errors=True)
        make(work)
        work.rename(folder)
    return folder


def page_of(bundle: Bundle, target: str, folder: Path) -> None:
    """The module of one engine, built."""
    embed(bundle, find_platform("web"), folder, (target,))
    build_module(folder)


def first_visit(browser: Browser, site: Path, *, by: str) -> tuple[dict[str, float], Link]:
    """Seconds until the first cards and until the model's list; what the server sent.

    Args:
        browser: a new profile is opened in it.
        site: what is served.
        by: what slows it down: "devtools", "link", or nothing.
    """
    with served(site, is_slow=by == "link") as server:
        context = browser.new_context()
        page = context.new_page()
        page.add_init_script(WATCH)
        if by == "devtools":
            slow_down(page)
        page.goto(server.address, wait_until="commit", timeout=PATIENCE_MS)
        page.locator("#status", has_text="Ready").wait_for(timeout=PATIENCE_MS)
        seconds = {
            name: page.evaluate(f"window.{at} / 1e3")
            for name, at in (("cards", "firstCards"), ("list", "ready"))
        }
        context.close()
    return seconds, server


def slow_down(page: Page) -> None:
    """As DevTools' network panel does."""
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    session.send("Network.emulateNetworkConditions", {
        "offline": False, "latency": LATENCY_MS,
        "downloadThroughput": BYTES_A_SECOND, "uploadThroughput": BYTES_A_SECOND,
    })  # fmt: skip


def parts_of(sent: Mapping[str, int]) -> dict[str, int]:
    """Compressed bytes of a visit: the runtime, the model, what else the bundle has, the page."""
    parts = dict.fromkeys(("runtime", "model", "bundle", "page"), 0)
    for path, size in sent.items():
        if path.endswith(".wasm") or "litert_wasm" in path:
            part = "runtime"
        elif "/model." in path:
            part = "model"
        else:
            part = "bundle" if ".glint/" in path else "page"
        parts[part] += size
    return parts


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, least and greatest."""
    return {"median": statistics.median(values), "low": min(values), "high": max(values)}


def together(rounds: Sequence[Mapping[str, float]]) -> dict[str, dict[str, float]]:
    """By name, over the rounds."""
    return {name: spread([each[name] for each in rounds]) for name in rounds[0]}


def bundle_of(files: Path, chunk: int) -> Bundle:
    """The shipped checkpoint, for every engine."""
    path = files / "ml-100k.glint"
    if not path.exists():
        ge.export(out=path, targets=TARGETS, quantize="int8", chunk=chunk)
    return load_bundle(path)


def sites_of(bundle: Bundle, files: Path, targets: Sequence[str]) -> dict[str, Path]:
    """A page of each engine, to be served."""
    return {
        target: kept_or_new(files / f"page-{target}", partial(page_of, bundle, target)) / "dist"
        for target in targets
    }


def bytes_anew(browser: Browser, files: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """What `--out` has, with other bytes: these need no quiet machine."""
    result: dict[str, Any] = json.loads(arguments.out.read_text())
    bundle = bundle_of(files, arguments.chunk)
    for target, site in sites_of(bundle, files, arguments.target).items():
        (row,) = (row for row in result["rows"] if row["target"] == target)
        row["gzip"] = parts_of(first_visit(browser, site, by="")[1].sent)
    return result


def measure(browser: Browser, files: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """Build what is not built, then time in turn."""
    bundle = bundle_of(files, arguments.chunk)
    library = kept_or_new(files / "library", partial(build, bundle)) / "dist"
    sites = sites_of(bundle, files, arguments.target)
    result = {
        "machine": machine(), "browser": browser.version, "top_k": bundle.top_k,
        "bytes_a_second": BYTES_A_SECOND, "latency_ms": LATENCY_MS,
    }  # fmt: skip
    with noting_other_work(result):
        taps = timed_taps(browser, library, arguments)
        visits = {target: visited(browser, sites[target], arguments.visits) for target in sites}
    return {
        **result,
        "rows": [{"target": target, "us": taps[target], **visits[target]} for target in sites],
    }


def timed_taps(
    browser: Browser, library: Path, arguments: argparse.Namespace
) -> dict[str, dict[str, dict[str, float]]]:
    """By engine and call, µs; a new page each round."""
    rounds: list[dict[str, dict[str, float]]] = []
    for _ in range(arguments.rounds):
        with library_page(browser, library) as page:
            rounds.append({
                target: page.evaluate(TAPS, [target, arguments.blocks, arguments.calls])
                for target in arguments.target
            })  # fmt: skip
    return {target: together([each[target] for each in rounds]) for target in arguments.target}


def visited(browser: Browser, site: Path, visits: int) -> dict[str, Any]:
    """What a first visit brings, and how long it takes by either way of slowing it down."""
    _, server = first_visit(browser, site, by="")
    seconds = {
        by: together([first_visit(browser, site, by=by)[0] for _ in range(visits)])
        for by in ("devtools", "link")
    }
    return {"gzip": parts_of(server.sent), "seconds": seconds}


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=Path, help="a folder that keeps bundle and modules")
    parser.add_argument("--target", nargs="+", choices=TARGETS, default=TARGETS)
    parser.add_argument("--rounds", type=int, default=5, help="pages in which taps are timed")
    parser.add_argument("--blocks", type=int, default=60, help="timed, of each engine on a page")
    parser.add_argument("--calls", type=int, default=50, help="in a block")
    parser.add_argument("--visits", type=int, default=3, help="first ones, of each kind")
    parser.add_argument("--chunk", type=int, default=25, help="of `append_many`, in the export")
    parser.add_argument("--bytes", action="store_true", help="these alone, anew in --out's file")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument("--out", type=Path, help="a file for the same JSON")
    arguments = parser.parse_args()
    program = shutil.which("chromium")
    with tempfile.TemporaryDirectory() as work, sync_playwright() as playwright:
        files = (arguments.files or Path(work)).resolve()
        files.mkdir(parents=True, exist_ok=True)
        options = {"executable_path": program, "args": ["--no-sandbox"]}
        browser = playwright.chromium.launch(**options)
        result = (bytes_anew if arguments.bytes else measure)(browser, files, arguments)
        browser.close()
    if arguments.out:
        arguments.out.write_text(json.dumps(result, indent=1) + "\n")
    if arguments.json:
        print(json.dumps(result, indent=1))
        return
    for row in result["rows"]:
        print(json.dumps(row))


if __name__ == "__main__":
    main()
