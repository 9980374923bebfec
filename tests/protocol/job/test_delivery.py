"""Payouts that wait, and what a requester can do that cannot have its output."""

import pytest

from protocol.claims import Unavailable
from protocol.errors import Reason
from protocol.job.delivery import (
    ANSWER_WINDOWS,
    CHECKERS,
    checkers,
    is_asked,
    may_claim,
    waiting,
)
from protocol.job.record import Ending, Job, Phase
from protocol.parameters import minimal
from protocol.units import AccountId, JobId
from tests.support.builders import (
    HandLedger,
    account_id,
    ledger_of_outsiders,
    make_genesis,
    make_offer,
    make_reveal,
)

TERMS = minimal()
RETENTION_MS = 30_000
WINDOW_MS = ANSWER_WINDOWS * TERMS.reveal_window_ms
OFFER = make_offer(retention_ms=RETENTION_MS)


def settled(workers: int = 7) -> tuple[HandLedger, JobId]:
    """A settled job whose payouts wait, with workers who bid for another one and have no part."""
    ledger = HandLedger(make_genesis(workers))
    ledger.bid(ledger.open(0, make_offer(bid_window_rounds=100)), *range(1, workers))
    job = ledger.start(OFFER, bidders=(1, 2, 3)).identifier
    ledger.run(job)
    return ledger, job


def balances(ledger: HandLedger, *accounts: AccountId) -> list[int]:
    return [ledger.state.accounts.of(account).available for account in accounts]


def pass_time(ledger: HandLedger, span_ms: int) -> None:
    end_ms = ledger.state.ledger_time_ms + span_ms
    while ledger.state.ledger_time_ms < end_ms:
        ledger.commit()


def claimed(ledger: HandLedger, job: JobId) -> tuple[int, ...]:
    """Has the requester claim, and returns the checkers that a beacon then draws."""
    ledger.do(0, Unavailable(job))
    for _ in range(TERMS.seed_delay_rounds + TERMS.seed_leaders):
        if checkers(ledger.state.jobs[job]):
            break
        ledger.commit()
    return tuple(ledger.numbers[one] for one in checkers(ledger.state.jobs[job]))


def members(record: Job) -> tuple[AccountId, ...]:
    return record.groups[0].members


def test_payouts_wait_in_the_escrow_and_silence_of_the_requester_pays_them() -> None:
    ledger, job = settled()
    record = ledger.state.jobs[job]
    assert (record.phase, record.ending) == (Phase.SETTLED, Ending.ACCEPTED)
    held = sum(payout.amount for payout in record.payouts)
    assert waiting(record) == ledger.state.accounts.escrow_of(job) == held > 0
    before = balances(ledger, *members(record))
    assert record.concluded_ms is None
    pass_time(ledger, RETENTION_MS - ledger.step_ms)
    assert balances(ledger, *members(record)) == before, "not a moment sooner"
    ledger.commit()
    ledger.commit()
    paid = [
        after - had for after, had in zip(balances(ledger, *members(record)), before, strict=True)
    ]
    assert paid == [payout.amount for payout in record.payouts]
    after = ledger.state.jobs[job]
    assert (waiting(after), ledger.state.accounts.escrow_of(job)) == (0, 0)
    assert after.concluded_ms == record.ended_ms


def test_without_a_retention_payouts_leave_at_once() -> None:
    ledger = HandLedger()
    record = ledger.run(ledger.start().identifier)
    assert record.delivery is None
    assert ledger.state.accounts.escrow_of(record.identifier) == 0
    assert ledger.fail(0, Unavailable(record.identifier)).reason is Reason.WRONG_PHASE


def test_two_checkers_that_fail_leave_the_workers_unpaid_and_nobody_is_slashed() -> None:
    ledger, job = settled()
    record = ledger.state.jobs[job]
    held = waiting(record)
    (requester,) = balances(ledger, account_id(0))
    before = balances(ledger, *members(record))
    stakes = [ledger.state.accounts.of(one).staked for one in members(record)]
    drawn = claimed(ledger, job)
    assert len(drawn) == CHECKERS
    assert not set(drawn) & {0, 1, 2, 3}, "from outside the job"
    ledger.do(drawn[0], Unavailable(job))
    assert ledger.state.jobs[job].ending is Ending.ACCEPTED, "one alone may be cut off"
    assert ledger.fail(drawn[0], Unavailable(job)).reason is Reason.ALREADY_DONE
    ledger.do(drawn[2], Unavailable(job))
    after = ledger.state.jobs[job]
    assert (after.ending, after.payouts, after.phase) == (Ending.UNDELIVERED, (), Phase.SETTLED)
    assert balances(ledger, *members(record)) == before
    assert [ledger.state.accounts.of(one).staked for one in members(record)] == stakes
    cost = CHECKERS * TERMS.operation_fee
    assert balances(ledger, account_id(0)) == [requester + held - cost]
    assert after.refund == record.refund + held
    assert after.fee == record.fee > 0, "the fee stays burned"
    assert ledger.state.accounts.escrow_of(job) == 0
    for one in members(record):
        assert ledger.state.reputation_of(one).misses == 1
        assert ledger.state.reputation_of(one).resting_until_ms > ledger.state.ledger_time_ms
    pass_time(ledger, RETENTION_MS + WINDOW_MS)
    assert balances(ledger, *members(record)) == before, "and nothing comes later"
    assert ledger.fail(drawn[1], Unavailable(job)).reason is Reason.WRONG_PHASE


def test_checkers_that_find_it_say_nothing_and_the_workers_are_paid() -> None:
    ledger, job = settled()
    record = ledger.state.jobs[job]
    before = balances(ledger, *members(record))
    drawn = claimed(ledger, job)
    ledger.do(drawn[1], Unavailable(job))
    pass_time(ledger, WINDOW_MS + ledger.step_ms)
    gained = sum(balances(ledger, *members(record))) - sum(before)
    assert gained == sum(payout.amount for payout in record.payouts) > 0
    assert ledger.fail(0, Unavailable(job)).reason is Reason.WRONG_PHASE
    assert ledger.state.reputation_of(members(record)[0]).misses == 0


def test_a_claim_is_made_once_by_the_requester_alone_while_payouts_wait() -> None:
    ledger, job = settled()
    assert ledger.fail(4, Unavailable(job)).reason is Reason.NOT_EXECUTOR
    assert ledger.fail(1, Unavailable(job)).reason is Reason.NOT_EXECUTOR
    assert may_claim(ledger.state.jobs[job], account_id(0))
    assert not may_claim(ledger.state.jobs[job], account_id(4))
    claimed(ledger, job)
    assert not may_claim(ledger.state.jobs[job], account_id(0))
    assert ledger.fail(0, Unavailable(job)).reason is Reason.ALREADY_DONE
    open_job = ledger.open()
    assert ledger.fail(0, Unavailable(open_job)).reason is Reason.WRONG_PHASE


def test_who_is_asked_is_asked_until_it_answers() -> None:
    ledger, job = settled()
    drawn = claimed(ledger, job)
    asked = [n for n in range(7) if is_asked(ledger.state.jobs[job], account_id(n))]
    assert asked == sorted(drawn)
    ledger.do(drawn[0], Unavailable(job))
    assert not is_asked(ledger.state.jobs[job], account_id(drawn[0]))


def test_the_claim_holds_payouts_back_until_checkers_had_their_time() -> None:
    ledger, job = settled()
    pass_time(ledger, RETENTION_MS - 2 * ledger.step_ms)
    claimed(ledger, job)
    record = ledger.state.jobs[job]
    assert record.delivery is not None
    assert record.delivery.until_ms == ledger.state.ledger_time_ms + WINDOW_MS
    pass_time(ledger, WINDOW_MS - ledger.step_ms)
    assert ledger.state.jobs[job].delivering
    pass_time(ledger, 2 * ledger.step_ms)
    assert not ledger.state.jobs[job].delivering


def test_where_nobody_is_left_to_check_the_workers_are_paid() -> None:
    ledger = ledger_of_outsiders(3)
    job = ledger.start(OFFER, bidders=(1, 2, 3)).identifier
    ledger.run(job)
    assert claimed(ledger, job) == ()
    pass_time(ledger, WINDOW_MS + ledger.step_ms)
    assert not ledger.state.jobs[job].delivering
    assert ledger.state.accounts.escrow_of(job) == 0


def test_a_loaded_state_goes_on_with_the_same_payouts() -> None:
    ledger, job = settled()
    claimed(ledger, job)
    ledger.reload()
    pass_time(ledger, WINDOW_MS + ledger.step_ms)
    assert not ledger.state.jobs[job].delivering
    assert ledger.state.accounts.escrow_of(job) == 0


def test_an_ended_job_stays_while_its_payouts_wait() -> None:
    kept_ms = TERMS.ended_job_kept_ms
    ledger = HandLedger(step_ms=1_000)
    job = ledger.start(make_offer(retention_ms=kept_ms)).identifier
    ledger.run(job)
    for _ in range(kept_ms // TERMS.ledger_step_max_ms):
        ledger.commit(step_ms=TERMS.ledger_step_max_ms)
    assert ledger.state.ledger_time_ms > kept_ms
    assert job in ledger.state.jobs
    ledger.commit(step_ms=TERMS.ledger_step_max_ms)
    ledger.commit(step_ms=TERMS.ledger_step_max_ms)
    assert job not in ledger.state.jobs
    assert ledger.state.accounts.escrow_of(job) == 0


@pytest.mark.parametrize("answers", [{1: b"one", 2: b"two", 3: b"three"}])
def test_where_no_result_is_accepted_nothing_waits(answers: dict[int, bytes]) -> None:
    ledger = HandLedger()
    offer = make_offer(retention_ms=RETENTION_MS, replicas_max=3)
    job = ledger.start(offer, bidders=(1, 2, 3)).identifier
    record = ledger.run(job, answers)
    assert record.phase is Phase.INCONCLUSIVE
    assert (record.delivery, ledger.state.accounts.escrow_of(job)) == (None, 0)
    assert make_reveal(job).job == job
