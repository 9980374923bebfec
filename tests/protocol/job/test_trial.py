"""Disputes within jobs: who is convicted, who is paid, and what silence costs."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from protocol.encoding import digest_of
from protocol.errors import Reason
from protocol.job import trial
from protocol.job.dispute import Ground, Verdict, disputed_step
from protocol.job.record import Duty, Ending, Fault, Job, Payment, Phase, Slash, Status
from protocol.job.stepped import seats_of
from protocol.messages import Reveal
from protocol.parameters import minimal
from protocol.step_messages import StepPair
from protocol.tree.trace import Trace
from tests.support.builders import STAKE, account_id, make_offer
from tests.support.disputes import TERMS, Court, run_of


def jurors(job: Job) -> list[Status]:
    return [one.status for one in job.executors if one.duty is Duty.STEP_JUROR]


def honest_stakes(court: Court, liars: set[int]) -> set[int]:
    accounts = court.ledger.state.accounts
    return {
        accounts.of(account_id(number)).staked
        for number in range(court.members)
        if number not in liars
    }


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 70), st.data())
def test_a_lie_in_any_step_is_found_and_costs_the_liar_its_pledge(
    steps: int, data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, steps - 1))
    court = Court(steps=steps, lies={data.draw(st.integers(0, 1)): at})
    job = court.open()
    (place,) = court.lies
    liar = court.executor(job, place)
    record = court.play(job)
    (tried,) = record.disputes
    assert tried.verdict is not None
    assert (tried.verdict.ground, tried.verdict.convicting) == (Ground.STEP, True)
    assert disputed_step(tried).index == at
    exposure = record.executors[place].exposure
    assert record.slashes == (Slash(account_id(liar), exposure, Fault.WRONG_RESULT),)
    assert record.accepted is not None
    assert record.accepted.output == run_of(steps)[-1]
    assert jurors(record) == [Status.REVEALED] * 3
    assert record.executors[place].status is Status.REFUTED
    paid = {one.reason for one in record.payouts}
    assert paid == {Payment.RESULT, Payment.JURY}
    assert honest_stakes(court, {liar}) == {STAKE}
    accounts = court.ledger.state.accounts
    assert not any(accounts.of(one.account).pledge_for(job) for one in record.executors)


def test_results_that_agree_need_no_dispute() -> None:
    court = Court()
    record = court.play(court.open())
    assert (record.ending, record.disputes, record.slashes) == (Ending.ACCEPTED, (), ())


def test_the_phases_of_a_dispute() -> None:
    court = Court(lies={0: 3})
    record = court.play(court.open())
    phases = [step.phase for step in record.timeline]
    at = phases.index(Phase.DISPUTING)
    assert phases[at - 1 :] == [
        Phase.REVEALING,
        Phase.DISPUTING,
        Phase.SUMMONING,
        Phase.JUDGING,
        Phase.REVEALING,
        Phase.SETTLED,
    ]


def test_the_jury_comes_from_outside_by_a_later_beacon() -> None:
    court = Court(lies={0: 3})
    job = court.open()
    record = court.play(job, Phase.JUDGING)
    jury = record.disputes[0].jury
    assert jury is not None
    assert jury.seed == digest_of(b"step jury", jury.beacon, job, bytes(1))
    inside = {one.account for one in record.executors if one.duty is Duty.EXECUTOR}
    assert inside.isdisjoint(jury.order)
    assert account_id(0) not in jury.order
    called = [one.account for one in record.executors if one.duty is Duty.STEP_JUROR]
    assert tuple(called) == jury.order[:3]
    waited = {step.phase: step.leader_round for step in record.timeline}
    rounds = TERMS.seed_delay_rounds + TERMS.seed_leaders - 1
    assert waited[Phase.JUDGING] - waited[Phase.SUMMONING] == rounds


def test_a_liar_who_falls_silent_loses_what_an_unopened_commitment_costs() -> None:
    court = Court(lies={0: 3})
    job = court.open()
    liar = court.executor(job, 0)
    court.silent = {liar}
    record = court.play(job)
    (tried,) = record.disputes
    assert tried.verdict is not None
    assert tried.verdict.ground is Ground.SILENCE
    exposure = record.executors[0].exposure
    assert record.slashes == (Slash(account_id(liar), exposure, Fault.UNOPENED_COMMITMENT),)
    assert record.ending is Ending.ACCEPTED
    assert jurors(record) == []
    assert honest_stakes(court, {liar}) == {STAKE}


def test_where_both_fall_silent_the_job_ends_without_a_result() -> None:
    court = Court(lies={0: 3})
    job = court.open()
    court.silent = set(range(court.members))
    record = court.play(job)
    assert record.ending is Ending.EXHAUSTED
    assert record.payouts == ()
    assert {one.reason for one in record.slashes} == {Fault.UNOPENED_COMMITMENT}
    assert len(record.slashes) == len(record.executors)


def test_another_member_of_a_side_speaks_when_the_first_is_away() -> None:
    court = Court(lies={0: 3})
    job = court.open(replicas=3)
    record = court.play(job, Phase.DISPUTING)
    sides = record.disputes[0].sides
    (honest,) = (side for side in sides if len(side.members) == 2)
    court.silent = {court.ledger.numbers[honest.members[0]]}
    record = court.play(job)
    assert [one.reason for one in record.slashes] == [Fault.WRONG_RESULT]
    assert record.accepted is not None
    assert set(record.accepted.members) == set(honest.members)


def test_a_lying_majority_loses_to_one_honest_executor() -> None:
    court = Court(lies={0: 3, 1: 3})
    job = court.open(replicas=3)
    liars = {court.executor(job, 0), court.executor(job, 1)}
    record = court.play(job)
    assert {one.account for one in record.slashes} == {account_id(liar) for liar in liars}
    assert len(record.disputes) == 2, "each of the two told a lie of its own"
    assert record.accepted is not None
    assert record.accepted.output == run_of(8)[-1]
    assert honest_stakes(court, liars) == {STAKE}


def test_one_bribed_juror_spares_the_pledge_and_saves_no_lie() -> None:
    court = Court(lies={0: 3}, bribed={1})
    job = court.open()
    record = court.play(job)
    assert record.disputes[0].verdict is not None
    assert not record.disputes[0].verdict.convicting
    assert (record.ending, record.slashes) == (Ending.ACCEPTED, ())
    assert record.accepted is not None
    assert record.accepted.output == run_of(8)[-1]
    assert jurors(record) == [Status.REVEALED, Status.REFUTED, Status.REVEALED]
    assert court.ledger.state.reputation_of(account_id(court.executor(job, 0))).wrong > 0


def test_a_jury_that_finds_a_third_thing_takes_no_pledge() -> None:
    court = Court(lies={0: 3}, bribed={0, 1, 2})
    record = court.play(court.open())
    assert record.disputes[0].verdict == Verdict(Ground.STEP, (0, 1), convicting=False)
    assert (record.ending, record.slashes) == (Ending.EXHAUSTED, ())


def test_a_jury_that_stays_away_leaves_it_to_the_cross_check() -> None:
    court = Court(lies={0: 3}, idle=set(range(12)))
    job = court.open()
    court.play(job, Phase.JUDGING)
    court.ledger.step_ms = 14_000
    record = court.play(job)
    assert record.disputes[0].verdict == Verdict(Ground.NO_JURY, (), convicting=False)
    assert set(jurors(record)) == {Status.MISSED}
    assert (record.ending, record.slashes) == (Ending.EXHAUSTED, ()), "two against one"


def test_without_anybody_outside_there_is_no_jury() -> None:
    court = Court(lies={0: 3}, members=3)
    record = court.play(
        court.open(range(1, 3), replicas=2, replicas_max=2, tolerated_error_ppm=20_000)
    )
    assert record.disputes[0].verdict == Verdict(Ground.NO_JURY, (), convicting=False)
    assert (record.ending, record.slashes) == (Ending.EXHAUSTED, ())


def test_one_juror_decides_where_jobs_have_no_jury() -> None:
    court = Court(replace(minimal(), audit_floor=0, exposure_multiple=2_000), lies={1: 7})
    record = court.play(court.open())
    assert seats_of(court.parameters) == len(jurors(record)) == 1
    assert [one.reason for one in record.slashes] == [Fault.WRONG_RESULT]


def test_a_job_of_one_step_goes_to_the_jury_at_once() -> None:
    court = Court(steps=1, lies={0: 0})
    record = court.play(court.open())
    assert Phase.DISPUTING not in [step.phase for step in record.timeline]
    assert [one.reason for one in record.slashes] == [Fault.WRONG_RESULT]


def test_what_no_dispute_asks_for_is_refused_and_pays_the_fee() -> None:
    court = Court(lies={0: 3})
    job = court.open()
    pair = StepPair(job, 0, 0, bytes(32), bytes(32), ())
    assert court.ledger.fail(1, pair).reason is Reason.WRONG_PHASE
    court.play(job, Phase.DISPUTING)
    number = court.executor(job, 0)
    assert court.ledger.fail(number, pair).reason is Reason.BAD_PROOF
    assert court.ledger.fail(0, pair).reason is Reason.NOT_EXECUTOR
    other = StepPair(job, 1, 0, bytes(32), bytes(32), ())
    assert court.ledger.fail(number, other).reason is Reason.WRONG_PHASE
    assert [one.reason for one in court.play(job).slashes] == [Fault.WRONG_RESULT]


def test_a_dispute_survives_being_written_out_and_read_again() -> None:
    court = Court(lies={0: 3})
    job = court.open()
    record = court.play(job, Phase.DISPUTING)
    court.answer(job)
    court.ledger.reload()
    assert court.record(job).disputes[0].level == 1
    assert court.record(job).timeline == record.timeline
    assert [one.reason for one in court.play(job).slashes] == [Fault.WRONG_RESULT]


def test_a_limit_that_a_slower_machine_reached_is_in_no_dispute() -> None:
    court = Court()
    job = court.open()
    slow = court.executor(job, 0)
    reveal = replace(court.reveal_of(slow, job), outcome=1, trace=b"")
    court.ledger.send_commitment(slow, reveal)
    record = court.play(job)
    assert (record.disputes, record.slashes) == ((), ())


def test_nobody_is_asked_in_a_job_without_a_dispute() -> None:
    court = Court()
    job = court.open()
    assert trial.question_to(court.record(job), account_id(1)) is None
    assert trial.step_in_question(court.record(job)) is None


@pytest.mark.parametrize("result_class", ["stepped", "stepped/0", "stepped/70000"])
def test_an_offer_names_how_many_steps_it_has(result_class: str) -> None:
    court = Court()
    failure = court.ledger.fail(0, make_offer(result_class=result_class))
    assert failure.reason is Reason.CLASS_NOT_SUPPORTED


def test_a_right_result_with_a_false_trace_loses_its_pledge_too() -> None:
    court = Court()
    job = court.open()
    liar = court.executor(job, 0)
    right = run_of(8)
    court.traces[liar] = (*right[:2], *run_of(8, 2)[2:7], right[7])
    reveal = Reveal(job, 0, right[-1], 10_000, 0, bytes(32), Trace(court.traces[liar]).root)
    court.ledger.send_commitment(liar, reveal)
    record = court.play(job)
    assert disputed_step(record.disputes[0]).index == 2
    assert [one.account for one in record.slashes] == [account_id(liar)]
    assert record.accepted is not None
    assert account_id(liar) not in record.accepted.members


def test_a_result_without_a_trace_cannot_be_defended() -> None:
    court = Court()
    job = court.open()
    liar = court.executor(job, 0)
    reveal = Reveal(job, 0, run_of(8)[-1], 10_000, 0, bytes(32))
    court.ledger.send_commitment(liar, reveal)
    court.traces[liar] = run_of(8)
    court.silent = {liar}
    record = court.play(job)
    assert [one.reason for one in record.slashes] == [Fault.UNOPENED_COMMITMENT]
    assert record.ending is Ending.ACCEPTED


def test_a_juror_whose_machine_reached_a_limit_said_nothing_wrong() -> None:
    court = Court(lies={0: 3})
    job = court.open()
    court.play(job, Phase.JUDGING)
    slow = court.ledger.running(job)[0]
    court.ledger.send_commitment(slow, replace(court.vote_of(slow, job), outcome=1))
    record = court.play(job)
    verdict = record.disputes[0].verdict
    assert verdict is not None
    assert (len(verdict.losers), verdict.convicting) == (1, False), "two of three"
    assert jurors(record) == [Status.REVEALED] * 3
    assert court.ledger.state.reputation_of(account_id(slow)).wrong == 0


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_whoever_lies_and_falls_silent_no_honest_executor_loses_anything(
    data: st.DataObject,
) -> None:
    """Up to three liars of four, some of them silent, and one juror may be bribed."""
    lies = data.draw(st.dictionaries(st.integers(0, 3), st.integers(0, 7), max_size=3))
    court = Court(members=20, lies=lies, bribed=data.draw(st.sets(st.integers(0, 2), max_size=1)))
    job = court.open(range(1, 5), replicas=4, replicas_max=4)
    liars = {court.executor(job, place) for place in lies}
    court.silent = set(data.draw(st.sets(st.sampled_from(sorted(liars))))) if liars else set()
    record = court.play(job)
    assert record.accepted is not None
    assert record.accepted.output == run_of(8)[-1]
    assert {one.account for one in record.slashes} <= {account_id(one) for one in liars}
    assert honest_stakes(court, liars) == {STAKE}
    honest = {one.account for one in record.executors[:4]} - {account_id(one) for one in liars}
    assert set(record.accepted.members) == honest
    assert {one.account for one in record.payouts if one.reason is Payment.RESULT} == honest
    assert len(record.disputes) == len(liars), "each liar told a lie of its own"
