"""Workers that wait, loaded and locked, for the next task of their kind.

Starting a worker takes a few tenths of a second, most of it spent on loading libraries; a task that
finds one waiting does not wait for that. Each still serves one task. Waiting workers cost memory,
so they exist only where work came lately: a worker is warmed when a job is to be run, while its
content is fetched, and again after each run, and ends after a while without work.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import trio

from p2pnode.execution.process import WorkerProcess

IDLE_SECONDS = 120.0
"""How long a worker waits for a task before it is ended."""

TEND_SECONDS = 5.0
"""Between two looks at what waits."""

FREE_BYTES_MIN = 1024 * 2**20
"""No worker is warmed while the machine has less memory to give: one takes 30 to 100 MiB."""

Make = Callable[[str], WorkerProcess]
"""Starts a worker for a kind."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    worker: WorkerProcess
    since: float
    """In seconds of the event loop's clock."""


class Pool:
    """Waiting workers of one node, one for each kind and no more than a few in all.

    It warms nothing until it is tended, since somebody has to end what waits.
    """

    def __init__(self, make: Make, most: int) -> None:
        """Take note of how workers are started, and of how many may wait."""
        self._make: Final = make
        self._most: Final = most
        self._waiting: dict[str, _Waiting] = {}
        self._is_tended = False

    @property
    def waiting(self) -> tuple[str, ...]:
        """The kinds that a worker waits for."""
        return tuple(self._waiting)

    def warm(self, kind: str) -> None:
        """Start a worker for the next task of a kind, if none waits and the machine can bear it."""
        if not self._is_tended or kind in self._waiting:
            return
        if len(self._waiting) >= self._most or available_bytes() < FREE_BYTES_MIN:
            return
        try:
            worker = self._make(kind)
        except OSError:  # the task itself will meet the same and say so
            return
        self._waiting[kind] = _Waiting(worker, trio.current_time())

    async def take(self, kind: str) -> WorkerProcess:
        """Hand out a worker, which is then the caller's to kill.

        Raises:
            OSError: if none waits and none can be started.
        """
        waiting = self._waiting.pop(kind, None)
        if waiting is None:
            return self._make(kind)
        if waiting.worker.has_ended():
            await waiting.worker.kill()
            return self._make(kind)
        return waiting.worker

    async def tend(self) -> None:
        """End those that have waited too long, and all when cancelled; runs until then."""
        self._is_tended = True
        try:
            while True:
                await trio.sleep(TEND_SECONDS)
                await self._end_before(trio.current_time() - IDLE_SECONDS)
        finally:
            self._is_tended = False
            with trio.CancelScope(shield=True):
                await self._end_before(float("inf"))

    async def _end_before(self, moment: float) -> None:
        for kind, waiting in list(self._waiting.items()):
            if waiting.since < moment or waiting.worker.has_ended():
                del self._waiting[kind]
                await waiting.worker.kill()


def available_bytes() -> int:
    """Say how much memory the machine could still give; plenty where the system does not tell."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return FREE_BYTES_MIN
    found = [line.split()[1] for line in lines if line.startswith("MemAvailable:")]
    return int(found[0]) * 1024 if found else FREE_BYTES_MIN
