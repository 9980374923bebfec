"""What a node says of its own runs in a dispute: their traces, and what a step of them began with.

Only the digests of what each step left are remembered, and those of the last few runs. Everything
else is had again by running the job as far as it is needed: such a run is the same to the bit.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final

import structlog
import trio

from p2pnode.content import ContentUnavailable
from p2pnode.interfaces import Finished, RunOutcome, Stretch, Task
from p2pnode.storage import ArtifactStore, StorageError
from protocol import effects as fx
from protocol import events as ev
from protocol.job.stepped import steps_of
from protocol.step_messages import StepPair
from protocol.tree.trace import Trace
from protocol.units import DIGEST_BYTES, Digest, JobId

TRACES_MAX: Final = 8
"""Runs whose traces are remembered, of up to 4 MiB each."""
Effect = fx.OpenTrace | fx.KeepStep

log = structlog.get_logger(__name__)


class Witness:
    """Answers for one node.

    Args:
        run: Runs a task in a worker process.
        prepare: Brings the content of a job here and makes a task of the whole of it.
        store: Where a jury fetches what a step began with.
        tell: Puts an event into the core's inbox.
    """

    def __init__(
        self,
        run: Callable[[Task], Awaitable[RunOutcome]],
        prepare: Callable[[fx.Execute], Awaitable[Task]],
        store: ArtifactStore,
        tell: Callable[[ev.Event], Awaitable[None]],
    ) -> None:
        self._run = run
        self._prepare = prepare
        self._store = store
        self._tell = tell
        self._traces: dict[JobId, Trace] = {}

    def remember(self, job: JobId, trace: bytes) -> bytes:
        """Takes in what each step of a run left; returns the root, or nothing for no steps."""
        if not trace:
            return b""
        starts = range(0, len(trace), DIGEST_BYTES)
        made = Trace([Digest(trace[at : at + DIGEST_BYTES]) for at in starts])
        self._traces.pop(job, None)
        self._traces[job] = made
        while len(self._traces) > TRACES_MAX:
            del self._traces[next(iter(self._traces))]
        return made.root

    async def open_trace(self, effect: fx.OpenTrace) -> None:
        """Opens the trace of an own run by one level; a forgotten run is repeated."""
        if effect.job not in self._traces:
            steps = steps_of(effect.offer.result_class) or 0
            outcome = await self._repeat(effect, steps)
            if outcome is not None:
                self.remember(effect.job, outcome.trace)
        trace = self._traces.get(effect.job)
        if trace is not None:
            await self._tell(ev.TraceOpened(_pair(effect, trace)))

    async def keep_step(self, effect: fx.KeepStep) -> None:
        """Runs an own job up to a step, and keeps what that step begins with for the jury."""
        outcome = await self._repeat(effect, effect.index)
        if outcome is None:
            return
        try:
            await self._store.put(outcome.output)
        except StorageError as error:
            log.error("disputed_step_lost", job=effect.job.hex(), detail=str(error))

    async def _repeat(self, effect: Effect, last: int) -> Finished | None:
        try:
            task = await self._prepare(fx.Execute(effect.job, effect.offer, effect.requester))
        except (ContentUnavailable, trio.TooSlowError) as error:
            log.error("job_not_repeated", job=effect.job.hex(), detail=str(error))
            return None
        outcome = await self._run(replace(task, stretch=Stretch(0, last)))
        log.info("job_repeated", job=effect.job.hex(), outcome=type(outcome).__name__, steps=last)
        return outcome if isinstance(outcome, Finished) else None


def _pair(effect: fx.OpenTrace, trace: Trace) -> StepPair:
    asked = effect.question
    left, right = trace.halves(asked.begin, asked.height)
    before = trace.ending(asked.begin, asked.before_height) if asked.before_height else ()
    return StepPair(effect.job, asked.dispute, asked.level, left, right, before)
