"""A job from its close to its end, whatever its people do."""

import pytest

from protocol.errors import Reason
from protocol.job.commit_reveal import commitment_digest
from protocol.job.record import Ending, Fault, Phase, Slash, Status
from protocol.messages import Cancellation, Commitment, Decline, StakeWithdrawal
from protocol.parameters import minimal
from protocol.units import CREDIT, JobId
from tests.support.builders import (
    RICHES,
    STAKE,
    HandLedger,
    account_id,
    ledger_of_outsiders,
    make_genesis,
    make_offer,
    make_reveal,
)

TERMS = minimal()
FEE = TERMS.operation_fee


def test_three_honest_executors_settle_a_job() -> None:
    ledger = HandLedger()
    record = ledger.run(ledger.start().identifier)
    phases = [milestone.phase for milestone in record.timeline]
    assert phases == [
        Phase.BIDDING,
        Phase.DRAWING,
        Phase.EXECUTING,
        Phase.SAMPLING,
        Phase.COMPARING,
        Phase.REVEALING,
        Phase.SETTLED,
    ]
    assert record.ending is Ending.ACCEPTED
    assert record.confidence_bp == 9_986
    assert ledger.state.open_jobs == {}
    for executor in record.executors:
        assert not ledger.state.accounts.of(executor.account).pledges
        assert ledger.state.reputation_of(executor.account).checks == 1


def commits_to_the_end(ledger: HandLedger, job: JobId) -> int:
    """Commits from the draw to the end, when everybody answers in the very next one."""
    begin = ledger.state.index
    while not ledger.state.jobs[job].terminal:
        record = ledger.state.jobs[job]
        entries = list(ledger.due_fingerprints(job))
        for number in ledger.running(job):
            ledger.reveals[number, job] = make_reveal(job)
            digest = commitment_digest(account_id(number), make_reveal(job))
            entries.append(ledger.operation(number, Commitment(job, digest)))
        if record.phase is Phase.REVEALING:
            entries += [ledger.operation(n, make_reveal(job)) for n in ledger.committed(job)]
        ledger.commit(*entries)
    return ledger.state.index - begin


def test_comparing_costs_a_plain_job_no_commit() -> None:
    ledger = HandLedger(make_genesis(7, parameters=TERMS))
    job = ledger.start().identifier
    beacon = TERMS.seed_delay_rounds + TERMS.seed_leaders - 1
    assert commits_to_the_end(ledger, job) == 1 + beacon + 1, "commitments, beacon, reveals"
    record = ledger.state.jobs[job]
    rounds = {step.phase: step.leader_round for step in record.timeline}
    assert rounds[Phase.COMPARING] == rounds[Phase.REVEALING]
    assert (record.ending, len(record.executors)) == (Ending.ACCEPTED, 3)


def test_fingerprints_show_a_contradiction_while_every_result_is_secret() -> None:
    ledger = HandLedger()
    job = ledger.start().identifier
    liar, *others = ledger.running(job)
    ledger.send_commitment(liar, make_reveal(job, b"wrong"))
    for number in others:
        ledger.send_commitment(number, make_reveal(job))
    record = ledger.until(job, Phase.EXECUTING)
    assert [step.phase for step in record.timeline][-2:] == [Phase.COMPARING, Phase.EXECUTING]
    assert not any(executor.reveal for executor in record.executors)
    (spare,) = ledger.running(job)
    ledger.send_commitment(spare, make_reveal(job))
    assert ledger.state.jobs[job].phase is Phase.COMPARING
    ledger.send_fingerprint(spare, make_reveal(job))
    assert ledger.state.jobs[job].phase is Phase.REVEALING


def silent_about_its_fingerprint(replicas_max: int = 4) -> tuple[HandLedger, JobId, int]:
    """A ledger that has just compared the fingerprints of all executors but one."""
    ledger = HandLedger()
    job = ledger.start(make_offer(replicas_max=replicas_max)).identifier
    silent, liar, honest = ledger.running(job)
    for number in (silent, honest):
        ledger.send_commitment(number, make_reveal(job))
    ledger.send_commitment(liar, make_reveal(job, b"wrong"))
    ledger.quiet.add(silent)
    ledger.until(job, Phase.COMPARING)
    ledger.until(job, Phase.EXECUTING, Phase.REVEALING)
    return ledger, job, silent


def test_without_its_fingerprint_an_executor_is_unpaid_and_replaced() -> None:
    ledger, job, silent = silent_about_its_fingerprint()
    record = ledger.state.jobs[job]
    assert record.executors[0].status is Status.UNOPENED
    assert record.timeline[-2].phase is Phase.COMPARING
    waited_ms = record.timeline[-1].time_ms - record.timeline[-2].time_ms
    assert waited_ms >= TERMS.reveal_window_ms
    assert ledger.fail(silent, make_reveal(job)).reason is Reason.WRONG_PHASE
    assert record.executors[0].forfeit_ms is None, "nothing runs out while it may not reveal"
    record = ledger.run(job)
    ledger.do(silent, make_reveal(job))
    record = ledger.state.jobs[job]
    assert record.executors[0].status is Status.LATE
    assert account_id(silent) not in {payout.account for payout in record.payouts}
    account = ledger.state.accounts.of(account_id(silent))
    assert (account.staked, account.pledges) == (STAKE, ())


def test_without_fingerprint_and_reveal_the_pledge_is_forfeited() -> None:
    ledger, job, silent = silent_about_its_fingerprint()
    ledger.run(job)
    for _ in range(TERMS.forfeit_window_ms // ledger.step_ms + 1):
        ledger.commit()
    record = ledger.state.jobs[job]
    assert record.executors[0].status is Status.FORFEITED
    lost = Slash(account_id(silent), record.executors[0].exposure, Fault.UNOPENED_COMMITMENT)
    assert lost in record.slashes


def test_when_nobody_sends_a_fingerprint_the_spares_begin_anew() -> None:
    ledger = HandLedger()
    job = ledger.start().identifier
    numbers = ledger.running(job)
    for number in numbers:
        ledger.send_commitment(number, make_reveal(job))
    ledger.quiet.update(numbers)
    ledger.until(job, Phase.EXECUTING)
    record = ledger.run(job)
    assert [each.status for each in record.executors[:3]] == [Status.UNOPENED] * 3
    assert record.ending is Ending.ACCEPTED
    assert len(record.executors) == 5


def test_without_spares_everything_is_opened_however_little_agrees() -> None:
    ledger = HandLedger()
    job = ledger.start(bidders=(1, 2, 3)).identifier
    first, *others = ledger.running(job)
    ledger.send_commitment(first, make_reveal(job, b"wrong"))
    for number in others:
        ledger.send_commitment(number, make_reveal(job))
    record = ledger.until(job, Phase.REVEALING)
    assert [step.phase for step in record.timeline][-2:] == [Phase.COMPARING, Phase.REVEALING]
    assert ledger.run(job).ending is Ending.EXHAUSTED


def test_whoever_does_not_open_what_it_compared_is_judged_without() -> None:
    ledger = HandLedger()
    job = ledger.start().identifier
    liar, *others = ledger.running(job)
    ledger.send_commitment(liar, make_reveal(job, b"wrong"))
    for number in others:
        ledger.send_commitment(number, make_reveal(job))
    ledger.send_fingerprint(liar, make_reveal(job))
    ledger.until(job, Phase.REVEALING)
    assert ledger.fail(liar, make_reveal(job)).reason is Reason.BAD_REVEAL
    for number in others:
        ledger.do(number, make_reveal(job))
    ledger.until(job, Phase.SETTLED)
    assert ledger.state.jobs[job].executors[0].status is Status.UNOPENED
    for _ in range(TERMS.forfeit_window_ms // ledger.step_ms + 1):
        ledger.commit()
    (lost,) = ledger.state.jobs[job].slashes
    assert (lost.account, lost.reason) == (account_id(liar), Fault.UNOPENED_COMMITMENT)


def test_a_contradiction_calls_a_spare() -> None:
    ledger = HandLedger()
    first = ledger.start()
    liar = ledger.running(first.identifier)[0]
    record = ledger.run(first.identifier, {liar: b"wrong"})
    assert len(record.executors) == 4
    assert record.executors[3].account == first.spares[0]
    assert Phase.EXECUTING in [milestone.phase for milestone in record.timeline[5:]]


def test_without_bids_everything_returns() -> None:
    ledger = HandLedger()
    record = ledger.until(ledger.open(), Phase.REFUNDED)
    assert (record.ending, record.refund) == (Ending.NO_BIDS, record.offer.budget)
    assert ledger.state.accounts.of(account_id(0)).available == RICHES - FEE


def test_without_eligible_bidders_everything_returns() -> None:
    ledger = ledger_of_outsiders()
    job = ledger.open()
    ledger.bid(job, 1)
    ledger.do(1, StakeWithdrawal(STAKE))
    assert ledger.until(job, Phase.REFUNDED).ending is Ending.NO_ELIGIBLE_BID


def test_a_requester_may_cancel_while_bids_are_open() -> None:
    ledger = HandLedger()
    job = ledger.open()
    assert ledger.fail(1, Cancellation(job)).reason is Reason.NOT_REQUESTER
    ledger.do(0, Cancellation(job))
    assert ledger.state.jobs[job].ending is Ending.CANCELLED
    assert ledger.state.accounts.of(account_id(0)).available == RICHES - 2 * FEE
    assert ledger.fail(0, Cancellation(job)).reason is Reason.WRONG_PHASE


def test_a_late_executor_is_replaced_and_not_slashed() -> None:
    ledger = HandLedger(step_ms=10_000)
    job = ledger.start().identifier
    late, *others = ledger.running(job)
    for number in others:
        ledger.send_commitment(number, make_reveal(job))
    while ledger.state.jobs[job].executors[0].status is Status.RUNNING:
        ledger.commit()
    record = ledger.state.jobs[job]
    assert record.executors[0].status is Status.MISSED
    assert len(record.executors) == 4
    account = ledger.state.accounts.of(account_id(late))
    assert (account.staked, account.pledges) == (STAKE, ())
    rest = ledger.state.reputation_of(account_id(late)).resting_until_ms
    assert rest == ledger.state.ledger_time_ms + TERMS.back_off_ms
    assert ledger.run(job).ending is Ending.ACCEPTED


def test_whoever_missed_a_deadline_is_not_drawn_while_it_rests() -> None:
    ledger = HandLedger(step_ms=14_000)
    job = ledger.start(bidders=(1, 2, 3)).identifier
    ledger.until(job, Phase.REFUNDED)
    again = ledger.open()
    ledger.step_ms = 100
    ledger.bid(again, 1, 2, 3)
    record = ledger.until(again, Phase.REFUNDED)
    assert record.ending is Ending.NO_ELIGIBLE_BID
    assert {entry.reason for entry in record.passed_over} == {Reason.RESTING}


def test_a_decline_costs_nothing_and_calls_the_next_spare() -> None:
    ledger = HandLedger()
    first = ledger.start()
    job = first.identifier
    number = ledger.running(job)[0]
    ledger.do(number, Decline(job, False))
    record = ledger.state.jobs[job]
    assert record.executors[0].status is Status.DECLINED
    assert record.executors[3].account == first.spares[0]
    account = ledger.state.accounts.of(account_id(number))
    assert (account.available, account.pledges) == (RICHES, ())


def test_a_majority_that_finds_the_content_unavailable_ends_the_job() -> None:
    ledger = HandLedger()
    job = ledger.start().identifier
    first, second, _ = ledger.running(job)
    ledger.do(first, Decline(job, True))
    assert ledger.state.jobs[job].phase is Phase.EXECUTING
    ledger.do(second, Decline(job, True))
    record = ledger.state.jobs[job]
    assert record.ending is Ending.UNAVAILABLE
    assert record.fee == FEE * len(record.executors)
    assert {each.status for each in record.executors} == {Status.DECLINED, Status.RELEASED}
    assert not any(ledger.state.accounts.of(each.account).pledges for each in record.executors)


def test_one_executor_cannot_end_a_job_by_calling_its_content_unavailable() -> None:
    ledger = HandLedger()
    job = ledger.start(make_offer(replicas=2)).identifier
    first, second = ledger.running(job)
    ledger.send_commitment(second, make_reveal(job))
    ledger.do(first, Decline(job, True))
    assert ledger.run(job).ending is Ending.ACCEPTED


def test_when_nobody_commits_the_job_expires() -> None:
    ledger = HandLedger(step_ms=14_000)
    record = ledger.until(ledger.start().identifier, Phase.REFUNDED)
    assert record.ending is Ending.EXPIRED
    assert {each.status for each in record.executors} == {Status.MISSED}
    assert record.refund == record.offer.budget


def silent_after_commitment() -> tuple[HandLedger, int]:
    """A ledger whose only job is settled while one executor has not revealed."""
    ledger = HandLedger()
    job = ledger.start().identifier
    numbers = ledger.running(job)
    for number in numbers:
        ledger.send_commitment(number, make_reveal(job))
    ledger.until(job, Phase.REVEALING)
    for number in numbers[1:]:
        ledger.do(number, make_reveal(job))
    assert ledger.until(job, Phase.SETTLED).ending is Ending.ACCEPTED
    return ledger, numbers[0]


def test_a_commitment_never_opened_forfeits_the_pledge() -> None:
    ledger, silent = silent_after_commitment()
    (job,) = ledger.state.jobs
    exposure = ledger.state.jobs[job].executors[0].exposure
    assert ledger.state.accounts.of(account_id(silent)).pledged == exposure
    for _ in range(TERMS.forfeit_window_ms // ledger.step_ms + 1):
        ledger.commit()
    record = ledger.state.jobs[job]
    assert record.executors[0].status is Status.FORFEITED
    assert record.slashes == (Slash(account_id(silent), exposure, Fault.UNOPENED_COMMITMENT),)
    account = ledger.state.accounts.of(account_id(silent))
    assert (account.staked, account.pledges) == (STAKE - exposure, ())


def test_a_late_reveal_is_unpaid_and_frees_the_pledge() -> None:
    ledger, silent = silent_after_commitment()
    (job,) = ledger.state.jobs
    ledger.do(silent, make_reveal(job))
    record = ledger.state.jobs[job]
    assert record.executors[0].status is Status.LATE
    assert account_id(silent) not in {payout.account for payout in record.payouts}
    account = ledger.state.accounts.of(account_id(silent))
    assert (account.staked, account.pledges) == (STAKE, ())


@pytest.mark.parametrize("others", [3, 4])
def test_a_late_lie_is_still_a_lie(others: int) -> None:
    ledger = HandLedger()
    job = ledger.start(make_offer(replicas=others + 1, replicas_max=others + 1)).identifier
    numbers = ledger.running(job)
    lie = make_reveal(job, b"wrong")
    ledger.send_commitment(numbers[0], lie)
    for number in numbers[1:]:
        ledger.send_commitment(number, make_reveal(job))
    ledger.until(job, Phase.REVEALING)
    for number in numbers[1:]:
        ledger.do(number, make_reveal(job))
    ledger.until(job, Phase.SETTLED)
    ledger.do(numbers[0], lie)
    record = ledger.state.jobs[job]
    assert record.slashes == (
        Slash(account_id(numbers[0]), record.executors[0].exposure, Fault.WRONG_RESULT),
    )


def test_a_pledge_cannot_be_withdrawn_before_it_is_judged() -> None:
    ledger = ledger_of_outsiders()
    job = ledger.start().identifier
    liar = ledger.running(job)[0]
    assert ledger.fail(liar, StakeWithdrawal(STAKE)).reason is Reason.INSUFFICIENT_STAKE
    free = ledger.state.accounts.of(account_id(liar)).free_stake
    ledger.do(liar, StakeWithdrawal(free - 1_000 * CREDIT))
    record = ledger.run(job, {liar: b"wrong"})
    assert record.slashes[0].amount == record.executors[0].exposure


def test_two_jobs_drawn_together_never_pledge_the_same_stake_twice() -> None:
    ledger = HandLedger(make_genesis(stake=1_000 * CREDIT))
    dear = make_offer(replicas=2, price_cap=500_000, budget=240 * CREDIT)
    first, second = ledger.operation(0, dear), ledger.operation(1, dear)
    ledger.commit(first, second)
    jobs = sorted(ledger.state.jobs)
    for job in jobs:
        ledger.bid(job, 2, 3, 4, 5, 6, price=500_000)
    records = [ledger.until(job, Phase.EXECUTING, Phase.REFUNDED) for job in jobs]
    drawn = [each.account for record in records for each in record.executors]
    assert len(drawn) == len(set(drawn)) == 4
    assert [len(record.passed_over) for record in records] == [0, 2]


def test_a_deadline_does_not_pass_while_the_ledger_stands_still() -> None:
    ledger = HandLedger()
    job = ledger.start().identifier
    ledger.commit(step_ms=10**9)
    assert len(ledger.running(job)) == 3
    for _ in range(TERMS.ledger_gap_commits - 1):
        ledger.commit(step_ms=14_000)
    assert len(ledger.running(job)) == 3, "what a gap held up counts before deadlines"
    ledger.commit(step_ms=1)
    assert {each.status for each in ledger.state.jobs[job].executors[:3]} == {Status.MISSED}
