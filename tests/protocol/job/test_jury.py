"""The jury: when it is called, what it proves, and what follows when it stays away."""

from msgspec.structs import replace

from protocol.encoding import digest_of
from protocol.job.jury import ORDER_PER_JUROR
from protocol.job.lottery import draw
from protocol.job.record import (
    Duty,
    Ending,
    Executor,
    Fault,
    Job,
    Payment,
    Phase,
    ResultOutcome,
    Slash,
    Status,
)
from protocol.messages import Decline
from protocol.parameters import Parameters, live, minimal
from protocol.units import CREDIT, JobId
from tests.support.builders import (
    STAKE,
    HandLedger,
    account_id,
    make_genesis,
    make_offer,
    make_reveal,
)

TERMS = replace(minimal(), jury_size=3, audit_floor=0, exposure_multiple=2_000)
"""With a pledge of so many pays the beacon hardly ever sends an auditor."""


def ledger_with_workers(parameters: Parameters = TERMS, members: int = 12) -> HandLedger:
    return HandLedger(make_genesis(members, parameters=parameters))


def others_work(ledger: HandLedger) -> None:
    """Five workers run such a job, and bid for none of those that follow."""
    ledger.run(ledger.start(make_offer(), range(7, 12)).identifier)


def contradicted(
    ledger: HandLedger, liars: int = 1, bidders: range = range(1, 7), **terms: object
) -> tuple[JobId, tuple[int, ...]]:
    """A job some of whose executors lie; everybody called before the jury has committed."""
    offer = make_offer(**terms)
    job = ledger.start(offer, bidders).identifier
    lying = ledger.running(job)[:liars]
    for _ in range(60):
        record = ledger.state.jobs[job]
        if record.phase in (Phase.SUMMONING, Phase.REVEALING):
            return job, lying
        for number in ledger.running(job):
            output = b"wrong" if number in lying else b"right"
            ledger.send_commitment(number, make_reveal(job, output))
        ledger.commit(*ledger.due_fingerprints(job))
    raise AssertionError(f"the job stays {ledger.state.jobs[job].phase}")


def jurors(job: Job) -> tuple[Executor, ...]:
    return tuple(one for one in job.executors if one.duty is Duty.JUROR)


def finish(ledger: HandLedger, job: JobId, lies: tuple[int, ...] = ()) -> Job:
    return ledger.run(job, dict.fromkeys(lies, b"wrong"))


def staked(ledger: HandLedger, number: int) -> int:
    return ledger.state.accounts.of(account_id(number)).staked


def test_a_jury_that_agrees_convicts_the_liar_and_is_paid() -> None:
    ledger = ledger_with_workers()
    others_work(ledger)
    job, (liar,) = contradicted(ledger)
    assert ledger.until(job, Phase.JUDGING).jury is not None
    record = finish(ledger, job)
    assert [one.status for one in jurors(record)] == [Status.REVEALED] * 3
    (slash,) = record.slashes
    exposure = record.executors[0].exposure
    assert slash == Slash(account_id(liar), exposure, Fault.WRONG_RESULT)
    assert staked(ledger, liar) == STAKE - exposure
    paid = {one.account for one in record.payouts if one.reason is Payment.JURY}
    assert paid == {one.account for one in jurors(record)}
    phases = [step.phase for step in record.timeline]
    at = phases.index(Phase.SUMMONING)
    assert phases[at - 1 : at + 4] == [
        Phase.COMPARING,
        Phase.SUMMONING,
        Phase.JUDGING,
        Phase.COMPARING,
        Phase.REVEALING,
    ], "nothing is opened before the jury has committed and sent its fingerprints"
    for executor in record.executors:
        assert not ledger.state.accounts.of(executor.account).pledges


def test_the_jury_comes_from_all_such_workers_outside_the_job_by_a_later_beacon() -> None:
    ledger = ledger_with_workers()
    others_work(ledger)
    job, _ = contradicted(ledger)
    executors = {one.account for one in ledger.state.jobs[job].executors}
    record = ledger.until(job, Phase.JUDGING)
    jury = record.jury
    assert jury is not None
    workers = {account_id(number) for number in range(1, 12)}
    assert {one.account for one in jury.candidates} == workers - executors
    assert jury.seed == digest_of(b"jury", jury.beacon, job)
    weights = {bytes(one.account): one.weight for one in jury.candidates}
    assert jury.order == draw(jury.seed, weights, ORDER_PER_JUROR * 3)
    assert tuple(one.account for one in jurors(record)) == jury.order[:3]
    rounds = {step.phase: step.leader_round for step in record.timeline}
    waited = rounds[Phase.JUDGING] - rounds[Phase.SUMMONING]
    assert waited == TERMS.seed_delay_rounds + TERMS.seed_leaders - 1
    prices = {one.account: one.price for one in jurors(record)}
    bids = {bid.account: bid.price for bid in record.bids}
    cap = record.offer.price_cap
    assert prices == {account: bids.get(account, cap) for account in prices}


def test_without_a_contradiction_no_jury_is_called() -> None:
    ledger = ledger_with_workers()
    record = ledger.run(ledger.start().identifier)
    assert (record.ending, record.jury) == (Ending.ACCEPTED, None)


def test_a_silent_jury_convicts_nobody_and_the_minority_is_unpaid() -> None:
    ledger = ledger_with_workers()
    job, (liar,) = contradicted(ledger, bidders=range(1, 8))
    ledger.until(job, Phase.JUDGING)
    ledger.step_ms = 14_000
    record = ledger.until(job, Phase.REVEALING)
    assert record.jury is not None
    silent = [one for one in jurors(record) if one.status is Status.MISSED]
    assert len(silent) == len(record.jury.order), "everybody who could sit was asked"
    ledger.step_ms = 1_000
    record = finish(ledger, job)
    assert (record.ending, record.slashes) == (Ending.ACCEPTED, ())
    assert account_id(liar) not in {one.account for one in record.payouts}
    assert staked(ledger, liar) == STAKE
    assert ledger.state.reputation_of(account_id(liar)).wrong > 0
    for one in silent:
        assert ledger.state.accounts.of(one.account).staked == STAKE


def test_a_jury_ends_within_its_bounded_number_of_deadlines() -> None:
    ledger = ledger_with_workers(members=24)
    job, _ = contradicted(ledger, bidders=range(1, 24))
    begun_ms = ledger.until(job, Phase.JUDGING).timeline[-1].time_ms
    ledger.step_ms = 14_000
    record = ledger.until(job, Phase.REVEALING)
    asked = jurors(record)
    assert len(asked) == ORDER_PER_JUROR * TERMS.jury_size
    deadline_ms = record.offer.deadline_ms + TERMS.commitment_grace_ms
    waited_ms = record.timeline[-1].time_ms - begun_ms
    assert waited_ms <= ORDER_PER_JUROR * (deadline_ms + ledger.step_ms)


def test_a_juror_that_declines_is_replaced_by_the_next_and_loses_nothing() -> None:
    ledger = ledger_with_workers()
    others_work(ledger)
    job, (liar,) = contradicted(ledger)
    ledger.until(job, Phase.JUDGING)
    declining = ledger.running(job)[0]
    ledger.do(declining, Decline(job, unavailable=False))
    record = finish(ledger, job)
    assert len(jurors(record)) == 4
    assert [one.account for one in record.slashes] == [account_id(liar)]
    assert ledger.state.reputation_of(account_id(declining)).misses == 0


def test_one_juror_that_lies_prevents_a_conviction() -> None:
    ledger = ledger_with_workers()
    others_work(ledger)
    job, (liar,) = contradicted(ledger)
    ledger.until(job, Phase.JUDGING)
    bribed = ledger.running(job)[0]
    record = finish(ledger, job, (bribed,))
    assert (record.ending, record.slashes) == (Ending.ACCEPTED, ())
    unpaid = {account_id(liar), account_id(bribed)}
    assert unpaid.isdisjoint(one.account for one in record.payouts)


def test_a_jury_can_turn_a_job_against_a_lying_majority() -> None:
    ledger = ledger_with_workers()
    others_work(ledger)
    job, lying = contradicted(ledger, liars=2, tolerated_error_ppm=200_000, replicas_max=3)
    record = finish(ledger, job, lying)
    assert record.accepted is not None
    assert record.accepted.output == make_reveal(job).output
    assert {one.account for one in record.slashes} == {account_id(one) for one in lying}


def test_liars_without_the_jury_take_no_honest_stake_however_many_they_are() -> None:
    ledger = ledger_with_workers()
    others_work(ledger)
    job, lying = contradicted(
        ledger, liars=3, replicas=4, replicas_max=4, tolerated_error_ppm=200_000
    )
    ledger.until(job, Phase.JUDGING)
    bribed = ledger.running(job)[:2]
    record = finish(ledger, job, (*lying, *bribed))
    assert record.accepted is not None
    assert record.accepted.output == make_reveal(job, b"wrong").output, "the lie bit"
    assert record.slashes == ()


def test_where_even_a_whole_jury_could_not_convict_none_is_called() -> None:
    ledger = ledger_with_workers(replace(TERMS, slash_error_ppm=0))
    job, (liar,) = contradicted(ledger)
    record = finish(ledger, job)
    assert record.jury is not None
    assert jurors(record) == ()
    assert Phase.JUDGING not in [step.phase for step in record.timeline]
    assert staked(ledger, liar) == STAKE


def test_where_too_few_work_on_such_jobs_none_is_called() -> None:
    ledger = ledger_with_workers()
    job, _ = contradicted(ledger, bidders=range(1, 7))
    record = finish(ledger, job)
    assert record.jury is not None
    assert len(record.jury.order) == 2
    assert (jurors(record), record.slashes) == ((), ())


def test_jurors_of_a_device_class_are_of_the_executors_class() -> None:
    ledger = ledger_with_workers()
    offer = make_offer(result_class="class-exact")
    for device, numbers in (("cpu/a", (7, 8, 9)), ("cpu/b", (10, 11))):
        before = ledger.open(0, offer)
        ledger.bid(before, *numbers, device=device)
    job = ledger.open(0, offer)
    ledger.bid(job, *range(1, 7), device="cpu/a")
    ledger.until(job, Phase.EXECUTING)
    liar = ledger.running(job)[0]
    record = ledger.run(job, {liar: b"wrong"})
    assert record.jury is not None
    able = {one.account for one in record.jury.candidates}
    assert able >= {account_id(number) for number in (7, 8, 9)}
    assert able.isdisjoint({account_id(10), account_id(11)})
    assert {one.device for one in record.executors} == {"cpu/a"}
    assert [one.account for one in record.slashes] == [account_id(liar)]


def test_a_limit_reached_is_no_lie_though_a_jury_was_called() -> None:
    ledger = ledger_with_workers()
    others_work(ledger)
    job = ledger.start().identifier
    slow = ledger.running(job)[0]
    late = make_reveal(job, b"", ResultOutcome.TIME_LIMIT)
    ledger.send_commitment(slow, late)
    for number in ledger.running(job):
        ledger.send_commitment(number, make_reveal(job))
    record = finish(ledger, job)
    assert len(jurors(record)) == 3, "what was hidden could have been a lie"
    assert (record.ending, record.slashes) == (Ending.ACCEPTED, ())
    assert staked(ledger, slow) == STAKE


def test_the_budget_covers_a_jury_at_the_price_cap() -> None:
    ledger = ledger_with_workers(replace(TERMS, audit_floor=10_000))
    others_work(ledger)
    job, _ = contradicted(ledger)
    record = finish(ledger, job)
    assert {one.duty for one in record.executors} == set(Duty) - {Duty.STEP_JUROR}
    spent = sum(one.amount for one in record.payouts) + record.fee
    assert spent + record.refund == record.offer.budget


def test_the_terms_of_live_convict_workers_with_a_record() -> None:
    """With strangers a conviction takes a millionth; six cross-checks each are enough for that."""
    terms = replace(
        live(),
        bid_window_rounds_min=6,
        checks_per_requester=1_000,
        check_fee_min=0,
        audit_floor=0,
    )
    ledger = HandLedger(make_genesis(13, available=10**6 * CREDIT, parameters=terms))
    everybody = range(1, 13)
    trained = make_offer(
        replicas=12, replicas_max=12, price_cap=100, tolerated_error_ppm=500_000, time_ms=1_000
    )
    for _ in range(7):
        job = ledger.open(0, trained)
        ledger.bid(job, *everybody, price=100)
        ledger.until(job, Phase.EXECUTING)
        assert ledger.run(job).ending is Ending.ACCEPTED
    job, (liar,) = contradicted(ledger, bidders=everybody)
    record = finish(ledger, job)
    assert [one.account for one in record.slashes] == [account_id(liar)]
    assert len(jurors(record)) == terms.jury_size == 3
