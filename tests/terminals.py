"""Commands at a terminal, as a person runs them, and the keys that the person strikes."""

import faulthandler
import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time

from tests import forked

CTRL_C = b"\x03"
SIZE = struct.pack("HHHH", 50, 300, 0, 0)  # rows and columns: no line of these tests is longer
PATIENCE = 120  # seconds, on a busy machine
WHERE = signal.SIGUSR1  # makes the command print where each of its threads is


def command(terminal, environment, words):
    """A command line on a terminal, in the process that it is called in."""
    from glint_edge.cli.app import main

    os.environ.clear()
    os.environ.update(environment, TERM="xterm")
    os.login_tty(os.open(terminal, os.O_RDWR))
    sys.stdout, sys.stderr = (os.fdopen(stream, "w", 1, closefd=False) for stream in (1, 2))
    sys.argv = ["glint-edge", *words]
    # As a shell at a terminal leaves it; who runs the tests may ignore Ctrl-C, as nohup does.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    faulthandler.register(WHERE, file=sys.stderr)
    main()


def struck(words, keys, when):
    """Run a command line at a terminal, and strike keys once `when()` holds.

    Returns:
        Its exit code, and what the terminal was sent.
    """
    ours, theirs = pty.openpty()
    try:
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, SIZE)
        process = forked.start(command, os.ttyname(theirs), dict(os.environ), [*map(str, words)])
        sent, left, end = b"", keys, time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if select.select([ours], [], [], 0.05)[0]:
                sent += os.read(ours, 1 << 16)
            elif not process.is_alive():
                return process.exitcode, sent.decode()
            if left and when():
                left = left[os.write(ours, left) :]
        os.kill(process.pid, WHERE)
        time.sleep(1)
        sent += os.read(ours, 1 << 16)
        process.kill()
        raise TimeoutError(sent.decode())
    finally:
        os.close(ours)
        os.close(theirs)
