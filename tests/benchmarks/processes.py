"""What the kernel tells of a process: time on the processor, memory, libraries, children."""

import os
from collections.abc import Iterator
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
MIB = 2**20
_PARENT, _USER, _SYSTEM = 1, 11, 12
"""Positions behind the command's name in `/proc/PID/stat`."""


def cpu_seconds(pid: int) -> float:
    """Time that a process has spent on processors, in user code and in the kernel."""
    fields = _stat(pid)
    return (int(fields[_USER]) + int(fields[_SYSTEM])) / TICKS


def resident_mib(pid: int) -> float:
    """Memory of a process that is in use now."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / MIB


def peak_mib() -> float:
    """The most memory this program has held; `getrusage` would count what started it, too."""
    rows = Path("/proc/self/status").read_text().splitlines()
    return next(int(row.split()[1]) for row in rows if row.startswith("VmHWM:")) / 1024


def forget_peak() -> float:
    """Let `peak_mib` begin anew, and return the memory in use now in MiB."""
    Path("/proc/self/clear_refs").write_text("5")
    return resident_mib(os.getpid())


def maps(pid: int, library: str) -> bool:
    """Whether a process has a library of that name in its memory."""
    return library in Path(f"/proc/{pid}/maps").read_text()


def descendants(pid: int) -> Iterator[int]:
    """The processes that a process has started, directly or not."""
    for path in Path("/proc").glob("[0-9]*"):
        child = int(path.name)
        try:
            parent = int(_stat(child)[_PARENT])
        except (FileNotFoundError, ProcessLookupError):
            continue
        if parent == pid:
            yield child
            yield from descendants(child)


def _stat(pid: int) -> list[str]:
    # The name stands in parentheses and may contain anything, parentheses included.
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
