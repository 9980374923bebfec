"""The worker process: loads one runtime, runs one task, answers and ends.

Started by the runner as `python -m p2pnode.execution.worker KIND DEVICE RESULT_FD PARENT_PID`. The
task comes over standard input, the outcome goes to RESULT_FD. Nothing is ever run twice in the same
process: after one failed allocation, or one hostile artefact, it is not to be trusted.
"""

import importlib
import os
import sys
from dataclasses import replace
from typing import Protocol, cast

from p2pnode.execution import frames, sandbox
from p2pnode.interfaces import Finished, Limit, LimitReached, RunOutcome, Task
from p2pnode.kinds import place_of


class Kind(Protocol):
    """What the module of a kind offers."""

    def load(self) -> None:
        """Exercise the runtime once, so that nothing is left to load afterwards."""

    def run(self, task: Task, device: str) -> RunOutcome:
        """Run a task; times and peak memory are filled in by others."""


def main(arguments: list[str]) -> None:
    """Serve one task and leave."""
    kind_name, device, result_text, parent_text = arguments
    result_fd = int(result_text)
    sandbox.detach(int(parent_text))
    kind = cast("Kind", importlib.import_module(place_of(kind_name)))
    kind.load()
    status_fd = sandbox.open_status()
    os.write(result_fd, frames.READY)
    body = _read_frame()
    if body is None:
        return
    outcome = _serve(kind, frames.decode_task(body), device, status_fd)
    if isinstance(outcome, Finished):
        outcome = replace(outcome, peak_memory_bytes=sandbox.peak_memory_bytes(status_fd))
    _write_all(result_fd, frames.encode_outcome(outcome))


def _read_frame() -> bytes | None:
    with os.fdopen(0, "rb") as source:
        header = source.read(frames.HEADER.size)
        if len(header) < frames.HEADER.size:
            return None
        (length,) = frames.HEADER.unpack(header)
        body = source.read(length)
    return body if len(body) == length else None


def _serve(kind: Kind, task: Task, device: str, status_fd: int) -> RunOutcome:
    needs_files = device != "cpu"
    if not needs_files:
        sandbox.forbid_files()
    growth_bytes = frames.allowance_bytes(task)
    sandbox.confine(status_fd, growth_bytes, task.time_limit_ms, device_files=needs_files)
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
