"""Runs what the core asks for: fetch the content, run it within its limits, keep the output."""

from collections.abc import Awaitable, Callable
from typing import Final

import structlog
import trio

from p2pnode.content import Content, ContentUnavailable
from p2pnode.interfaces import Failed, Finished, Limit, LimitReached, RunOutcome, Task
from p2pnode.storage import ArtifactStore, StorageError, artifact_digest
from protocol import effects as fx
from protocol import events as ev
from protocol.job.record import ResultOutcome
from protocol.units import Digest, JobId

FETCH_SECONDS: Final = 120.0
"""An executor that cannot get the content in this time says so instead of missing its deadline."""

_LIMITS: Final = {
    Limit.TIME: ResultOutcome.TIME_LIMIT,
    Limit.MEMORY: ResultOutcome.MEMORY_LIMIT,
    Limit.FUEL: ResultOutcome.FUEL_LIMIT,
    Limit.OUTPUT: ResultOutcome.OUTPUT_LIMIT,
}
NO_OUTPUT: Final = Digest(artifact_digest(b""))

Run = Callable[[Task], Awaitable[RunOutcome]]

log = structlog.get_logger(__name__)


class Executions:
    """The runs of one node.

    Args:
        run: Runs a task in a worker process.
        content: Where artefacts and inputs come from.
        store: Where outputs are kept until their requesters have fetched them.
        tell: Puts an event into the core's inbox.
    """

    def __init__(
        self,
        run: Run,
        content: Content,
        store: ArtifactStore,
        tell: Callable[[ev.Event], Awaitable[None]],
    ) -> None:
        self._run = run
        self._content = content
        self._store = store
        self._tell = tell
        self._scopes: dict[JobId, trio.CancelScope] = {}

    @property
    def running(self) -> tuple[JobId, ...]:
        """The jobs being fetched or run now."""
        return tuple(self._scopes)

    async def execute(self, effect: fx.Execute) -> None:
        """Does one job to its end and tells the core; a run that is stopped tells nothing."""
        if effect.job in self._scopes:
            return
        with trio.CancelScope() as scope:
            self._scopes[effect.job] = scope
            try:
                await self._tell(await self._result(effect))
            finally:
                if self._scopes.get(effect.job) is scope:
                    del self._scopes[effect.job]

    def stop(self, job: JobId) -> None:
        """Kills a run whose result nobody wants any more."""
        scope = self._scopes.pop(job, None)
        if scope is not None:
            scope.cancel()

    async def _result(self, effect: fx.Execute) -> ev.Event:
        try:
            with trio.fail_after(FETCH_SECONDS):
                task = await self._prepare(effect)
        except (ContentUnavailable, trio.TooSlowError) as error:
            log.warning("job_content_unavailable", job=effect.job.hex(), detail=str(error))
            return ev.ExecutionImpossible(effect.job, unavailable=True)
        outcome = await self._run(task)
        log.info("job_run", job=effect.job.hex(), outcome=type(outcome).__name__)
        try:
            return await self._ended(effect.job, outcome)
        except StorageError as error:
            log.error("job_output_lost", job=effect.job.hex(), detail=str(error))
            return ev.ExecutionImpossible(effect.job, unavailable=False)

    async def _prepare(self, effect: fx.Execute) -> Task:
        offer = effect.offer
        holders = (effect.requester,)
        limit = offer.size_bytes
        artefact = await self._content.fetch(offer.artefact, holders, limit)
        inputs = [await self._content.fetch(one, holders, limit) for one in offer.inputs]
        return Task(
            name=effect.job.hex(),
            kind=offer.kind,
            artefact=artefact,
            inputs=tuple(inputs),
            time_limit_ms=offer.limits.time_ms,
            memory_limit_bytes=offer.limits.memory_bytes,
            output_limit_bytes=offer.limits.output_bytes,
            fuel_limit=offer.limits.fuel,
        )

    async def _ended(self, job: JobId, outcome: RunOutcome) -> ev.Event:
        match outcome:
            case Finished(output=output, elapsed_ms=elapsed, fuel=fuel):
                digest = Digest(await self._store.put(output))
                return ev.ExecutionEnded(job, ResultOutcome.FINISHED.value, digest, elapsed, fuel)
            case LimitReached(limit=limit, elapsed_ms=elapsed, fuel=fuel):
                reached = _LIMITS[limit].value
                return ev.ExecutionEnded(job, reached, NO_OUTPUT, elapsed, fuel)
            case Failed(detail=detail, elapsed_ms=elapsed):
                log.warning("job_failed", job=job.hex(), detail=detail)
                failed = ResultOutcome.FAILED.value
                return ev.ExecutionEnded(job, failed, NO_OUTPUT, elapsed, 0)
