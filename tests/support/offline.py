"""Run a command for which the kernel refuses every socket but those within the machine, whatever library asks."""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import socket
import struct
import sys

# Numbers of the system call `socket` and of the architecture (linux/audit.h).
CALLS = {"x86_64": (41, 0xC000003E), "aarch64": (198, 0xC00000B7)}
# Where a filter finds the call's number, the architecture and the first argument (linux/seccomp.h).
NUMBER, ARCHITECTURE, FIRST = 0, 4, 16
ALLOW, REFUSE = 0x7FFF0000, 0x00050000
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06
# Exit status where the kernel cannot.
IMPOSSIBLE = 77
NO_NEW_PRIVILEGES, SECCOMP, FILTER = 38, 22, 2


def forbid() -> bool:
    """Let the kernel refuse every socket of the internet to this process and its children.

    Returns:
        Whether the kernel can.
    """
    if platform.machine() not in CALLS or sys.platform != "linux":
        return False
    number, architecture = CALLS[platform.machine()]
    steps = [
        (LOAD, 0, 0, ARCHITECTURE), (EQUAL, 0, 6, architecture),
        (LOAD, 0, 0, NUMBER), (EQUAL, 0, 4, number),
        (LOAD, 0, 0, FIRST), (EQUAL, 1, 0, socket.AF_INET), (EQUAL, 0, 1, socket.AF_INET6),
        (RETURN, 0, 0, REFUSE | errno.EACCES), (RETURN, 0, 0, ALLOW),
    ]  # fmt: skip
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
    described = struct.pack("HxxxxxxP", len(steps), ctypes.addressof(program))
    library = ctypes.CDLL(None, use_errno=True)
    if library.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0):
        return False
    return library.prctl(SECCOMP, FILTER, ctypes.create_string_buffer(described), 0, 0) == 0


if __name__ == "__main__":
    if not forbid():
        sys.exit(IMPOSSIBLE)
    os.execvp(sys.argv[1], sys.argv[1:])
