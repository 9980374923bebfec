"""What like jobs took, and what a worker is given after that."""

from dataclasses import replace

import pytest

from protocol.job.deadlines import (
    DEVIATIONS,
    LIKE_MAX,
    LIKE_MIN,
    RUNS,
    Spans,
    allowed_ms,
    lower_median,
)
from protocol.job.record import Job, Phase, Status
from protocol.messages import Limits, Offer
from protocol.parameters import minimal
from protocol.units import CommitIndex, JobId, Milliseconds
from tests.support.builders import HandLedger, account_id, make_offer, make_reveal

TERMS = minimal()
SECOND = 1_000
LIMITS = Limits(2 * SECOND, 2**28, 2**20, 10**12)


def ms(*values: int) -> tuple[Milliseconds, ...]:
    return tuple(map(Milliseconds, values))


def settled(ledger: HandLedger, offer: Offer | None = None) -> Job:
    return ledger.run(ledger.start(offer).identifier)


def test_a_few_like_jobs_say_nothing() -> None:
    offer = make_offer(limits=LIMITS)
    spans = ms(*[SECOND] * (LIKE_MIN - 1))
    assert allowed_ms(offer, spans) == offer.deadline_ms
    assert allowed_ms(offer, (*spans, spans[0])) < offer.deadline_ms


def test_median_and_deviations_decide_between_the_bounds_of_the_offer() -> None:
    offer = make_offer(limits=LIMITS)
    spans = ms(*(second * SECOND for second in (5, 6, 7, 8, 9, 10, 11, 12)))
    assert lower_median(spans) == 8 * SECOND
    assert allowed_ms(offer, spans) == (8 + 2 * DEVIATIONS) * SECOND
    assert allowed_ms(replace_offer(offer, deadline_ms=12 * SECOND), spans) == 12 * SECOND


def replace_offer(offer: Offer, **changes: int) -> Offer:
    return make_offer(limits=offer.limits, **changes)


@pytest.mark.parametrize(("size_bytes", "content_ms"), [(0, 0), (1, 1), (10_000_000, 10_000)])
def test_nobody_gets_less_than_the_offers_own_limits_let_a_run_take(
    size_bytes: int, content_ms: int
) -> None:
    offer = make_offer(limits=LIMITS, size_bytes=size_bytes)
    farmed = ms(*[1] * LIKE_MAX)
    assert allowed_ms(offer, farmed) == RUNS * LIMITS.time_ms + content_ms


def test_only_settled_jobs_of_the_kind_and_device_class_count() -> None:
    ledger = HandLedger()
    job = settled(ledger)
    spans = Spans()
    spans.note(None, replace(job, phase=Phase.INCONCLUSIVE))
    assert spans.of("onnx", "cpu") == ()
    spans.note(None, job)
    (span,) = spans.of("onnx", "cpu")
    right = [one for one in job.executors if one.status is Status.REVEALED]
    taken = [one.committed_ms - one.called_ms for one in right if one.committed_ms is not None]
    assert span == sorted(taken)[1] > 0
    assert spans.of("wasm", "cpu") == spans.of("onnx", "cuda") == ()
    spans.note(job, job)
    assert len(spans.of("onnx", "cpu")) == 1, "a late reveal says nothing new"
    spans.forget(job)
    assert spans.of("onnx", "cpu") == ()


def test_the_latest_are_looked_at_and_what_is_held_is_bounded_by_the_jobs_held() -> None:
    job = settled(HandLedger())
    spans = Spans()
    many = [
        replace(job, identifier=JobId(number.to_bytes(32, "big")), ended_ms=Milliseconds(number))
        for number in range(LIKE_MAX + 10)
    ]
    for one in reversed(many):
        spans.note(None, one)
    assert len(spans.of("onnx", "cpu")) == LIKE_MAX
    for one in many:
        spans.forget(one)
    assert spans.of("onnx", "cpu") == ()


def test_a_loaded_state_gives_the_same_deadlines() -> None:
    ledger = HandLedger(signed=True)
    for _ in range(LIKE_MIN):
        settled(ledger)
    before = ledger.state._register.spans.of("onnx", "cpu")
    ledger.reload()
    assert ledger.state._register.spans.of("onnx", "cpu") == before
    assert len(before) == LIKE_MIN


def test_a_silent_executor_is_replaced_within_one_adaptive_deadline() -> None:
    ledger = HandLedger()
    for _ in range(LIKE_MIN):
        settled(ledger)
    offer = make_offer(limits=LIMITS)
    job = ledger.start(offer).identifier
    silent, *others = ledger.running(job)
    spans = ledger.state._register.spans.of("onnx", "cpu")
    called = ledger.state.jobs[job].executors[0]
    due_ms = allowed_ms(offer, spans) + TERMS.commitment_grace_ms
    assert called.deadline_ms - called.called_ms == due_ms < offer.deadline_ms // 2
    for number in others:
        ledger.send_commitment(number, make_reveal(job))
    while ledger.state.jobs[job].executors[0].status is Status.RUNNING:
        ledger.commit()
    record = ledger.state.jobs[job]
    assert record.executors[0].status is Status.MISSED
    spare = record.executors[-1]
    assert spare.status is Status.RUNNING
    assert spare.called_ms - called.called_ms <= due_ms + ledger.step_ms
    account = ledger.state.accounts.of(account_id(silent))
    assert account.staked == ledger.genesis.validators[0].stake, "absence costs no stake"


def test_work_that_ends_without_a_result_ends_a_silence_too() -> None:
    ledger = HandLedger()
    job = ledger.start(make_offer(replicas=3, replicas_max=3)).identifier
    silent = ledger.running(job)[0]
    while ledger.state.jobs[job].executors[0].status is Status.RUNNING:
        ledger.commit()
    assert ledger.state.reputation_of(account_id(silent)).misses == 1
    rest_ms = ledger.state.reputation_of(account_id(silent)).resting_until_ms
    while ledger.state.ledger_time_ms <= rest_ms:
        ledger.commit(step_ms=10 * SECOND)
    bidders = (silent, *(number for number in range(1, 7) if number != silent))[:3]
    again = ledger.start(make_offer(replicas=3, replicas_max=3), bidders=bidders).identifier
    answers = {number: bytes([number]) for number in bidders}
    record = ledger.run(again, answers)
    assert record.phase is Phase.INCONCLUSIVE
    assert ledger.state.reputation_of(account_id(silent)).misses == 0


def test_ended_positions_are_told_apart_by_job() -> None:
    job = settled(HandLedger())
    other = replace(job, identifier=JobId(bytes(32)), opened_index=CommitIndex(0))
    spans = Spans()
    spans.note(None, job)
    spans.note(None, other)
    spans.forget(job)
    assert len(spans.of("onnx", "cpu")) == 1
