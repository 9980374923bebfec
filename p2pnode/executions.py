"""Runs what the core asks for: fetch the content, run it within its limits, keep the output.

What the operator allows is asked again here, as a job may have been drawn under an older list.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import structlog
import trio

from p2pnode.content import Content, ContentUnavailable
from p2pnode.interfaces import (
    Failed,
    Finished,
    Limit,
    LimitReached,
    NoResult,
    RunOutcome,
    Stretch,
    Task,
)
from p2pnode.storage import ArtifactStore, StorageError
from p2pnode.witness import Witness
from protocol import effects as fx
from protocol import events as ev
from protocol.encoding import content_digest
from protocol.job.record import ResultOutcome
from protocol.job.stepped import steps_of
from protocol.messages import Offer
from protocol.roles.worker import CONTENT_BYTES_MAX
from protocol.units import AccountId, Digest, JobId

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
Decide = Callable[[Offer, AccountId], str]
"""Says why an offer of a requester is not taken here; empty if it is."""
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

    Attributes:
        witness: Speaks for the runs in disputes.
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
        self.witness = Witness(run, self._prepare, store, tell)
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
        if not is_small or not has_room or self._refusal(effect):
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

    async def miss(self, job: JobId) -> None:
        """Tells the core that an accepted output could not be fetched."""
        await self._tell(ev.ExecutionImpossible(job, unavailable=True))

    def stop(self, job: JobId) -> None:
        """Kills a run whose result nobody wants any more."""
        scope = self._scopes.pop(job, None)
        if scope is not None:
            scope.cancel()

    async def _result(self, effect: fx.Execute) -> ev.Event:
        refusal = self._refusal(effect)
        if refusal:
            log.warning("job_refused", job=effect.job.hex(), detail=refusal)
            return ev.ExecutionImpossible(effect.job, unavailable=False)
        self._warm(effect.offer.kind)
        try:
            task = await self._prepare(effect)
        except (ContentUnavailable, trio.TooSlowError) as error:
            log.warning("job_content_unavailable", job=effect.job.hex(), detail=str(error))
            return ev.ExecutionImpossible(effect.job, unavailable=True)
        outcome = await self._run(task)
        log.info("job_run", job=effect.job.hex(), outcome=type(outcome).__name__)
        try:
            return await self._ended(effect, outcome)
        except StorageError as error:
            log.error("job_output_lost", job=effect.job.hex(), detail=str(error))
            return ev.ExecutionImpossible(effect.job, unavailable=False)

    def _refusal(self, effect: fx.Execute | fx.FetchContent) -> str:
        """Says why this node does not even begin; empty if it does."""
        if effect.offer.size_bytes > CONTENT_BYTES_MAX:
            return f"its content is above this node's limit of {CONTENT_BYTES_MAX} bytes"
        return self._decide(effect.offer, effect.requester)

    async def _prepare(self, effect: fx.Execute) -> Task:
        """Brings content here and makes a task of it.

        Raises:
            ContentUnavailable: it does not fit its offer.
            TooSlowError: nobody sent all of it in time.
        """
        offer = effect.offer
        arrives = self._expected.get(effect.job)
        with trio.fail_after(FETCH_SECONDS):
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
            stretch=await self._stretch(effect),
        )

    async def _stretch(self, effect: fx.Execute) -> Stretch | None:
        """Says which steps are to be run, and brings what they begin with."""
        steps, order = steps_of(effect.offer.result_class), effect.step
        if steps is None:
            return None
        if order is None:
            return Stretch(0, steps)
        given = b""
        if order.given is not None:  # whoever has it runs the job up to there first
            with trio.fail_after(FETCH_SECONDS + effect.offer.limits.time_ms / 1000):
                limit_bytes = effect.offer.limits.output_bytes
                given = await self._fetch(order.given, order.holders, limit_bytes)
        return Stretch(order.index, order.index + 1, given)

    async def _bring(self, offer: Offer, requester: bytes) -> list[bytes]:
        """Brings the content here, all of it together within the size that the offer names."""
        pieces: list[bytes] = []
        remaining_bytes = offer.size_bytes
        for digest in (offer.artefact, *offer.inputs):
            piece = await self._fetch(digest, (requester,), remaining_bytes)
            remaining_bytes -= len(piece)
            if remaining_bytes < 0:
                raise ContentUnavailable("artefact and inputs are larger than their offer says")
            pieces.append(piece)
        return pieces

    async def _fetch(self, digest: bytes, holders: Sequence[bytes], limit_bytes: int) -> bytes:
        """Asks every holder again and again; whoever calls sets the end."""
        while True:
            try:
                return await self._content.fetch(digest, holders, limit_bytes)
            except ContentUnavailable as error:
                log.info("job_content_awaited", digest=digest.hex(), detail=str(error))
            await trio.sleep(RETRY_SECONDS)

    async def _ended(self, effect: fx.Execute, outcome: RunOutcome) -> ev.Event:
        job = effect.job
        match outcome:
            case Finished(output=output, elapsed_ms=elapsed, fuel=fuel):
                digest = Digest(await self._store.put(output))
                finished = ResultOutcome.FINISHED.value
                await self._store.keep_output(digest, job)
                trace = self.witness.remember(job, outcome.trace) if effect.step is None else b""
                return ev.ExecutionEnded(job, finished, digest, elapsed, fuel, trace)
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
