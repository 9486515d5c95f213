"""A phone behind the stand-in for adb's server: its files are a folder here (`adb_server`)."""

import json
import re
import subprocess
from pathlib import Path

PHONE = Path(__file__).with_name("adb_phone.json")
COMMAND = """#!/bin/sh
name=${0##*/}
for answer in "$name $*" "$name"; do
  [ ! -f "ANSWERS/$answer" ] || exec cat "ANSWERS/$answer"
done
echo "$name: inaccessible or not found" >&2
exit 127
"""
TASKSET = """#!/bin/sh
echo "$1" >>ROOT/pinned
shift
exec "$@"
"""


class Phone:
    """A phone's files and answers.

    `state` is what `adb devices` shows. `refusal`: why it takes no files. `emulator`: a command
    that runs 64-bit Arm programs here, if it has to; they come with their own loader.
    """

    def __init__(self, root, serial="0123456789ABCDEF", state="device"):
        self.root, self.serial, self.state, self.refusal = root, serial, state, ""
        self.emulator = ""
        values = json.loads(PHONE.read_text())
        self.features, self.describes = values["features"], values["describes"]
        for path, text in values["files"].items():
            file = root / path.lstrip("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        self.tmp = root / "data" / "local" / "tmp"
        self.tmp.mkdir(parents=True)
        (root / "bin").mkdir()
        (root / "answers").mkdir()
        self._command("taskset", TASKSET)
        for command, text in values["commands"].items():
            self.answer(command, text)

    def answer(self, command, text):
        """Let a command say this from now on."""
        (self.root / "answers" / command).write_text(text)
        self._command(command.split()[0], COMMAND)

    def change(self, command, before, after):
        """Replace some of what a command says."""
        text = (self.root / "answers" / command).read_text()
        assert before in text
        self.answer(command, text.replace(before, after))

    def _command(self, name, text):
        file = self.root / "bin" / name
        file.write_text(text.replace("ANSWERS", f"{self.root}/answers").replace("ROOT", self.path))
        file.chmod(0o755)

    @property
    def path(self):
        return str(self.root)

    def here(self, path):
        """Where a file of the phone's lies, or a script that names some."""
        return re.sub(r"(?<![\w/])(?=/(?:data/local/tmp|sys|proc)/)", self.path, path)

    def start(self, script):
        return subprocess.Popen(
            ["sh", "-c", self.here(script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=self.root,
            env={"PATH": f"{self.root}/bin:/usr/bin:/bin", "HOME": self.path},
            start_new_session=True,
        )
