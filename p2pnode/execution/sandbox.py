"""What a worker process takes away from itself before it opens a foreign artefact.

Two steps, because the runtimes need files and threads while they load and nothing afterwards:
`detach` at the start of the process, `confine` when everything is imported. What remains is
computing and the pipes that are already open.
"""

import ctypes
import os
import resource
import signal
import sys
import time

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_NO_NEW_PRIVS = 38
LANDLOCK_CREATE_RULESET = 444
LANDLOCK_RESTRICT_SELF = 446
LANDLOCK_VERSION_FLAG = 1

FILE_RIGHTS_BY_VERSION = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
"""How many of Landlock's file access rights a kernel of that version knows (bits from 0)."""

CPU_GRACE_SECONDS = 2
"""Processor time beyond the time limit; the kernel's own end for a worker nobody watches."""

_libc = ctypes.CDLL(None, use_errno=True)


def detach(parent_pid: int) -> None:
    """Tie this process to its parent's life and give up privileges and core dumps."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent_pid:
        # The parent died before the line above: nobody would ever kill this process.
        sys.exit("the parent process is gone")
    _libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    _libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def forbid_files() -> None:
    """Deny every access to the file system where the kernel has Landlock.

    It binds this thread and those it starts later, so the runtimes must not have started any.
    """
    version = _libc.syscall(LANDLOCK_CREATE_RULESET, None, 0, LANDLOCK_VERSION_FLAG)
    if version < 1:
        return
    rights = FILE_RIGHTS_BY_VERSION[min(version, max(FILE_RIGHTS_BY_VERSION))]
    handled = ctypes.c_uint64((1 << rights) - 1)
    ruleset = _libc.syscall(LANDLOCK_CREATE_RULESET, ctypes.byref(handled), 8, 0)
    if ruleset >= 0:
        _libc.syscall(LANDLOCK_RESTRICT_SELF, ruleset, 0)
        os.close(ruleset)


def confine(status_fd: int, growth_bytes: int, time_limit_ms: int, *, device_files: bool) -> None:
    """Limit memory and processor time; without a device, forbid new descriptors and processes.

    Args:
        status_fd: what `open_status` opened.
        growth_bytes: how much data memory may be added to what the process has now.
        time_limit_ms: wall time of the run; processor time may not exceed it by much.
        device_files: whether a driver has to open files and start threads, as CUDA does; memory
            is then left to the runner's watch, because drivers reserve far more than they use.
    """
    seconds = int(time.process_time()) + time_limit_ms // 1000 + 1 + CPU_GRACE_SECONDS
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    if device_files:
        return
    ceiling = _status_bytes(status_fd, b"VmData:") + growth_bytes
    resource.setrlimit(resource.RLIMIT_DATA, (ceiling, ceiling))
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    # Open pipes stay usable; no file, socket or pipe can be opened any more.
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))


def open_status() -> int:
    """Open this process's status while files can still be opened."""
    return os.open("/proc/self/status", os.O_RDONLY | os.O_CLOEXEC)


def peak_memory_bytes(status_fd: int) -> int:
    """Say the most resident memory this process ever had."""
    return _status_bytes(status_fd, b"VmHWM:")


def _status_bytes(status_fd: int, field: bytes) -> int:
    for line in os.pread(status_fd, 8192, 0).splitlines():
        if line.startswith(field):
            return int(line.split()[1]) * 1024
    return 0
