"""Runs tasks in worker processes and holds them to their limits.

The runner trusts nothing a worker does: time, memory, energy and the size of the answer are
measured from here, and a worker ends by SIGKILL whatever the outcome. On a GPU a run begins when it
has the lease of one, and a GPU that fails meanwhile leaves no result.
"""

import math
import signal
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace

import trio

from p2pnode.execution import frames
from p2pnode.execution.device_watch import DeviceWatch
from p2pnode.execution.devices import CPU, Device
from p2pnode.execution.leases import LeaseError, Leases, LeaseTaken
from p2pnode.execution.metering import Meter
from p2pnode.execution.pool import Pool
from p2pnode.execution.probe import SandboxReport
from p2pnode.execution.process import AnswerError, WorkerProcess
from p2pnode.interfaces import Failed, Limit, LimitReached, Metered, NoResult, RunOutcome, Task
from p2pnode.kinds import known

START_SECONDS = 60
"""For a worker to load its libraries: seconds on a cold disk, where it takes half a second."""

WATCH_SECONDS = 0.025
"""Between two looks at the resident memory: a worker writes about 100 MiB in that time."""

LEASE_SECONDS = 60
"""For another job to give a GPU back; after that the job is declined and a spare takes it over."""

LEASE_POLL_SECONDS = 0.25
"""Between two attempts at a lease: the kernel's locks can only be tried."""

COMPLAINTS_SECONDS = 0.5
"""For the rest of a dead worker's standard error."""

ALLOCATION_PHRASES = ("bad_alloc", "memory allocation of", "MemoryError")
"""What the runtimes print when they abort for want of memory."""


@dataclass(slots=True)
class _Watch:
    """What the runner saw of a worker while it ran."""

    ready_bytes: int
    meter: Meter
    exceeded: Limit | None = None


class Runner:
    """Runs tasks on the devices of this node, a bounded number at a time.

    Args:
        watch: The devices, and which of them may be used now.
        most_parallel: How many tasks run at the same time.
        report: What was found about the sandbox; a worker that reaches less gets no task.
        leases: What keeps two jobs off one GPU.
        note: Told what each run used.
    """

    def __init__(
        self,
        watch: DeviceWatch,
        most_parallel: int = 1,
        report: SandboxReport | None = None,
        leases: Leases | None = None,
        note: Callable[[Metered], None] | None = None,
    ) -> None:
        self._watch = watch
        self._report = report or SandboxReport()
        self._leases = leases or Leases()
        self._note = note
        self._slots = trio.CapacityLimiter(most_parallel)
        self._pool = Pool(self._make, most_parallel + 1)

    async def tend(self) -> None:
        """Keep workers waiting where work came lately, until cancelled; without it none waits."""
        await self._pool.tend()

    def warm(self, kind: str) -> None:
        """Take note that a task of this kind will come soon.

        On a GPU no worker waits: which board it will see is known only with the lease.
        """
        if kind in known() and not self._watch.devices.gpus_for(kind):
            self._pool.warm(kind)

    async def run(self, task: Task) -> RunOutcome:
        """Run a task to its outcome; when cancelled, nothing of it survives."""
        if task.kind not in known():
            return NoResult(f"there is no worker for artefacts of kind {task.kind!r}", 0)
        async with self._slots:
            with ExitStack() as lease:
                try:
                    device = await self._leased(task.kind, lease)
                    worker = await self._worker(task.kind, device)
                except LeaseError as error:
                    return NoResult(str(error), 0)
                except OSError as error:
                    return NoResult(f"the worker process could not be started: {error}", 0)
                meter = Meter(device, self._watch.limits, self._watch.read)
                level = self._report.level_on(worker.device)
                outcome = await _run_and_kill(worker, task, level, meter)
            if self._note is not None:
                self._note(meter.metered(task.name, outcome.elapsed_ms))
            self.warm(task.kind)
            return outcome

    async def _leased(self, kind: str, lease: ExitStack) -> Device:
        """Choose where a task runs, and take the lease of it where that is a GPU.

        Raises:
            LeaseError: if no GPU may be used now, or none became free in time.
        """
        if not self._watch.devices.gpus_for(kind):
            return Device(CPU, "", "", 0)
        found: Device | str = ""
        with trio.move_on_after(LEASE_SECONDS):
            while True:
                found = self._free_gpu(kind, lease)
                if isinstance(found, Device):
                    return found
                await trio.sleep(LEASE_POLL_SECONDS)
        raise LeaseError(found)

    def _free_gpu(self, kind: str, lease: ExitStack) -> Device | str:
        """Take the lease of any GPU that may be used now, or say why there is none."""
        obstacle = self._watch.problem_for(kind)
        for gpu in self._watch.devices.gpus_for(kind):
            if self._watch.problem(gpu):
                continue
            try:
                lease.enter_context(self._leases.hold(gpu))
            except LeaseTaken as taken:
                obstacle = str(taken)
            else:
                return gpu
        return obstacle

    async def _worker(self, kind: str, device: Device) -> WorkerProcess:
        if device.is_gpu:
            return WorkerProcess(kind, device.identifier, board=device.uuid)
        return await self._pool.take(kind)

    def _make(self, kind: str) -> WorkerProcess:
        return WorkerProcess(kind, CPU, self._report.wrapper)


async def _run_and_kill(worker: WorkerProcess, task: Task, level: int, meter: Meter) -> RunOutcome:
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(worker.collect_complaints)
            outcome = await _start_and_supervise(worker, task, level, meter)
            nursery.cancel_scope.cancel()
    finally:
        await worker.kill()
    return outcome


async def _start_and_supervise(
    worker: WorkerProcess, task: Task, level: int, meter: Meter
) -> RunOutcome:
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
    if problem := await meter.begin(task):
        return NoResult(problem, 0)
    started = trio.current_time()
    outcome = await _supervise(worker, task, meter)
    elapsed_ms = math.ceil(1000 * (trio.current_time() - started))
    if problem := await meter.end(worker):
        # Whatever the worker says of a GPU that failed is no result of the job.
        outcome = NoResult(problem, 0)
    elif meter.is_gpu and isinstance(outcome, LimitReached) and outcome.limit is Limit.MEMORY:
        outcome = NoResult("the worker and its GPU's driver took too much of the memory", 0)
    return replace(outcome, elapsed_ms=min(elapsed_ms, task.time_limit_ms))


async def _supervise(worker: WorkerProcess, task: Task, meter: Meter) -> RunOutcome:
    """Wait for the answer while time and memory last."""
    watch = _Watch(worker.resident_bytes(), meter)
    body: bytes | None = None
    frame = frames.encode_task(task)
    with trio.move_on_after(task.time_limit_ms / 1000) as timer:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_watch_memory, worker, task, watch, nursery.cancel_scope)
            nursery.start_soon(meter.watch, worker, nursery.cancel_scope)
            await worker.send(frame)
            body = await _receive(worker, frames.answer_bytes_max(task), watch)
            nursery.cancel_scope.cancel()
    if watch.exceeded is not None:
        return LimitReached(watch.exceeded, 0, 0)
    if timer.cancelled_caught:
        return LimitReached(Limit.TIME, 0, 0)
    if body is None:
        return await _explain_death(worker, meter)
    try:
        return frames.decode_outcome(body, 0, frames.fuel_max_of(task), frames.trace_bytes_of(task))
    except frames.FrameError as error:
        return Failed(str(error), 0)


async def _watch_memory(
    worker: WorkerProcess, task: Task, watch: _Watch, scope: trio.CancelScope
) -> None:
    ceiling = watch.ready_bytes + frames.allowance_bytes(task)
    ceiling += frames.GPU_SLACK_BYTES if watch.meter.is_gpu else 0
    while True:
        resident_bytes = worker.resident_bytes()
        watch.meter.see_memory(resident_bytes)
        if resident_bytes > ceiling:
            watch.exceeded = Limit.MEMORY
            scope.cancel()
        await trio.sleep(WATCH_SECONDS)


async def _receive(worker: WorkerProcess, limit_bytes: int, watch: _Watch) -> bytes | None:
    try:
        return await worker.receive(limit_bytes)
    except AnswerError:
        watch.exceeded = Limit.OUTPUT
        return None


async def _explain_death(worker: WorkerProcess, meter: Meter) -> RunOutcome:
    """Say what it means that a worker ended without an answer."""
    words = await _last_words(worker)
    if meter.is_gpu:  # its driver may have ended it, and not the artefact
        return NoResult(f"the worker on the GPU ended without an answer: {words}", 0)
    return _death_on_processor(worker, words)


def _death_on_processor(worker: WorkerProcess, words: str) -> RunOutcome:
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
