"""Starts, recognises, signals and ends processes by number and start time.

A number alone may belong to somebody else by now; together with the start time it is unique, and a
descriptor of the process closes the gap between looking and signalling.
"""

import ctypes
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_POLL_SECONDS = 0.05
_STATE_FIELD, _START_FIELD = 0, 19
"""Positions behind the command's name in `/proc/PID/stat`."""


class Life(Enum):
    """What a process does."""

    RUNNING = "running"
    PAUSED = "paused"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class ProcessId:
    """One process, for ever."""

    pid: int
    started: int
    """Ticks of the kernel's clock since the machine started."""

    def __str__(self) -> str:
        return f"{self.pid}:{self.started}"


def identify(pid: int) -> ProcessId | None:
    """Say which process has a number now; None when none has."""
    fields = _stat(pid)
    return ProcessId(pid, int(fields[_START_FIELD])) if fields else None


def parse_process(text: str) -> ProcessId:
    """Read what `str` made of a process.

    Raises:
        ValueError: It is something else.
    """
    pid, _, started = text.partition(":")
    return ProcessId(int(pid), int(started))


def life_of(process: ProcessId | None) -> Life:
    """Say whether a process runs, is stopped by a signal, or is gone."""
    fields = _stat(process.pid) if process else None
    if process is None or not fields or int(fields[_START_FIELD]) != process.started:
        return Life.GONE
    state = fields[_STATE_FIELD]
    if state in "ZX":
        return Life.GONE
    return Life.PAUSED if state in "Tt" else Life.RUNNING


def spawn(command: Sequence[str], log: Path, environment: Mapping[str, str]) -> ProcessId:
    """Start a program in a session of its own, which no terminal's interrupt key reaches.

    One that lives only with this process is ended with the very thread that starts it here.

    Raises:
        RuntimeError: It ended before it could be recognised.
    """
    with log.open("ab") as output:
        started = subprocess.Popen(  # noqa: S603  a fixed program of this package
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=dict(environment),
            start_new_session=True,
        )
    process = identify(started.pid)
    if process is None:
        raise RuntimeError(f"{command[0]} did not start: see {log}")
    _reap_later(started)
    return process


def send_signal(process: ProcessId | None, number: signal.Signals) -> bool:
    """Signal exactly this process; False when it is gone."""
    if process is None:
        return False
    try:
        descriptor = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return False
    try:
        if life_of(process) is Life.GONE:
            return False
        signal.pidfd_send_signal(descriptor, number)
        return True
    except ProcessLookupError:
        return False
    finally:
        os.close(descriptor)


def stop(processes: Iterable[ProcessId | None], grace_seconds: float) -> int:
    """End processes: politely, then by force after the grace; returns how many needed force."""
    chosen = [one for one in processes if life_of(one) is not Life.GONE]
    for process in chosen:
        send_signal(process, signal.SIGTERM)
        send_signal(process, signal.SIGCONT)
    stubborn = _wait_gone(chosen, grace_seconds)
    for process in stubborn:
        send_signal(process, signal.SIGKILL)
    _wait_gone(stubborn, grace_seconds)
    return len(stubborn)


def live_only_with(owner: ProcessId) -> None:
    """End this process when its owner ends, however that ends.

    The kernel kills it at once if the owner is its parent, even while it is paused; otherwise a
    thread waits for the owner's end.
    """
    if os.getppid() == owner.pid:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    try:
        descriptor = os.pidfd_open(owner.pid)
    except ProcessLookupError:
        descriptor = -1
    if descriptor < 0 or life_of(owner) is Life.GONE:
        sys.exit("the owner of this process is gone")
    threading.Thread(target=_end_after, args=(descriptor,), daemon=True).start()


def _end_after(descriptor: int) -> None:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    poll.poll()
    os.kill(os.getpid(), signal.SIGKILL)


def _wait_gone(processes: list[ProcessId | None], seconds: float) -> list[ProcessId | None]:
    deadline = time.monotonic() + seconds
    left = processes
    while left and time.monotonic() < deadline:
        left = [one for one in left if life_of(one) is not Life.GONE]
        time.sleep(_POLL_SECONDS if left else 0)
    return left


def _reap_later(started: "subprocess.Popen[bytes]") -> None:
    """Take the exit status whenever it comes, so that no dead entry stays in the table."""
    threading.Thread(target=started.wait, daemon=True).start()


def _stat(pid: int) -> list[str]:
    with suppress(FileNotFoundError, ProcessLookupError):
        # The name stands in parentheses and may contain anything, parentheses included.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return []
