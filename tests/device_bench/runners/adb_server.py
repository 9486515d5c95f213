"""Stands in for adb's server and for a phone behind it, on loopback; the client is the real one.

It speaks the part of the protocol that the client uses for `devices`, `shell`, `push` and `pull`,
by adb's own OVERVIEW.TXT, SERVICES.TXT and SYNC.TXT and shell_protocol.h. A phone's files are a
folder here; what its commands say is in adb_phone.json, written by hand and not captured.
Scripts run in this machine's `sh`, where `/data/local/tmp`, `/sys` and `/proc` stand for the
folder's, and where a phone's own commands come from the file.
"""

import os
import re
import signal
import socket
import socketserver
import struct
import threading
from pathlib import Path

STDIN, STDOUT, STDERR, EXIT, CLOSE_STDIN = range(5)  # packets of the shell protocol
LOADER = "ld-linux-aarch64.so.1"
LONGEST = 120.0  # seconds that a connection may wait for anything
UNAUTHORIZED = """device unauthorized.
This adb server's $ADB_VENDOR_KEYS is not set
Try 'adb kill-server' if that seems wrong.
Otherwise check for a confirmation dialog on your device."""
NO_PERMISSIONS = """\
insufficient permissions for device: user in plugdev group; are your udev rules wrong?
See [http://developer.android.com/tools/device.html] for more information"""
FAILURES = {
    "unauthorized": UNAUTHORIZED,
    "authorizing": "device still authorizing",
    "offline": "device offline",
    "no permissions": NO_PERMISSIONS,
}


class AdbServer(socketserver.ThreadingTCPServer):
    """See the module. `asked`: the services that clients asked for."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, version, phones):
        super().__init__(("127.0.0.1", 0), Connection)
        self.version, self.phones, self.asked = version, phones, []
        self.connections, self.lock = set(), threading.Lock()
        self.thread = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    @property
    def spec(self):
        """As ADB_SERVER_SOCKET. By its number: a client starts a server at "localhost" alone."""
        return f"tcp:127.0.0.1:{self.server_address[1]}"

    def die(self):
        """Take no more connections, and cut those that are."""
        self.shutdown()
        self.server_close()
        with self.lock:
            for connection in self.connections:
                connection.shutdown(socket.SHUT_RDWR)

    def find(self, serial):
        """A phone, or why there is none."""
        found = [p for p in self.phones if p.serial == serial or not serial]
        if not found:
            return f"device '{serial}' not found" if serial else "no devices/emulators found"
        if len(found) > 1:
            return "more than one device/emulator"
        return FAILURES.get(found[0].state, found[0])


class Connection(socketserver.BaseRequestHandler):
    """One client."""

    def setup(self):
        self.request.settimeout(LONGEST)
        self.phone = None
        with self.server.lock:
            self.server.connections.add(self.request)

    def finish(self):
        with self.server.lock:
            self.server.connections.discard(self.request)

    def handle(self):
        try:
            while self.serve(self.exactly(int(self.exactly(4), 16)).decode()):
                pass
        except (ConnectionError, EOFError, TimeoutError, BrokenPipeError):
            return

    def exactly(self, count):
        found = b""
        while len(found) < count:
            part = self.request.recv(count - len(found))
            if not part:
                raise EOFError
            found += part
        return found

    def okay(self, text=None):
        told = b"" if text is None else b"%04x" % len(text.encode()) + text.encode()
        self.request.sendall(b"OKAY" + told)

    def fail(self, why):
        self.request.sendall(b"FAIL%04x" % len(why.encode()) + why.encode())

    def serve(self, service):
        """Whether the client may ask for more."""
        self.server.asked.append(service)
        if self.phone is not None:
            return self.serve_local(service)
        if service == "host:version":
            self.okay(f"{self.server.version:04x}")
        elif service in ("host:devices", "host:devices-l"):
            self.okay("".join(map(self.line, self.server.phones)))
        else:
            return self.serve_one(service)
        return False

    def line(self, phone):
        told = phone.describes if phone.state == "device" else "usb:1-4 transport_id:1"
        return f"{phone.serial:22} {phone.state} {told}\n"

    def serve_one(self, service):
        """Of the services that are about one phone."""
        parsed = re.fullmatch(
            r"host:(?P<switch>tport|transport)(?::serial)?[:-](?P<to>.+)"
            r"|host(?:-serial:(?P<of>.+))?:(?P<what>features)",
            service,
        )
        if parsed is None:
            self.fail("unknown host service")
            return False
        serial = parsed["to"] if parsed["switch"] else parsed["of"]
        found = self.server.find("" if serial in (None, "any") else serial)
        if isinstance(found, str):
            self.fail(found)
        elif parsed["what"]:
            self.okay(found.features)
        else:
            self.okay()
            self.request.sendall(struct.pack("<Q", 1) if parsed["switch"] == "tport" else b"")
            self.phone = found
            return True
        return False

    def serve_local(self, service):
        kind, _, rest = service.partition(":")
        if kind == "sync":
            self.okay()
            while self.serve_file():
                pass
        elif kind.startswith("shell,v2"):
            self.okay()
            self.shell(rest)
        elif kind == "shell":
            self.okay()
            self.old_shell(rest)
        else:
            self.fail("closed")
        return False

    def shell(self, script):
        process = self.phone.start(script)
        reader = threading.Thread(target=self.feed, args=(process,), daemon=True)
        reader.start()
        try:
            for line in process.stdout:
                self.packet(STDOUT, line.replace(self.phone.path.encode(), b""))
            self.packet(EXIT, bytes([process.wait(LONGEST) & 0xFF]))
        finally:
            process.stdout.close()
            process.wait(LONGEST)

    def packet(self, kind, data):
        self.request.sendall(struct.pack("<BI", kind, len(data)) + data)

    def feed(self, process):
        """Until the client goes; then as the phone's daemon does, hang up and end stdin."""
        try:
            while True:
                kind, size = struct.unpack("<BI", self.exactly(5))
                data = self.exactly(size)
                if kind == STDIN:
                    process.stdin.write(data)
                    process.stdin.flush()
                elif kind == CLOSE_STDIN:
                    process.stdin.close()
        except (OSError, EOFError, ValueError):
            if process.poll() is None:
                os.kill(process.pid, signal.SIGHUP)
            process.stdin.close()

    def old_shell(self, script):
        """Of Android 6 and before: a terminal, whose lines end so."""
        process = self.phone.start(script)
        output, _ = process.communicate(timeout=LONGEST)
        self.request.sendall(output.replace(b"\n", b"\r\n"))

    def serve_file(self):
        kind, size = struct.unpack("<4sI", self.exactly(8))
        if kind == b"QUIT":
            return False
        path = self.exactly(size).decode()
        handlers = {b"SEND": self.take, b"RECV": self.give, b"STAT": self.stat}
        if kind in (b"STA2", b"LST2"):
            self.stat_2(kind, path)
        else:
            handlers[kind](path)
        return True

    def file(self, path):
        return Path(self.phone.here(path))

    def stat(self, path):
        found = self.file(path)
        told = found.stat() if found.exists() else None
        numbers = (told.st_mode, told.st_size, int(told.st_mtime)) if told else (0, 0, 0)
        self.request.sendall(struct.pack("<4sIII", b"STAT", *numbers))

    def stat_2(self, kind, path):
        error, numbers = 2, [0] * 10  # ENOENT
        if self.file(path).exists():
            told = self.file(path).stat()
            error, numbers = 0, [
                told.st_dev, told.st_ino, told.st_mode, told.st_nlink, 2000, 2000, told.st_size,
                int(told.st_atime), int(told.st_mtime), int(told.st_ctime),
            ]  # fmt: skip
        self.request.sendall(struct.pack("<4sIQQIIIIQqqq", kind, error, *numbers))

    def take(self, path_and_mode):
        path, mode = path_and_mode.rsplit(",", 1)
        content = b""
        while True:
            kind, size = struct.unpack("<4sI", self.exactly(8))
            if kind == b"DONE":
                break
            content += self.exactly(size)
        if self.phone.refusal:
            self.refuse(self.phone.refusal)
            return
        file = self.file(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        if self.phone.emulator and file.name == LOADER:
            file.with_suffix(".arm").write_bytes(content)
            content = f'#!/bin/sh\nexec {self.phone.emulator} "${{0%.1}}.arm" "$@"\n'.encode()
        file.write_bytes(content)
        file.chmod(int(mode) & 0o777)
        self.request.sendall(struct.pack("<4sI", b"OKAY", 0))

    def refuse(self, why):
        self.request.sendall(struct.pack("<4sI", b"FAIL", len(why)) + why.encode())

    def give(self, path):
        if not self.file(path).is_file():
            self.refuse("No such file or directory")
            return
        content = self.file(path).read_bytes()
        for start in range(0, len(content), 1 << 16):
            part = content[start : start + (1 << 16)]
            self.request.sendall(struct.pack("<4sI", b"DATA", len(part)) + part)
        self.request.sendall(struct.pack("<4sI", b"DONE", 0))
