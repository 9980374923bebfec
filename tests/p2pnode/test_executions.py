"""Runs from the core's request to its answer, with whatever can go wrong on the way."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest
import trio
import trio.testing
from structlog.testing import capture_logs

from p2pnode.content import Content, ContentUnavailable
from p2pnode.executions import (
    EXPECTED_BYTES_MAX,
    FETCH_SECONDS,
    NO_OUTPUT,
    Decide,
    Executions,
    Run,
)
from p2pnode.interfaces import Failed, Finished, Limit, LimitReached, NoResult, RunOutcome, Task
from p2pnode.storage import ArtifactStore, StorageFailed, open_artifacts
from protocol import effects as fx
from protocol import events as ev
from protocol.encoding import content_digest
from protocol.job.record import ResultOutcome
from protocol.messages import Offer
from protocol.roles.worker import CONTENT_BYTES_MAX
from protocol.units import AccountId, Digest, JobId
from tests.support.builders import account_id, make_offer

JOB = JobId(Digest(b"j" * 32))
REQUESTER = account_id(0)
OUTPUT = b"the output"
FINISHED = Finished(OUTPUT, 12, 34, 56)


@dataclass
class FakeContent:
    """Gives every digest itself as content, unless told otherwise."""

    failure: Exception | None = None
    failures: int = 1_000_000
    """How many questions fail before the first is answered."""
    seconds: float = 0.0
    asked: list[tuple[bytes, Sequence[bytes], int]] = field(default_factory=list)

    async def fetch(self, digest: bytes, holders: Sequence[bytes], limit_bytes: int) -> bytes:
        self.asked.append((digest, holders, limit_bytes))
        await trio.sleep(self.seconds)
        if self.failure is not None and len(self.asked) <= self.failures:
            raise self.failure
        return digest


class FullStore:
    """A store whose disk is full."""

    async def put(self, content: bytes) -> bytes:
        raise StorageFailed("no space left on device")


class Bench:
    """Executions with a place for what they tell and what they ran."""

    def __init__(
        self, store: ArtifactStore, run: Run, content: FakeContent, decide: Decide | None = None
    ) -> None:
        self.told: list[ev.Event] = []
        self.content = content
        fetched = cast(Content, content)
        self.warmed: list[str] = []
        self.executions = Executions(
            run, fetched, store, self.tell, decide or anything, self.warmed.append
        )

    async def tell(self, event: ev.Event) -> None:
        self.told.append(event)


def anything(offer: Offer, requester: AccountId) -> str:
    return ""


def ending_with(outcome: RunOutcome, tasks: list[Task] | None = None) -> Run:
    async def run(task: Task) -> RunOutcome:
        if tasks is not None:
            tasks.append(task)
        return outcome

    return run


async def lasting(task: Task) -> RunOutcome:
    await trio.sleep(1_000)
    return FINISHED


async def bench(
    tmp_path: Path,
    run: Run | None = None,
    content: FakeContent | None = None,
    decide: Decide | None = None,
) -> Bench:
    store = await open_artifacts(tmp_path, 1_000, 1_000)
    return Bench(store, run or ending_with(FINISHED), content or FakeContent(), decide)


def order(offer: Offer | None = None) -> fx.Execute:
    return fx.Execute(JOB, offer or make_offer(), REQUESTER)


async def test_a_task_is_what_the_offer_says(tmp_path: Path) -> None:
    tasks: list[Task] = []
    offer = make_offer(inputs=(Digest(b"1" * 32), Digest(b"2" * 32)))
    made = await bench(tmp_path, ending_with(FINISHED, tasks))
    await made.executions.execute(order(offer))
    assert tasks == [
        Task(
            name=JOB.hex(),
            kind=offer.kind,
            artefact=offer.artefact,
            inputs=offer.inputs,
            time_limit_ms=offer.limits.time_ms,
            memory_limit_bytes=offer.limits.memory_bytes,
            output_limit_bytes=offer.limits.output_bytes,
            fuel_limit=offer.limits.fuel,
        )
    ]
    size = offer.size_bytes
    assert made.content.asked == [
        (offer.artefact, (REQUESTER,), size),
        (offer.inputs[0], (REQUESTER,), size - 32),
        (offer.inputs[1], (REQUESTER,), size - 64),
    ], "what the artefact takes is not left for the inputs"


async def test_content_larger_than_declared_is_not_run(tmp_path: Path) -> None:
    tasks: list[Task] = []
    made = await bench(tmp_path, ending_with(FINISHED, tasks))
    inputs = (Digest(b"1" * 32), Digest(b"2" * 32))
    await made.executions.execute(order(make_offer(size_bytes=95, inputs=inputs)))
    assert made.told == [ev.ExecutionImpossible(JOB, unavailable=True)]
    assert tasks == []
    made = await bench(tmp_path, ending_with(FINISHED, tasks))
    await made.executions.execute(order(make_offer(size_bytes=96, inputs=inputs)))
    assert len(tasks) == 1


async def test_content_above_the_limit_of_the_node_is_not_even_asked_for(tmp_path: Path) -> None:
    made = await bench(tmp_path)
    await made.executions.execute(order(make_offer(size_bytes=CONTENT_BYTES_MAX + 1)))
    assert made.told == [ev.ExecutionImpossible(JOB, unavailable=False)]
    assert made.content.asked == []


async def test_a_job_drawn_before_the_list_was_changed_is_not_run(tmp_path: Path) -> None:
    offer, tasks = make_offer(), list[Task]()
    asked: list[tuple[Offer, bytes]] = []

    def decide(offer: Offer, requester: AccountId) -> str:
        asked.append((offer, requester))
        return "the operator has changed its mind"

    run = ending_with(FINISHED, tasks)
    with capture_logs() as logs:
        made = await bench(tmp_path, run, decide=decide)
        await made.executions.execute(order(offer))
    assert made.told == [ev.ExecutionImpossible(JOB, unavailable=False)]
    assert (made.content.asked, tasks) == ([], [])
    assert [(one["event"], one["detail"]) for one in logs] == [
        ("job_refused", "the operator has changed its mind")
    ]
    assert asked == [(offer, REQUESTER)]
    made = await bench(tmp_path, run)
    await made.executions.execute(order(offer))
    assert len(tasks) == 1, "under the old list it would have run"


async def test_an_output_is_kept_before_the_core_hears_of_it(tmp_path: Path) -> None:
    made = await bench(tmp_path)
    await made.executions.execute(order())
    digest = content_digest(OUTPUT)
    assert made.told == [ev.ExecutionEnded(JOB, ResultOutcome.FINISHED.value, digest, 12, 34)]
    store = await open_artifacts(tmp_path, 1_000, 1_000)
    assert await store.get(digest) == OUTPUT
    assert list(store.outputs_of({JOB})) == [digest], "and it is known whose it is"
    assert not made.executions.running


@pytest.mark.parametrize("limit", Limit)
async def test_a_limit_is_an_outcome_of_its_own_without_output(
    limit: Limit, tmp_path: Path
) -> None:
    made = await bench(tmp_path, ending_with(LimitReached(limit, 5, 6)))
    await made.executions.execute(order())
    outcome = ResultOutcome[f"{limit.name}_LIMIT"].value
    assert made.told == [ev.ExecutionEnded(JOB, outcome, NO_OUTPUT, 5, 6)]


async def test_a_failed_run_is_an_outcome_without_output(tmp_path: Path) -> None:
    made = await bench(tmp_path, ending_with(Failed("it trapped", 5)))
    await made.executions.execute(order())
    assert made.told == [ev.ExecutionEnded(JOB, ResultOutcome.FAILED.value, NO_OUTPUT, 5, 0)]


async def test_an_accident_of_this_machine_is_told_and_never_vouched_for(tmp_path: Path) -> None:
    made = await bench(tmp_path, ending_with(NoResult("the worker was killed", 5)))
    await made.executions.execute(order())
    assert made.told == [ev.ExecutionImpossible(JOB, unavailable=False)]


async def test_missing_content_is_said_when_the_time_for_it_is_over(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    made = await bench(tmp_path, content=FakeContent(ContentUnavailable("nobody has it")))
    begun = trio.current_time()
    await made.executions.execute(order())
    assert made.told == [ev.ExecutionImpossible(JOB, unavailable=True)]
    assert trio.current_time() - begun == pytest.approx(FETCH_SECONDS)


async def test_a_holder_that_was_busy_is_asked_again(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    content = FakeContent(ContentUnavailable("the link was dropped"), failures=3)
    made = await bench(tmp_path, content=content)
    await made.executions.execute(order())
    assert len(content.asked) == 4
    assert isinstance(made.told[0], ev.ExecutionEnded)


async def test_slow_content_is_given_up_in_time(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    made = await bench(tmp_path, content=FakeContent(seconds=FETCH_SECONDS * 0.6))
    begun = trio.current_time()
    await made.executions.execute(order(make_offer(inputs=(Digest(b"1" * 32),))))
    assert made.told == [ev.ExecutionImpossible(JOB, unavailable=True)]
    assert trio.current_time() - begun == pytest.approx(FETCH_SECONDS)


@pytest.mark.parametrize("full", ["disk", "limit"])
async def test_an_output_that_cannot_be_kept_is_declined(full: str, tmp_path: Path) -> None:
    store = await open_artifacts(tmp_path, 1_000, len(OUTPUT) - 1)
    if full == "disk":
        store = cast(ArtifactStore, FullStore())
    made = Bench(store, ending_with(FINISHED), FakeContent())
    await made.executions.execute(order())
    assert made.told == [ev.ExecutionImpossible(JOB, unavailable=False)]


@pytest.mark.parametrize("content", [FakeContent(), FakeContent(seconds=100)])
async def test_a_stopped_run_tells_nothing(
    content: FakeContent,
    tmp_path: Path,
    nursery: trio.Nursery,
    autojump_clock: trio.testing.MockClock,
) -> None:
    made = await bench(tmp_path, lasting, content)
    nursery.start_soon(made.executions.execute, order())
    await trio.sleep(10)
    assert made.executions.running == (JOB,)
    made.executions.stop(JobId(Digest(b"another job".ljust(32))))
    made.executions.stop(JOB)
    made.executions.stop(JOB)
    await trio.sleep(2_000)
    assert made.told == []
    assert not made.executions.running


async def test_a_job_asked_for_twice_runs_once(
    tmp_path: Path, nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    made = await bench(tmp_path, lasting)
    nursery.start_soon(made.executions.execute, order())
    await trio.sleep(1)
    await made.executions.execute(order())
    await trio.sleep(1)
    assert len(made.content.asked) == 1


async def test_a_job_can_run_again_right_after_it_was_stopped(
    tmp_path: Path, nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    made = await bench(tmp_path, slow_to_end())
    nursery.start_soon(made.executions.execute, order())
    await trio.sleep(1)
    made.executions.stop(JOB)
    nursery.start_soon(made.executions.execute, order())
    await trio.sleep(10)
    assert made.executions.running == (JOB,), "the first run's end does not hide the second"
    await trio.sleep(2_000)
    assert len(made.told) == 1


def slow_to_end() -> Callable[[Task], Awaitable[RunOutcome]]:
    """A run that takes a second to end when it is cancelled, and never finishes with an output."""

    async def run(task: Task) -> RunOutcome:
        try:
            await trio.sleep(1_000)
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(1)
        return Failed("it trapped", 0)

    return run


async def test_a_node_that_stops_takes_its_runs_along(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    made = await bench(tmp_path, lasting)
    with trio.move_on_after(5):
        await made.executions.execute(order())
    assert made.told == []
    assert not made.executions.running


def bid_for(offer: Offer | None = None) -> fx.FetchContent:
    return fx.FetchContent(JOB, offer or make_offer(), REQUESTER)


async def test_small_content_is_fetched_for_a_bid_and_not_again_for_its_run(
    tmp_path: Path, nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    content, tasks = FakeContent(seconds=5), list[Task]()
    made = await bench(tmp_path, ending_with(FINISHED, tasks), content)
    nursery.start_soon(made.executions.expect, bid_for())
    await trio.sleep(1)
    nursery.start_soon(made.executions.execute, order())
    await trio.sleep(3)
    assert len(content.asked) == 1, "the run waits for what is on its way"
    await trio.sleep(60)
    assert len(tasks) == 1


async def test_large_or_refused_content_is_not_fetched_for_a_bid(tmp_path: Path) -> None:
    content = FakeContent()
    made = await bench(tmp_path, content=content)
    await made.executions.expect(bid_for(make_offer(size_bytes=EXPECTED_BYTES_MAX + 1)))
    refusing = await bench(tmp_path, content=content, decide=lambda offer, requester: "not allowed")
    await refusing.executions.expect(bid_for())
    assert content.asked == []
    await made.executions.expect(bid_for(make_offer(size_bytes=EXPECTED_BYTES_MAX)))
    assert content.asked


async def test_content_that_cannot_be_had_for_a_bid_is_no_failure(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    made = await bench(tmp_path, content=FakeContent(ContentUnavailable("nobody has it"), 0))
    made.content.failures = 1_000
    await made.executions.expect(bid_for())
    assert made.told == []
    assert len(made.content.asked) > 1
