"""The worker process: loads one runtime, runs one task, answers and ends.

Started by the runner as `python -m p2pnode.execution.worker KIND DEVICE RESULT_FD PARENT_PID
PARENT_NAMESPACE`. The task comes over standard input, the outcome goes to RESULT_FD. It locks
itself up before the task comes, and nothing is ever run twice in the same process: after one failed
allocation, or one hostile artefact, it is not to be trusted.
"""

import importlib
import os
import sys
from dataclasses import replace
from typing import Protocol, cast

from p2pnode.execution import frames, sandbox
from p2pnode.interfaces import Failed, Finished, Limit, LimitReached, RunOutcome, Task
from p2pnode.kinds import place_of


class Kind(Protocol):
    """What the module of a kind offers.

    A runtime that starts threads while it runs says so with `NEEDS_THREADS = True`, and one that
    can run a stretch of steps with `HAS_STEPS = True`.
    """

    def load(self) -> None:
        """Exercise the runtime once, so that nothing is left to load afterwards."""

    def run(self, task: Task, device: str) -> RunOutcome:
        """Run a task; times and peak memory are filled in by others."""


def main(arguments: list[str]) -> None:
    """Serve one task and leave."""
    kind_name, device, result_text, parent_text, namespace = arguments
    result_fd = int(result_text)
    walls = sandbox.detach(int(parent_text), namespace)
    kind = cast("Kind", importlib.import_module(place_of(kind_name)))
    kind.load()
    status_fd = sandbox.open_status()
    # A GPU's driver opens files and starts threads with every task.
    is_processor = device == "cpu"
    if is_processor:
        walls = sandbox.lock(walls, threads=getattr(kind, "NEEDS_THREADS", False))
    os.write(result_fd, frames.ready(walls.level))
    body = _read_frame()
    if body is None:
        return
    task = frames.decode_task(body)
    sandbox.limit_time(task.time_limit_ms)
    if is_processor:  # drivers reserve far more than they use: the runner watches what they use
        sandbox.limit_memory(status_fd, frames.allowance_bytes(task))
    outcome = _run(kind, task, device)
    if isinstance(outcome, Finished):
        outcome = replace(outcome, peak_memory_bytes=sandbox.peak_memory_bytes(status_fd))
    _write_all(result_fd, frames.encode_outcome(outcome))


def _read_frame() -> bytes | None:
    header = _read_exactly(frames.HEADER.size)
    if header is None:
        return None
    (length,) = frames.HEADER.unpack(header)
    body = _read_exactly(length)
    os.close(0)
    return body


def _read_exactly(length: int) -> bytes | None:
    """Read without the standard library's files, which ask the kernel for more than to read."""
    received = bytearray(length)
    rest = memoryview(received)
    while rest:
        count = os.readv(0, [rest])
        if not count:
            return None
        rest = rest[count:]
    return bytes(received)


def _run(kind: Kind, task: Task, device: str) -> RunOutcome:
    if task.stretch is not None and not getattr(kind, "HAS_STEPS", False):
        return Failed(f"tasks of the kind {task.kind!r} are not made of steps", 0)
    try:
        outcome = kind.run(task, device)
    except MemoryError:
        return LimitReached(Limit.MEMORY, 0, 0)
    if isinstance(outcome, Finished) and len(outcome.output) > task.output_limit_bytes:
        return LimitReached(Limit.OUTPUT, 0, outcome.fuel)
    return outcome


def _write_all(fd: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]


if __name__ == "__main__":
    main(sys.argv[1:])
    # Runtimes have threads and destructors of their own; none of them matters any more.
    os._exit(0)
