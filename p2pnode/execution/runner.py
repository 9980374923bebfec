"""Runs tasks in worker processes and holds them to their limits.

The runner trusts nothing a worker does: time, resident memory and the size of the answer are
measured from here, and a worker ends by SIGKILL whatever the outcome.
"""

import math
import signal
from dataclasses import dataclass, replace

import trio

from p2pnode.execution import frames
from p2pnode.execution.devices import Devices
from p2pnode.execution.pool import Pool
from p2pnode.execution.probe import SandboxReport
from p2pnode.execution.process import AnswerError, WorkerProcess
from p2pnode.interfaces import Failed, Limit, LimitReached, NoResult, RunOutcome, Task
from p2pnode.kinds import known

START_SECONDS = 60
"""For a worker to load its libraries: seconds on a cold disk, where it takes half a second."""

WATCH_SECONDS = 0.025
"""Between two looks at the resident memory: a worker writes about 100 MiB in that time."""

COMPLAINTS_SECONDS = 0.5
"""For the rest of a dead worker's standard error."""

ALLOCATION_PHRASES = ("bad_alloc", "memory allocation of", "MemoryError")
"""What the runtimes print when they abort for want of memory."""


@dataclass(slots=True)
class _Watch:
    """What the runner saw of a worker while it ran."""

    ready_bytes: int
    exceeded: Limit | None = None


class Runner:
    """Runs tasks on the devices of this node, a bounded number at a time."""

    def __init__(
        self, devices: Devices, most_parallel: int = 1, report: SandboxReport | None = None
    ) -> None:
        """Take charge of the devices; nothing is started yet.

        Args:
            devices: where tasks run.
            most_parallel: how many tasks run at the same time.
            report: what was found about the sandbox; a worker that reaches less gets no task.
        """
        self._devices = devices
        self._report = report or SandboxReport()
        self._slots = trio.CapacityLimiter(most_parallel)
        self._pool = Pool(self._make, most_parallel + 1)

    async def tend(self) -> None:
        """Keep workers waiting where work came lately, until cancelled; without it none waits."""
        await self._pool.tend()

    def warm(self, kind: str) -> None:
        """Take note that a task of this kind will come soon."""
        if kind in known():
            self._pool.warm(kind)

    async def run(self, task: Task) -> RunOutcome:
        """Run a task to its outcome; when cancelled, nothing of it survives."""
        if task.kind not in known():
            return NoResult(f"there is no worker for artefacts of kind {task.kind!r}", 0)
        async with self._slots:
            try:
                worker = await self._pool.take(task.kind)
            except OSError as error:
                return NoResult(f"the worker process could not be started: {error}", 0)
            outcome = await _run_and_kill(worker, task, self._report.level_on(worker.device))
            self._pool.warm(task.kind)
            return outcome

    def _make(self, kind: str) -> WorkerProcess:
        device = self._devices.identifier_for(kind)
        # A GPU's driver needs its device files, which are not there inside the wrapper.
        wrapper = self._report.wrapper if device == "cpu" else ()
        return WorkerProcess(kind, device, wrapper)


async def _run_and_kill(worker: WorkerProcess, task: Task, level: int) -> RunOutcome:
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(worker.collect_complaints)
            outcome = await _start_and_supervise(worker, task, level)
            nursery.cancel_scope.cancel()
    finally:
        await worker.kill()
    return outcome


async def _start_and_supervise(worker: WorkerProcess, task: Task, level: int) -> RunOutcome:
    is_ready = False
    with trio.move_on_after(START_SECONDS):
        is_ready = await worker.wait_ready()
    if not is_ready:
        detail = await _last_words(worker)
        return NoResult(f"the worker could not load its libraries: {detail}", 0)
    if worker.level < level:
        return NoResult(
            f"the worker reached sandbox level {worker.level}, and {level} at the node's start", 0
        )
    started = trio.current_time()
    outcome = await _supervise(worker, task)
    return replace(outcome, elapsed_ms=math.ceil(1000 * (trio.current_time() - started)))


async def _supervise(worker: WorkerProcess, task: Task) -> RunOutcome:
    """Wait for the answer while time and memory last."""
    watch = _Watch(worker.resident_bytes())
    body: bytes | None = None
    frame = frames.encode_task(task)
    with trio.move_on_after(task.time_limit_ms / 1000) as timer:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_watch_memory, worker, task, watch, nursery.cancel_scope)
            await worker.send(frame)
            body = await _receive(worker, frames.answer_bytes_max(task), watch)
            nursery.cancel_scope.cancel()
    if watch.exceeded is not None:
        return LimitReached(watch.exceeded, 0, 0)
    if timer.cancelled_caught:
        return LimitReached(Limit.TIME, 0, 0)
    if body is None:
        return await _explain_death(worker)
    try:
        return frames.decode_outcome(body, 0, frames.fuel_max_of(task), frames.trace_bytes_of(task))
    except frames.FrameError as error:
        return Failed(str(error), 0)


async def _watch_memory(
    worker: WorkerProcess, task: Task, watch: _Watch, scope: trio.CancelScope
) -> None:
    ceiling = watch.ready_bytes + frames.allowance_bytes(task)
    while True:
        if worker.resident_bytes() > ceiling:
            watch.exceeded = Limit.MEMORY
            scope.cancel()
        await trio.sleep(WATCH_SECONDS)


async def _receive(worker: WorkerProcess, limit_bytes: int, watch: _Watch) -> bytes | None:
    try:
        return await worker.receive(limit_bytes)
    except AnswerError:
        watch.exceeded = Limit.OUTPUT
        return None


async def _explain_death(worker: WorkerProcess) -> RunOutcome:
    """Say what it means that a worker ended without an answer."""
    words = await _last_words(worker)
    code = worker.exit_code
    if any(phrase in worker.complaints for phrase in ALLOCATION_PHRASES):
        return LimitReached(Limit.MEMORY, 0, 0)
    if code == -signal.SIGXCPU:
        return LimitReached(Limit.TIME, 0, 0)
    if code == -signal.SIGSYS:
        # What an artefact that took over its worker tries next is no result of its computation.
        return NoResult("the sandbox ended the worker: it made a call that no runtime makes", 0)
    if code == -signal.SIGKILL:
        return NoResult("the system killed the worker, most likely for want of memory", 0)
    if code is not None and code < 0:
        return Failed(f"the worker crashed with {signal.Signals(-code).name}: {words}", 0)
    return Failed(f"the worker ended without an answer: {words}", 0)


async def _last_words(worker: WorkerProcess) -> str:
    """Wait a moment for a worker to end and give the end of what it complained about."""
    with trio.move_on_after(COMPLAINTS_SECONDS):
        await worker.wait_gone()
        # The nursery above reads standard error to its end; give it its turns.
        await trio.sleep(0.02)
    lines = [line.strip() for line in worker.complaints.splitlines() if line.strip()]
    return " / ".join(lines[-2:])[-frames.DETAIL_CHARACTERS_MAX :] or "it said nothing"
