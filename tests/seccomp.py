"""A process that may open no socket of the network: the kernel ends it, or the child that does.

Native code is caught as well, and no tracer is needed. A name's look-up opens one, too.
"""

import ctypes
import platform
import signal
import struct
import sys

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, FILTER_MODE = 38, 22, 2
KILL, ALLOW = 0x80000000, 0x7FFF0000  # SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_ALLOW
LOAD, JUMP_EQUAL, RETURN = 0x20, 0x15, 0x06  # of classic BPF, on 32-bit words
NUMBER, FIRST_ARGUMENT = 0, 16  # in struct seccomp_data
SOCKET = {"x86_64": 41, "aarch64": 198}.get(platform.machine())
AF_UNIX = 1  # to the system's own services: of users' names, of a display

AVAILABLE = sys.platform == "linux" and SOCKET is not None
KILLED = -signal.SIGSYS if AVAILABLE else None  # the exit code of one that was ended


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def forbid_network():
    """From here on, in this process and its children: what `subprocess` calls as `preexec_fn`."""
    program = (
        (LOAD, 0, 0, NUMBER),
        (JUMP_EQUAL, 0, 3, SOCKET),
        (LOAD, 0, 0, FIRST_ARGUMENT),
        (JUMP_EQUAL, 1, 0, AF_UNIX),
        (RETURN, 0, 0, KILL),
        (RETURN, 0, 0, ALLOW),
    )
    code = b"".join(struct.pack("=HBBI", *line) for line in program)
    buffer = ctypes.create_string_buffer(code, len(code))
    told = _Program(len(program), ctypes.addressof(buffer))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "no new privileges cannot be set")
    if libc.prctl(PR_SET_SECCOMP, FILTER_MODE, ctypes.byref(told), 0, 0):
        raise OSError(ctypes.get_errno(), "no filter of system calls can be set")
