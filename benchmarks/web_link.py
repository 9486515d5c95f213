"""A web server as a phone finds it: it compresses, counts, and may keep to a slow link's speed."""

from __future__ import annotations

import gzip
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

BYTES_A_SECOND, LATENCY_MS = 200_000, 150  # 1.6 Mbit/s; Lighthouse's slow 4G
PIECE = 4096  # that the link is given at once


class Link(ThreadingHTTPServer):
    """A server of one folder that compresses, counts, and may keep to a link's speed.

    Attributes:
        address: ends in a slash.
        is_slow: whether it does.
        sent: bytes of each file's body, by path.
    """

    daemon_threads = True

    def __init__(self, folder: Path, *, is_slow: bool) -> None:
        super().__init__(("127.0.0.1", 0), partial(_Handler, directory=str(folder)))
        self.address = f"http://127.0.0.1:{self.server_port}/"
        self.is_slow, self.sent = is_slow, dict[str, int]()
        self._free_at, self._lock = 0.0, threading.Lock()

    def pace(self, size: int) -> None:
        """Wait until the link has taken so many bytes more."""
        with self._lock:
            self._free_at = max(self._free_at, time.monotonic()) + size / BYTES_A_SECOND
            end = self._free_at
        time.sleep(max(0.0, end - time.monotonic()))


class _Handler(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Link
    packed: ClassVar[dict[Path, bytes]] = {}

    def do_GET(self) -> None:  # the base class's name
        path = Path(self.translate_path(self.path))
        path = path / "index.html" if path.is_dir() else path
        if self.server.is_slow:
            time.sleep(LATENCY_MS / 1e3)
        if not path.is_file():
            self.send_error(404)
            return
        body = self.packed.setdefault(path, gzip.compress(path.read_bytes(), 6))
        tag = f'"{zlib.crc32(body):08x}"'
        is_there = self.headers.get("If-None-Match") == tag
        self.send_response(304 if is_there else 200)
        self.send_header("ETag", tag)
        if is_there:
            self.end_headers()
            return
        self.send_header("Content-Type", self.guess_type(str(path)))
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        for start in range(0, len(body), PIECE):
            piece = body[start : start + PIECE]
            if self.server.is_slow:
                self.server.pace(len(piece))
            self.wfile.write(piece)
        self.server.sent[self.path] = len(body)

    def log_message(self, *words: object) -> None:
        """Say nothing."""


@contextmanager
def served(folder: Path, *, is_slow: bool = False) -> Iterator[Link]:
    """A folder on a port of its own."""
    server = Link(folder, is_slow=is_slow)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
