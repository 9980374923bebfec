"""Calls to the Linux kernel that the standard library does not offer, through the C library."""

import ctypes
import errno
import os
import platform
import sys
from collections.abc import Callable

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_NO_NEW_PRIVS = 38

X86_64 = "x86_64"
AARCH64 = "aarch64"

_libc = ctypes.CDLL(None, use_errno=True)


def architecture() -> str:
    """Name the processor's instruction set as Linux does."""
    return platform.machine()


def prctl(option: int, value: int) -> None:
    """Change a property of this process.

    Raises:
        OSError: if the kernel refuses.
    """
    if _function("prctl")(option, value, 0, 0, 0):
        raise _last_error("prctl")


def system_call(number: int, *arguments: object) -> int:
    """Make a system call by its number, which differs between instruction sets.

    Raises:
        OSError: if the kernel refuses, or does not know the call.
    """
    answer: int = _function("syscall")(ctypes.c_long(number), *arguments)
    if answer < 0:
        raise _last_error(f"system call {number}")
    return answer


def unshare(flags: int) -> None:
    """Leave namespaces that this process shares with others.

    Raises:
        OSError: if the kernel refuses.
    """
    if _function("unshare")(flags):
        raise _last_error("unshare")


def _function(name: str) -> Callable[..., int]:
    """Find a function that only Linux's C libraries have."""
    if sys.platform != "linux":
        raise OSError(errno.ENOSYS, f"{name}: not on this system")
    found: Callable[..., int] = getattr(_libc, name)
    return found


def _last_error(what: str) -> OSError:
    code = ctypes.get_errno()
    return OSError(code, f"{what}: {os.strerror(code)}")
