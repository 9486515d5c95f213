"""Pictures of the built web module and of a list in the terminal, as README and the docs show them.

python scripts/web_screenshots.py APP/dist docs/images          # of the films, docs/embed-web.md's
python scripts/web_screenshots.py SHOP/dist docs/images --shop  # README's: of its shop, and a list
"""

from __future__ import annotations

import functools
import io
import os
import shutil
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from unittest import mock

from PIL import Image
from playwright.sync_api import Page, sync_playwright
from rich.terminal_theme import TerminalTheme

from glint_edge.cli import app as cli
from glint_edge.cli import console

FILMS = ("Star Wars (1977)", "Alien (1979)", "Blade Runner (1982)")
GOODS = ("Tent for two", "Sleeping mat")
# File, page, colour scheme, width and height, pixels for one of CSS, history.
SHOTS = (
    ("web-onnx.png", "onnx.html", "light", (1440, 900), 1, FILMS),
    ("web-litert.png", "litert.html", "dark", (390, 844), 1.5, FILMS),
)
README_SHOTS = tuple(
    (f"page-{scheme}.png", "index.html", scheme, (1000, 640), 1, GOODS)
    for scheme in ("light", "dark")
)
# A terminal's background and letters; what is listed there has no other colours.
TERMINALS = {
    "light": ((255, 255, 255), (31, 35, 40)),
    "dark": ((13, 17, 23), (240, 246, 252)),
}
WIDTH = 80  # letters
# As rich has it, without its window's frame and the fonts that it fetches.
FONTS = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"
SVG = """\
<svg viewBox="0 0 {terminal_width} {terminal_height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{
font-family: FONTS; font-size: {char_height}px; line-height: {line_height}px
}}
{styles}
</style>
<defs>{lines}</defs>
<rect width="100%" height="100%" rx="8" fill="BACKGROUND"/>
{backgrounds}
<g class="{unique_id}-matrix">{matrix}</g>
</svg>
"""


class Quiet(SimpleHTTPRequestHandler):
    """A handler that does not log."""

    def log_message(self, *words: object) -> None:
        """Say nothing."""


def main(site: Path, out: Path, *, shop: bool = False) -> None:
    """Serve a build on this machine, visit its pages."""
    out.mkdir(parents=True, exist_ok=True)
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=site))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    # Chromium's sandbox refuses to be root's.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=arguments
        )
        for name, page, scheme, (width, height), scale, history in README_SHOTS if shop else SHOTS:
            screen = browser.new_page(
                viewport={"width": width, "height": height},
                color_scheme="dark" if scheme == "dark" else "light",
                device_scale_factor=scale,
            )
            address = f"http://127.0.0.1:{server.server_port}/{page}"
            save(shoot(screen, address, history), out / name)
        browser.close()
    server.shutdown()
    if shop:
        for scheme in TERMINALS:
            (out / f"list-{scheme}.svg").write_text(terminal(scheme), "utf-8")


def shoot(page: Page, address: str, history: Sequence[str]) -> bytes:
    """A page with a short history, as PNG."""
    page.goto(address)
    page.locator("#status", has_text="Ready").wait_for()
    for title in history:
        page.get_by_role("combobox").fill(title)
        page.keyboard.press("Enter")
        page.locator("#status", has_text=f"Added {title}").wait_for()
    page.get_by_role("combobox").blur()
    return page.screenshot()


def save(png: bytes, file: Path) -> None:
    """Write it small: a page has few colours, most of them on covers."""
    image = Image.open(io.BytesIO(png)).convert("RGB")
    image.quantize(200).save(file, optimize=True)


def terminal(scheme: str) -> str:
    """What the demo ends in, by the command itself, as SVG; it asks the bundle written last."""
    background, letters = TERMINALS[scheme]
    recorder = type(console.out)(
        record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, emoji=False
    )
    words = ["glint-edge", "recommend", *FILMS]
    shown = " ".join(f'"{word}"' if " " in word else word for word in words)
    recorder.print(f"[dim]$[/] [bold]{shown}[/]", highlight=False)
    record = mock.patch.object(console, "out", recorder)
    with record, mock.patch("sys.argv", words), suppress(SystemExit):
        cli.main()
    theme = TerminalTheme(background, letters, [letters] * 8)
    form = SVG.replace("FONTS", FONTS).replace("BACKGROUND", f"rgb{background}")
    return recorder.export_svg(theme=theme, code_format=form, unique_id="list")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), shop="--shop" in sys.argv[3:])
