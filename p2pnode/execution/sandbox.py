"""What a worker process takes away from itself before it opens a foreign artefact.

Three steps. `detach` comes first, since namespaces can only be left before threads run; `lock` when
the runtimes are loaded, since they need files and threads for that and nothing afterwards; `limit`
when the task is known. What remains is computing and the pipes that are already open. Each step
goes as far as the system lets it and says how far that was: see docs/SANDBOX.md.
"""

import errno
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from p2pnode.execution import kernel, landlock, seccomp

NEW_USER = 0x10000000
NEW_NETWORK_IPC_NAMES = 0x40000000 | 0x08000000 | 0x04000000
"""Namespaces of the kernel: users; networks, messages between processes, and host names."""

CPU_GRACE_SECONDS = 2
"""Processor time beyond the time limit; the kernel's own end for a worker nobody watches."""

LEVEL_FILES = 1
LEVEL_CALLS = 2
LEVEL_TWO_WALLS = 3
LEVEL_OWN_PROCESSES = 4


@dataclass(frozen=True, slots=True)
class Walls:
    """What stands between a worker and the rest of the machine."""

    namespaces: bool = False
    """It has no network, and no shared memory or messages in common with others."""
    own_processes: bool = False
    """It sees and reaches no process outside its own namespace."""
    files: bool = False
    """Landlock refuses every file, port and signal to others."""
    calls: bool = False
    """The system call filter refuses all but computing."""

    @property
    def level(self) -> int:
        """Sum up: 0 for limits alone, to 4."""
        if not self.calls:
            return LEVEL_FILES if self.files else 0
        if not (self.files and self.namespaces):
            return LEVEL_CALLS
        return LEVEL_OWN_PROCESSES if self.own_processes else LEVEL_TWO_WALLS


def detach(parent_pid: int, parent_namespace: str) -> Walls:
    """Leave shared namespaces, tie this process to its parent's life, give up privileges.

    Args:
        parent_pid: whoever started this process, by its number where that one lives.
        parent_namespace: the name of the parent's process namespace, as `process_namespace` says.
    """
    walls = Walls(
        namespaces=_leave_namespaces(), own_processes=process_namespace() != parent_namespace
    )
    _try_prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
    # In a namespace of its own it has another parent, with which the whole namespace ends.
    if not walls.own_processes and os.getppid() != parent_pid:
        # The parent died before the line above: nobody would ever kill this process.
        sys.exit("the parent process is gone")
    _try_prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    _try_prctl(kernel.PR_SET_DUMPABLE, 0)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    return walls


def lock(walls: Walls, *, threads: bool) -> Walls:
    """Forbid files, descriptors, processes and all system calls but those of computing.

    Args:
        walls: what `detach` built.
        threads: whether the runtime of the kind starts threads while it runs.
    """
    files = _succeeds(landlock.restrict)
    # Open pipes stay usable; no file, socket or pipe can be opened any more.
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
    if not threads:
        resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    filtered = seccomp.is_written_for(kernel.architecture()) and _succeeds(
        lambda: seccomp.install(threads=threads)
    )
    return replace(walls, files=files, calls=filtered)


def limit_time(time_limit_ms: int) -> None:
    """Bound processor time, which may not exceed the wall time of the run by much."""
    seconds = int(time.process_time()) + time_limit_ms // 1000 + 1 + CPU_GRACE_SECONDS
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))


def limit_memory(status_fd: int, growth_bytes: int) -> None:
    """Bound how much data memory may be added to what the process has now.

    Args:
        status_fd: what `open_status` opened.
        growth_bytes: the task's allowance.
    """
    ceiling = _status_bytes(status_fd, b"VmData:") + growth_bytes
    resource.setrlimit(resource.RLIMIT_DATA, (ceiling, ceiling))


def process_namespace() -> str:
    """Name the namespace in which this process has its number; empty where there is none."""
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return ""


def open_status() -> int:
    """Open this process's status while files can still be opened."""
    return os.open("/proc/self/status", os.O_RDONLY | os.O_CLOEXEC)


def peak_memory_bytes(status_fd: int) -> int:
    """Say the most resident memory this process ever had."""
    return _status_bytes(status_fd, b"VmHWM:")


def _leave_namespaces() -> bool:
    """Leave the shared namespaces: as anyone with a user namespace, else with root's rights."""
    for flags in (NEW_USER | NEW_NETWORK_IPC_NAMES, NEW_NETWORK_IPC_NAMES):
        try:
            kernel.unshare(flags)
        except OSError:
            continue
        return True
    return False


def _try_prctl(option: int, value: int) -> None:
    """Change a property; where there is no such thing, the level says less."""
    try:
        kernel.prctl(option, value)
    except OSError as error:
        if error.errno not in (errno.ENOSYS, errno.EINVAL):
            raise


def _succeeds(action: Callable[[], object]) -> bool:
    try:
        action()
    except OSError:
        return False
    return True


def _status_bytes(status_fd: int, field: bytes) -> int:
    for line in os.pread(status_fd, 8192, 0).splitlines():
        if line.startswith(field):
            return int(line.split()[1]) * 1024
    return 0
