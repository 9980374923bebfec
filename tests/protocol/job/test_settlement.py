"""Who is paid what, to the millionth."""

import dataclasses

from msgspec.structs import replace

from protocol.job.record import Ending, Fault, Job, Payment, Payout, Phase, ResultOutcome, Slash
from protocol.job.settlement import paid_ms
from protocol.messages import Reveal, StakeWithdrawal
from protocol.parameters import Parameters, minimal
from protocol.units import CREDIT, Credits, Milliseconds
from tests.support.builders import (
    RICHES,
    STAKE,
    HandLedger,
    account_id,
    make_genesis,
    make_offer,
    make_reveal,
)

TERMS = minimal()
ALWAYS = replace(TERMS, audit_floor=10_000)
PRICE = 1_000


def work(
    ledger: HandLedger, offer_kind: str = "onnx", claims: tuple[int, ...] = (10_000,) * 4
) -> Job:
    """Three executors, and an auditor if there is one, with the times that they claim."""
    job = ledger.start(make_offer(kind=offer_kind)).identifier
    reveals: dict[int, Reveal] = {}
    for _ in range(100):
        record = ledger.state.jobs[job]
        if record.terminal:
            return record
        if ledger.running(job):
            ledger.commit(step_ms=14_000)
        for number in ledger.running(job):
            elapsed_ms = claims[len(reveals)]
            fuel = elapsed_ms * TERMS.fuel_per_second // 1_000
            reveals[number] = make_reveal(job, elapsed_ms=elapsed_ms, fuel=fuel)
            ledger.send_commitment(number, reveals[number])
        if record.phase is Phase.REVEALING:
            for number in ledger.committed(job):
                ledger.do(number, reveals[number])
        else:
            ledger.commit(*ledger.due_fingerprints(job))
    raise AssertionError("the job does not end")


def unaudited(offer_kind: str, claims: tuple[int, ...]) -> Job:
    """The first job that the beacon spares an audit."""
    for luck in range(100):
        ledger = HandLedger(luck=luck)
        job = work(ledger, offer_kind, (*claims, 0))
        if job.audit is not None and job.audit.drawn is None:
            return job
    raise AssertionError("every job is audited")


def ledger_with(parameters: Parameters) -> HandLedger:
    return HandLedger(make_genesis(parameters=parameters))


def test_checked_results_are_paid_the_lower_median_with_the_bonus() -> None:
    job = unaudited("onnx", (9_000, 4_000, 11_000))
    expected = PRICE * 9 * 105 // 100
    assert [payout.amount for payout in job.payouts] == [expected] * 3
    assert {payout.reason for payout in job.payouts} == {Payment.RESULT}
    assert job.fee == 3 * expected * 5 // 100
    assert job.refund == job.offer.budget - 3 * expected - job.fee


def test_audited_results_earn_the_higher_bonus() -> None:
    job = work(ledger_with(ALWAYS), claims=(9_000, 9_000, 9_000, 9_000))
    assert [payout.amount for payout in job.payouts] == [PRICE * 9 * 110 // 100] * 4
    assert [payout.reason for payout in job.payouts] == [*[Payment.RESULT] * 3, Payment.AUDIT]


def test_nobody_is_paid_for_more_time_than_the_ledger_saw_pass() -> None:
    ledger = ledger_with(TERMS)
    record = ledger.run(ledger.start().identifier)
    assert [payout.amount for payout in record.payouts] == [1_050, 2_100, 3_150]


def test_metered_work_is_paid_by_its_fuel_however_fast_it_ran() -> None:
    job = unaudited("wasm", (50_000,) * 3)
    assert [payout.amount for payout in job.payouts] == [PRICE * 50 * 105 // 100] * 3


def test_the_limit_bounds_the_pay() -> None:
    job = unaudited("wasm", (900_000,) * 3)
    assert [payout.amount for payout in job.payouts] == [PRICE * 60 * 105 // 100] * 3


def test_no_claim_of_time_is_paid_beyond_the_offers_limit_or_the_ledgers_time() -> None:
    job = unaudited("onnx", (9_000, 4_000, 11_000))
    executor, claims = job.executors[0], [Milliseconds(900_000)] * 3
    span_ms = (executor.committed_ms or 0) - executor.called_ms
    assert span_ms < job.offer.limits.time_ms
    assert paid_ms(executor, claims, job, TERMS) == span_ms
    limits = replace(job.offer.limits, time_ms=span_ms - 1)
    short = dataclasses.replace(job, offer=replace(job.offer, limits=limits))
    assert paid_ms(executor, claims, short, TERMS) == span_ms - 1
    modest = [Milliseconds(5), Milliseconds(7), Milliseconds(9)]
    assert paid_ms(executor, modest, short, TERMS) == 7


def test_the_speed_bonus_goes_to_whoever_met_the_target() -> None:
    ledger = ledger_with(TERMS)
    job = ledger.start(make_offer(speed_target_ms=2_000)).identifier
    record = ledger.run(job)
    spans = [(each.committed_ms or 0) - each.called_ms for each in record.executors]
    assert spans == [1_000, 2_000, 3_000]
    assert [payout.amount for payout in record.payouts] == [1_155, 2_310, 3_150]


def test_a_lone_result_is_paid_up_to_a_little_more_than_its_estimate() -> None:
    ledger = ledger_with(TERMS)
    offer = make_offer(replicas=1, replicas_max=1, tolerated_error_ppm=200_000)
    job = ledger.start(offer, (1,)).identifier
    ledger.commit(step_ms=15_000)
    reveal = make_reveal(job, elapsed_ms=16_000)
    ledger.send_commitment(1, reveal)
    ledger.until(job, Phase.REVEALING)
    ledger.do(1, reveal)
    record = ledger.state.jobs[job]
    assert record.payouts == (Payout(account_id(1), Credits(PRICE * 12), Payment.RESULT),)


def test_a_convicted_liar_pays_the_requester_and_the_fire() -> None:
    ledger = HandLedger()
    job = ledger.start().identifier
    liar = ledger.running(job)[0]
    record = ledger.run(job, {liar: b"wrong"})
    exposure = record.executors[0].exposure
    assert record.ending is Ending.ACCEPTED
    assert record.slashes == (Slash(account_id(liar), exposure, Fault.WRONG_RESULT),)
    assert record.confidence_bp == 9_864
    assert account_id(liar) not in {payout.account for payout in record.payouts}
    accounts = ledger.state.accounts
    assert accounts.of(account_id(liar)).staked == STAKE - exposure
    costs = record.fee + sum(payout.amount for payout in record.payouts) + TERMS.operation_fee
    assert accounts.of(account_id(0)).available == RICHES - costs + exposure * 5 // 100


def test_without_a_jury_where_one_is_due_the_minority_is_unpaid_and_keeps_its_stake() -> None:
    ledger = ledger_with(replace(TERMS, jury_size=3))
    job = ledger.start().identifier
    liar = ledger.running(job)[0]
    record = ledger.run(job, {liar: b"wrong"})
    account = ledger.state.accounts.of(account_id(liar))
    assert (record.ending, record.slashes) == (Ending.ACCEPTED, ())
    assert (account.staked, account.pledges, account.available) == (STAKE, (), RICHES)
    assert ledger.state.reputation_of(account_id(liar)).wrong > 0


def test_without_a_result_everyone_who_revealed_gets_half() -> None:
    ledger = HandLedger()
    job = ledger.start(bidders=(1, 2, 3)).identifier
    first, second, third = ledger.running(job)
    record = ledger.run(job, {first: b"a", second: b"b", third: b"c"})
    assert (record.phase, record.ending) == (Phase.INCONCLUSIVE, Ending.EXHAUSTED)
    assert [payout.amount for payout in record.payouts] == [500, 1_000, 1_500]
    assert {payout.reason for payout in record.payouts} == {Payment.HALF}
    assert record.fee == 150
    assert not ledger.state.accounts.of(account_id(first)).pledges


def test_an_agreed_limit_pays_half() -> None:
    ledger = HandLedger()
    job = ledger.start().identifier
    slow = make_reveal(job, b"", ResultOutcome.TIME_LIMIT)
    numbers = ledger.running(job)
    for number in numbers:
        ledger.send_commitment(number, slow)
    ledger.until(job, Phase.REVEALING)
    for number in numbers:
        ledger.do(number, slow)
    record = ledger.state.jobs[job]
    assert (record.phase, record.ending) == (Phase.SETTLED, Ending.UNFINISHED)
    assert {payout.reason for payout in record.payouts} == {Payment.HALF}
    assert record.accepted is not None
    assert record.accepted.outcome is ResultOutcome.TIME_LIMIT


def test_the_smallest_budget_always_suffices() -> None:
    offer = make_offer(
        kind="wasm", replicas=4, replicas_max=4, speed_target_ms=60_000, budget=5 * CREDIT
    )
    ledger = ledger_with(ALWAYS)
    record = ledger.run(ledger.start(offer).identifier)
    assert record.refund >= 0
    assert record.fee + record.refund + sum(p.amount for p in record.payouts) == offer.budget


def test_a_worker_that_is_up_earns_the_bonus() -> None:
    present = (1, 2, 3, 4, 5, 6)
    payouts = {}
    for authors in ((), present):
        ledger = ledger_with(replace(TERMS, uptime_epochs=1))
        for _ in range(5):
            ledger.commit(step_ms=14_000, authors=authors)
        ledger.turn()
        assert ledger.state.is_up(account_id(1)) is bool(authors)
        job = ledger.run(ledger.start().identifier)
        assert job.ending is Ending.ACCEPTED
        payouts[authors] = job.payouts[0].amount
    assert payouts[present] == payouts[()] * 5 // 4 > 0


def test_a_job_that_burns_too_little_is_no_evidence_of_honesty() -> None:
    for least, checks in ((0, 1), (CREDIT, 0)):
        ledger = ledger_with(replace(TERMS, check_fee_min=least))
        job = ledger.run(ledger.start().identifier)
        assert job.ending is Ending.ACCEPTED
        assert job.fee < CREDIT
        paid = job.payouts[0].account
        reputation = ledger.state.reputation_of(paid)
        assert (reputation.checks, reputation.right > 0) == (checks, bool(checks))


def checks_after(bidders: tuple[int, ...], terms: Parameters = TERMS) -> list[int]:
    """Checks of those who run a job, where six workers of such jobs are known."""
    ledger = ledger_with(terms)
    before = ledger.open(0, make_offer(replicas=2))
    ledger.bid(before, *range(1, 7))
    job = ledger.start(make_offer(replicas=2), bidders).identifier
    record = ledger.run(job)
    assert record.ending is Ending.ACCEPTED
    return [ledger.state.reputation_of(each.account).checks for each in record.executors]


def test_a_job_that_most_workers_stay_away_from_says_nothing_about_the_others() -> None:
    assert checks_after((1, 2, 3)) == [1, 1], "half of the stake"
    assert checks_after((1, 2)) == [0, 0], "a third of it"


def test_an_auditor_from_outside_makes_it_a_check() -> None:
    assert checks_after((1, 2), ALWAYS) == [1, 1, 1]


def test_workers_that_cannot_be_drawn_are_not_missed() -> None:
    ledger = ledger_with(TERMS)
    before = ledger.open(0, make_offer(replicas=2))
    ledger.bid(before, *range(1, 7))
    for number in range(3, 7):
        ledger.do(number, StakeWithdrawal(STAKE))
    record = ledger.run(ledger.start(make_offer(replicas=2), (1, 2)).identifier)
    assert record.draw is not None
    assert record.draw.absent_stake == 0
    assert ledger.state.reputation_of(account_id(1)).checks == 1
