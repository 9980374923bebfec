"""Plays one bomb, first without walls and then with them, and prints what it saw of each.

Run as `python -m tests.hostile.stage NUMBER`, first in a process namespace of its own: see
`corpus`.
"""

import json
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import trio

from p2pnode import kinds
from p2pnode.execution import frames, process
from p2pnode.execution.probe import SandboxReport, probe
from p2pnode.execution.runner import Runner
from p2pnode.interfaces import Finished, LimitReached, RunOutcome, Task
from tests.hostile import worker
from tests.hostile.bombs import Seen, bombs
from tests.p2pnode.execution import builders

LOOK_SECONDS = 0.01
GONE_SECONDS = 0.3
"""After a run, for the kernel to bury what was killed, at most."""


@dataclass(slots=True)
class Watch:
    """The most that was seen while a bomb ran."""

    processes: int = 0
    memory_mib: int = 0
    before: frozenset[int] = field(default_factory=frozenset)


async def play(number: int, *, wrapped: bool, has_bitten: bool) -> list[Seen]:
    """Play a bomb without walls, clear away what it left, and play it with them."""
    bomb = bombs()[number]
    report = await probe() if wrapped else SandboxReport()
    seen = []
    if not has_bitten:
        seen.append(await _run(bomb.bare, SandboxReport()))
        _clear()
        await _wait_until_gone(frozenset({os.getpid()}))
    return [*seen, await _run(bomb.task, report)]


async def _run(task: Task, report: SandboxReport) -> Seen:
    with tempfile.TemporaryDirectory() as text, socket.create_server(("127.0.0.1", 0)) as server:
        folder = _furnished(text)
        told = {"folder": text, "port": server.getsockname()[1]}
        if task.kind.startswith("native"):
            task = replace(task, inputs=(json.dumps(told).encode(),))
        watch, runner = Watch(before=frozenset(_processes())), builders.runner(report=report)
        with _levels(runner) as levels:
            outcome = await _watched(runner, task, watch)
        left = await _wait_until_gone(watch.before)
        return Seen(
            outcome=_name(outcome),
            answer=_answer(outcome),
            elapsed_ms=outcome.elapsed_ms,
            level=levels[-1] if levels else 0,
            survivors=len(left),
            most_processes=watch.processes,
            most_memory_mib=watch.memory_mib,
            disk_mib=_disk_mib(folder),
            connections=_connections(server),
        )


def _furnished(text: str) -> Path:
    folder = Path(text)
    folder.chmod(0o755)
    (folder / "secret").write_text("secret")
    return folder


def _disk_mib(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("bomb")) >> 20


async def _wait_until_gone(before: frozenset[int]) -> set[int]:
    """Give the processes that are left some time to go, and name those that do not."""
    with trio.move_on_after(GONE_SECONDS):
        while set(_processes()) - before:  # noqa: ASYNC110 - the kernel sets no event
            await trio.sleep(LOOK_SECONDS)
    return set(_processes()) - before


async def _watched(runner: Runner, task: Task, watch: Watch) -> RunOutcome:
    async def look() -> None:
        while True:
            new = set(_processes()) - watch.before
            watch.processes = max(watch.processes, len(new))
            most = max((_resident_mib(pid) for pid in new), default=0)
            watch.memory_mib = max(watch.memory_mib, most)
            await trio.sleep(LOOK_SECONDS)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(look)
        outcome = await runner.run(task)
        nursery.cancel_scope.cancel()
    return outcome


@contextmanager
def _levels(runner: Runner) -> Iterator[list[int]]:
    """Note the level that each worker reaches."""
    found: list[int] = []
    plain = process.WorkerProcess.wait_ready

    async def noted(self: process.WorkerProcess) -> bool:
        is_ready = await plain(self)
        found.append(self.level)
        return is_ready

    process.WorkerProcess.wait_ready = noted  # type: ignore[method-assign]
    try:
        yield found
    finally:
        process.WorkerProcess.wait_ready = plain  # type: ignore[method-assign]


def _processes() -> Iterator[int]:
    for entry in Path("/proc").glob("[0-9]*"):
        if not builders.is_dead(int(entry.name)):
            yield int(entry.name)


def _resident_mib(pid: int) -> int:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE") >> 20


def _clear() -> None:
    """End everything else in this namespace, which is the stage's own."""
    assert os.getpid() == 1, "only in a namespace of its own"
    for pid in _processes():
        if pid != 1:
            os.kill(pid, signal.SIGKILL)


def _connections(server: socket.socket) -> int:
    server.setblocking(False)
    try:
        server.accept()[0].close()
    except OSError:
        return 0
    return 1


def _name(outcome: RunOutcome) -> str:
    limit = f" {outcome.limit.value}" if isinstance(outcome, LimitReached) else ""
    return type(outcome).__name__ + limit


def _answer(outcome: RunOutcome) -> object:
    if isinstance(outcome, Finished):
        try:
            return json.loads(outcome.output[:500])
        except ValueError:
            return f"{len(outcome.output)} bytes"
    return getattr(outcome, "detail", None)


def main() -> None:
    """Play the bomb of a number and print what was seen."""
    kinds.OWN.update(worker.TEST_KINDS)
    frames.fuel_max_of = lambda task: task.fuel_limit  # the bare kind of modules burns some, too
    process.WORKER_MODULE = "tests.hostile.worker"
    tempfile.tempdir = "/dev/shm"  # noqa: S108 - the bombs' disk is a file system in memory
    number, words = int(sys.argv[1]), sys.argv[2:]
    seen = trio.run(lambda: play(number, wrapped="wrapped" in words, has_bitten="bitten" in words))
    print(json.dumps([asdict(one) for one in seen]))


if __name__ == "__main__":
    main()
