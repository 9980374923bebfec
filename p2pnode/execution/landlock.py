"""Landlock: the kernel's way for a process to give up files, ports and signals for good.

Everything that the running kernel can refuse is refused, with no exception. The numbers of the
calls are the same on all instruction sets. Source: the kernel's `Documentation/userspace-api/
landlock.rst` and `include/uapi/linux/landlock.h`.
"""

import ctypes
import os

from p2pnode.execution import kernel

CREATE_RULESET = 444
RESTRICT_SELF = 446
VERSION_FLAG = 1

FILE_RIGHTS_BY_VERSION = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
"""How many of the file access rights a kernel of that version knows (bits from 0); the sixteenth
is the control of device files."""

NETWORK_VERSION = 4
NETWORK_RIGHTS = 0b11
"""Binding and connecting TCP sockets."""

SCOPES_VERSION = 6
SCOPES = 0b11
"""Abstract Unix sockets of others, and signals to others."""


class Ruleset(ctypes.Structure):
    """What a ruleset takes away; older kernels know only the first fields."""

    _fields_ = (
        ("files", ctypes.c_uint64),
        ("network", ctypes.c_uint64),
        ("scopes", ctypes.c_uint64),
    )


def version() -> int:
    """Say which version of Landlock the running kernel has; 0 for none."""
    try:
        return kernel.system_call(CREATE_RULESET, None, 0, VERSION_FLAG)
    except OSError:
        return 0


def ruleset_for(known: int) -> tuple[Ruleset, int]:
    """Give all rights that a version knows, and how many bytes of the structure it reads."""
    rights = FILE_RIGHTS_BY_VERSION[min(known, max(FILE_RIGHTS_BY_VERSION))]
    files = (1 << rights) - 1
    if known < NETWORK_VERSION:
        return Ruleset(files, 0, 0), 8
    if known < SCOPES_VERSION:
        return Ruleset(files, NETWORK_RIGHTS, 0), 16
    return Ruleset(files, NETWORK_RIGHTS, SCOPES), 24


def restrict() -> None:
    """Take away every right; binds this thread and those it starts later.

    Raises:
        OSError: if the kernel has no Landlock or refuses.
    """
    rights, size_bytes = ruleset_for(version() or 1)
    ruleset = kernel.system_call(CREATE_RULESET, ctypes.byref(rights), size_bytes, 0)
    try:
        kernel.system_call(RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)
