"""OpenSSH's server, started here on loopback."""

import os
import shlex
import shutil
import socket
import subprocess
import time

import psutil
import pytest

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


class Server:
    """An sshd with its own keys and configuration, and a client configuration that reaches it."""

    def __init__(self, folder, port):
        self.folder, self.port, self.process = folder, port, None
        self.remote = folder / "remote"  # what is TMPDIR in its sessions
        self.remote.mkdir()
        for key in ("host", "user", "stranger"):
            subprocess.run(
                ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / key], check=True
            )
        self.client = self.write_client("client")

    def write_client(self, name, key="user", address="127.0.0.1", host_key="host.pub"):
        known = self.folder / f"{name}.known_hosts"
        known.write_text(f"[127.0.0.1]:{self.port} {(self.folder / host_key).read_text()}")
        path = self.folder / name
        path.write_text(
            f"Host board\n HostName {address}\n Port {self.port}\n IdentitiesOnly yes\n"
            f" IdentityFile {self.folder / key}\n IdentityAgent none\n"
            f" UserKnownHostsFile {known}\n GlobalKnownHostsFile /dev/null\n"
            # Each connection's default would take both sides a tenth of a second.
            " KexAlgorithms curve25519-sha256\n"
        )
        return path

    def start(self, **options):
        told = {
            "ListenAddress": f"127.0.0.1:{self.port}",
            "HostKey": self.folder / "host",
            "AuthorizedKeysFile": self.folder / "user.pub",
            "PidFile": "none",
            "UsePAM": "no",
            "StrictModes": "no",
            "PasswordAuthentication": "no",
            "KbdInteractiveAuthentication": "no",
            "SetEnv": f"TMPDIR={shlex.quote(str(self.remote))}",
            **options,
        }
        config = self.folder / "sshd_config"
        config.write_text("".join(f"{name} {value}\n" for name, value in told.items()))
        log = (self.folder / "sshd.log").open("ab")
        with log:
            self.process = subprocess.Popen([SSHD, "-D", "-e", "-f", config], stderr=log)
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        pytest.fail(f"sshd did not start: {(self.folder / 'sshd.log').read_text()}")

    def processes(self):
        """Its own and those of its sessions, without what runs in them."""
        if self.process is None or self.process.poll() is not None:
            return []
        own = psutil.Process(self.process.pid)
        return [own, *(p for p in own.children(recursive=True) if p.name().startswith("sshd"))]

    def kill(self):
        for process in self.processes():
            process.kill()
        if self.process is not None:
            self.process.wait(timeout=10)


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]
