"""Runs what the core asks for: fetch the content, run it within its limits, keep the output.

What the operator allows is asked again here, as a job may have been drawn under an older list.
"""

from collections.abc import Awaitable, Callable
from typing import Final

import structlog
import trio

from p2pnode.content import Content, ContentUnavailable
from p2pnode.interfaces import Failed, Finished, Limit, LimitReached, NoResult, RunOutcome, Task
from p2pnode.storage import ArtifactStore, StorageError
from protocol import effects as fx
from protocol import events as ev
from protocol.encoding import content_digest
from protocol.job.record import ResultOutcome
from protocol.messages import Offer
from protocol.roles.worker import CONTENT_BYTES_MAX
from protocol.units import Digest, JobId

FETCH_SECONDS: Final = 120.0
"""An executor that cannot get the content in this time says so instead of missing its deadline."""
EXPECTED_BYTES_MAX: Final = 16 * 1024 * 1024
"""Larger content is not fetched before the node is drawn: most bidders fetch in vain."""
EXPECTED_MAX: Final = 8
"""Jobs whose content is fetched at the same time for a bid."""
RETRY_SECONDS: Final = 3.0
"""Between two rounds over the holders: a busy one drops surplus links and takes them later."""

_LIMITS: Final = {
    Limit.TIME: ResultOutcome.TIME_LIMIT,
    Limit.MEMORY: ResultOutcome.MEMORY_LIMIT,
    Limit.FUEL: ResultOutcome.FUEL_LIMIT,
    Limit.OUTPUT: ResultOutcome.OUTPUT_LIMIT,
}
NO_OUTPUT: Final = content_digest(b"")

Run = Callable[[Task], Awaitable[RunOutcome]]
Decide = Callable[[bytes, str], str | None]
"""Says why an artefact of a digest and a kind may not run here, or None if it may."""
Warm = Callable[[str], None]
"""Takes note that a task of a kind will be run soon."""

log = structlog.get_logger(__name__)


class Executions:
    """The runs of one node.

    Args:
        run: Runs a task in a worker process.
        content: Where artefacts and inputs come from.
        store: Where outputs are kept until their requesters have fetched them.
        tell: Puts an event into the core's inbox.
        decide: What the operator lets run.
        warm: Told the kind of a job before its content is fetched.
    """

    def __init__(
        self,
        run: Run,
        content: Content,
        store: ArtifactStore,
        tell: Callable[[ev.Event], Awaitable[None]],
        decide: Decide,
        warm: Warm,
    ) -> None:
        self._run = run
        self._content = content
        self._store = store
        self._tell = tell
        self._decide = decide
        self._warm = warm
        self._scopes: dict[JobId, trio.CancelScope] = {}
        self._expected: dict[JobId, trio.Event] = {}

    @property
    def running(self) -> tuple[JobId, ...]:
        """The jobs being fetched or run now."""
        return tuple(self._scopes)

    async def expect(self, effect: fx.FetchContent) -> None:
        """Fetches small content for a bid, so that a requester who then dies loses no job.

        Whatever fails here is tried again when the node is drawn.
        """
        is_small = effect.offer.size_bytes <= EXPECTED_BYTES_MAX
        has_room = len(self._expected) < EXPECTED_MAX and effect.job not in self._expected
        if not is_small or not has_room or self._refusal(effect.offer) is not None:
            return
        self._expected[effect.job] = arrived = trio.Event()
        try:
            with trio.move_on_after(FETCH_SECONDS):
                await self._bring(effect.offer, effect.requester)
        except ContentUnavailable as error:
            log.info("job_content_unavailable", job=effect.job.hex(), detail=str(error))
        finally:
            del self._expected[effect.job]
            arrived.set()

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
        refusal = self._refusal(effect.offer)
        if refusal is not None:
            log.warning("job_refused", job=effect.job.hex(), detail=refusal)
            return ev.ExecutionImpossible(effect.job, unavailable=False)
        self._warm(effect.offer.kind)
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

    def _refusal(self, offer: Offer) -> str | None:
        """Says why this node does not even begin, or None if it does."""
        if offer.size_bytes > CONTENT_BYTES_MAX:
            return f"its content is above this node's limit of {CONTENT_BYTES_MAX} bytes"
        return self._decide(offer.artefact, offer.kind)

    async def _prepare(self, effect: fx.Execute) -> Task:
        offer = effect.offer
        arrives = self._expected.get(effect.job)
        if arrives is not None:
            await arrives.wait()
        artefact, *inputs = await self._bring(offer, effect.requester)
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

    async def _bring(self, offer: Offer, requester: bytes) -> list[bytes]:
        """Brings the content here, all of it together within the size that the offer names."""
        pieces: list[bytes] = []
        remaining_bytes = offer.size_bytes
        for digest in (offer.artefact, *offer.inputs):
            piece = await self._fetch(digest, requester, remaining_bytes)
            remaining_bytes -= len(piece)
            if remaining_bytes < 0:
                raise ContentUnavailable("artefact and inputs are larger than their offer says")
            pieces.append(piece)
        return pieces

    async def _fetch(self, digest: bytes, requester: bytes, limit_bytes: int) -> bytes:
        """Asks every holder again and again; whoever calls sets the end."""
        while True:
            try:
                return await self._content.fetch(digest, (requester,), limit_bytes)
            except ContentUnavailable as error:
                log.info("job_content_awaited", digest=digest.hex(), detail=str(error))
            await trio.sleep(RETRY_SECONDS)

    async def _ended(self, job: JobId, outcome: RunOutcome) -> ev.Event:
        match outcome:
            case Finished(output=output, elapsed_ms=elapsed, fuel=fuel):
                digest = Digest(await self._store.put(output))
                await self._store.keep_output(digest, job)
                return ev.ExecutionEnded(job, ResultOutcome.FINISHED.value, digest, elapsed, fuel)
            case LimitReached(limit=limit, elapsed_ms=elapsed, fuel=fuel):
                reached = _LIMITS[limit].value
                return ev.ExecutionEnded(job, reached, NO_OUTPUT, elapsed, fuel)
            case NoResult(detail=detail):
                log.warning("job_not_run", job=job.hex(), detail=detail)
                return ev.ExecutionImpossible(job, unavailable=False)
            case Failed(detail=detail, elapsed_ms=elapsed):
                log.warning("job_failed", job=job.hex(), detail=detail)
                failed = ResultOutcome.FAILED.value
                return ev.ExecutionEnded(job, failed, NO_OUTPUT, elapsed, 0)
