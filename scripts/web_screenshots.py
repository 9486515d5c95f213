"""Screenshots of the built web module, as the docs show them.

python scripts/web_screenshots.py APP/dist docs/images
"""

from __future__ import annotations

import functools
import io
import os
import shutil
import sys
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

# File, page, colour scheme, width and height, pixels for one of CSS.
SHOTS = (
    ("web-onnx.png", "onnx.html", "light", (1440, 900), 1),
    ("web-litert.png", "litert.html", "dark", (390, 844), 1.5),
)
TITLES = ("Star Wars (1977)", "Alien (1979)", "Blade Runner (1982)")


class Quiet(SimpleHTTPRequestHandler):
    """A handler that does not log."""

    def log_message(self, *words: object) -> None:
        """Say nothing."""


def main(site: Path, out: Path) -> None:
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
        for name, page, scheme, (width, height), scale in SHOTS:
            screen = browser.new_page(
                viewport={"width": width, "height": height},
                color_scheme="dark" if scheme == "dark" else "light",
                device_scale_factor=scale,
            )
            address = f"http://127.0.0.1:{server.server_port}/{page}"
            save(shoot(screen, address), out / name)
        browser.close()
    server.shutdown()


def shoot(page: Page, address: str) -> bytes:
    """A page with a short history, as PNG."""
    page.goto(address)
    page.locator("#status", has_text="Ready").wait_for()
    for title in TITLES:
        page.get_by_role("combobox").fill(title)
        page.keyboard.press("Enter")
        page.locator("#status", has_text=f"Added {title}").wait_for()
    page.get_by_role("combobox").blur()
    return page.screenshot()


def save(png: bytes, file: Path) -> None:
    """Write it small: a page has few colours, most of them on covers."""
    image = Image.open(io.BytesIO(png)).convert("RGB")
    image.quantize(200).save(file, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
