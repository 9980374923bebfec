"""Commits become balances and jobs: chains of nonces, fees, facts, punishments, one digest."""

import pytest
from msgspec.structs import replace

from protocol.errors import Reason, Rejected
from protocol.facts import JobAdvanced, OperationApplied, OperationFailed, Settled, Slashed
from protocol.job.record import Fault, Phase
from protocol.ledger.committee import Committee
from protocol.messages import (
    Cancellation,
    EquivocationEvidence,
    StakeDeposit,
    StakeWithdrawal,
    Transfer,
    network_of,
)
from protocol.parameters import minimal
from protocol.units import CREDIT, Credits, Digest, Epoch, JobId, MemberIndex, Round
from tests.support.builders import (
    RICHES,
    STAKE,
    HandLedger,
    account_id,
    ledger_of_outsiders,
    make_bid,
    make_genesis,
    make_offer,
    make_operation,
    make_reveal,
    make_state,
)
from tests.support.contradiction import contradict

TERMS = minimal()
FEE = TERMS.operation_fee
ANN, BEA, NEW = account_id(0), account_id(1), account_id(20)
GIFT = Transfer(BEA, CREDIT)
ON_TOP = 500 * CREDIT
"""Stake that a member deposits beyond what its vote weighs."""


def test_an_operation_takes_effect_and_burns_its_fee() -> None:
    ledger = HandLedger()
    entry = ledger.operation(0, GIFT)
    assert ledger.commit(entry) == (OperationApplied(entry.identifier, ANN),)
    accounts = ledger.state.accounts
    assert accounts.of(ANN).available == RICHES - CREDIT - FEE
    assert accounts.of(BEA).available == RICHES + CREDIT
    assert accounts.totals.burned == FEE


def test_a_copy_of_an_operation_has_no_effect() -> None:
    ledger = HandLedger()
    entry = ledger.operation(0, GIFT)
    facts = ledger.commit(entry, entry)
    assert facts[1] == OperationFailed(entry.identifier, ANN, Reason.STALE_NONCE, "")
    assert ledger.state.next_nonce(ANN) == 1


def test_an_operation_ahead_of_its_chain_waits() -> None:
    ledger = HandLedger()
    second = make_operation(ledger.genesis, 0, 1, GIFT)
    (failed,) = ledger.commit(second)
    assert failed == OperationFailed(second.identifier, ANN, Reason.NONCE_GAP, "")
    assert ledger.state.next_nonce(ANN) == 0
    ledger.do(0, GIFT)
    assert ledger.commit(second) == (OperationApplied(second.identifier, ANN),)


def test_a_failed_operation_uses_up_its_place_and_its_fee() -> None:
    ledger = HandLedger()
    failure = ledger.fail(0, Transfer(BEA, 2 * RICHES))
    assert failure.reason is Reason.INSUFFICIENT_FUNDS
    assert ledger.state.next_nonce(ANN) == 1
    assert ledger.state.accounts.of(ANN).available == RICHES - FEE
    assert ledger.state.accounts.of(BEA).available == RICHES


def test_an_account_that_cannot_pay_a_fee_still_uses_up_its_place() -> None:
    ledger = HandLedger()
    ledger.do(0, Transfer(NEW, TERMS.account_minimum))
    ledger.do(20, Transfer(BEA, TERMS.account_minimum - FEE))
    assert ledger.fail(20, Transfer(BEA, 1)).reason is Reason.INSUFFICIENT_FUNDS
    assert ledger.state.next_nonce(NEW) == 2
    assert ledger.state.accounts.of(NEW).available == 0


def test_an_account_that_was_never_funded_can_do_nothing() -> None:
    ledger = HandLedger()
    assert ledger.state.next_nonce(NEW) is None
    assert ledger.fail(20, GIFT).reason is Reason.UNKNOWN_ACCOUNT
    assert NEW not in ledger.state.accounts


def test_an_operation_after_its_last_epoch_is_void() -> None:
    ledger = HandLedger()
    ledger.state.epochs.committee = Committee(
        network_of(ledger.genesis),
        Epoch(1),
        ledger.state.committee.members,
        Digest(bytes(32)),
        churn_profile=False,
    )
    late = make_operation(ledger.genesis, 0, 0, GIFT, last_epoch=0)
    assert ledger.commit(late) == (OperationFailed(late.identifier, ANN, Reason.EXPIRED, ""),)
    assert ledger.state.next_nonce(ANN) == 0


def test_bytes_that_do_not_open_are_no_operation() -> None:
    assert HandLedger().commit(None, None) == ()


def test_a_job_that_nobody_knows_is_named_as_such() -> None:
    assert HandLedger().fail(0, Cancellation(JobId(bytes(32)))).reason is Reason.UNKNOWN_JOB


def test_work_is_free_of_fees() -> None:
    ledger = HandLedger()
    record = ledger.run(ledger.start().identifier)
    worker = record.executors[0].account
    (pay,) = (payout.amount for payout in record.payouts if payout.account == worker)
    assert ledger.state.accounts.of(worker).available == RICHES + pay


def test_work_that_fails_costs_its_fee() -> None:
    ledger = HandLedger()
    for count in (1, 2):
        assert ledger.fail(0, make_bid(JobId(bytes(32)))).reason is Reason.UNKNOWN_JOB
        assert ledger.state.accounts.of(ANN).available == RICHES - count * FEE
    assert ledger.state.accounts.of(ANN).staked == STAKE


def test_an_account_without_a_fee_and_without_stake_may_not_send() -> None:
    ledger = HandLedger()
    assert not ledger.state.may_send(NEW), "it was never funded"
    ledger.do(0, Transfer(NEW, TERMS.account_minimum))
    assert ledger.state.may_send(NEW)
    ledger.do(20, Transfer(BEA, TERMS.account_minimum - FEE))
    assert not ledger.state.may_send(NEW)
    assert ledger.state.may_send(ANN)


def test_stake_goes_in_and_comes_out_after_its_period() -> None:
    ledger = HandLedger(step_ms=10_000)
    stake = TERMS.stake_minimum // 2
    ledger.do(0, StakeDeposit(stake))
    ledger.do(0, StakeWithdrawal(stake))
    assert ledger.state.accounts.of(ANN).slashable == STAKE + stake
    ledger.turn(2)
    for _ in range(TERMS.unbonding_ms // 10_000 - 2):
        assert ledger.state.accounts.of(ANN).slashable == STAKE + stake
        ledger.commit()
    ann = ledger.state.accounts.of(ANN)
    assert ann.slashable == STAKE
    assert ann.available - ann.accrual.earned == RICHES - 2 * FEE


def test_an_account_outside_the_committee_may_withdraw_all_its_stake() -> None:
    ledger = ledger_of_outsiders()
    ledger.do(1, StakeWithdrawal(STAKE))
    assert ledger.state.accounts.of(BEA).staked == 0
    assert ledger.state.accounts.of(BEA).slashable == STAKE


def test_a_member_may_withdraw_all_its_stake_and_keeps_its_seat_for_this_epoch() -> None:
    ledger = HandLedger()
    ledger.do(0, StakeWithdrawal(STAKE))
    assert ledger.state.accounts.of(ANN).staked == 0
    assert ledger.state.accounts.of(ANN).slashable == STAKE
    assert ledger.state.committee.index_of(ANN) is not None


def test_a_preview_says_what_would_fail_and_changes_nothing() -> None:
    state = make_state()
    before = state.digest
    state.preview(ANN, GIFT)
    state.preview(ANN, make_offer())
    for account, payload, reason in (
        (ANN, Transfer(BEA, 2 * RICHES), Reason.INSUFFICIENT_FUNDS),
        (NEW, GIFT, Reason.UNKNOWN_ACCOUNT),
        (ANN, make_offer(budget=1), Reason.BUDGET_TOO_SMALL),
    ):
        with pytest.raises(Rejected) as refusal:
            state.preview(account, payload)
        assert refusal.value.reason is reason
    assert (state.digest, state.next_nonce(ANN), len(state.jobs)) == (before, 0, 0)


def test_facts_tell_a_jobs_story() -> None:
    ledger = HandLedger()
    job = ledger.start().identifier
    liar = ledger.running(job)[0]
    record = ledger.run(job, {liar: b"wrong"})
    advances = [fact.phase for fact in ledger.facts if isinstance(fact, JobAdvanced)]
    steps = {milestone.leader_round: milestone.phase for milestone in record.timeline}
    assert advances == list(steps.values()), "the last phase that each commit brought"
    assert [fact for fact in ledger.facts if isinstance(fact, Settled)] == [Settled(job)]
    slashed = [fact for fact in ledger.facts if isinstance(fact, Slashed)]
    amount = record.slashes[0].amount
    assert slashed == [Slashed(account_id(liar), amount, Fault.WRONG_RESULT, job)]


def test_the_ledger_is_awaited_while_a_job_needs_it_and_not_while_it_runs() -> None:
    ledger = HandLedger()
    waited = [ledger.state.awaiting_ledger]
    job = ledger.open()
    waited.append(ledger.state.awaiting_ledger)
    assert waited == [False, True]
    ledger.bid(job, 1, 2, 3)
    record = ledger.until(job, Phase.EXECUTING)
    assert record.deadline_ms is not None
    while ledger.state.ledger_time_ms < record.deadline_ms - 12 * TERMS.minimum_round_ms:
        assert not ledger.state.awaiting_ledger
        ledger.commit(step_ms=500)
    assert ledger.state.awaiting_ledger


def test_the_ledger_is_awaited_while_fingerprints_are_missing() -> None:
    ledger = HandLedger()
    job = ledger.start().identifier
    numbers = ledger.running(job)
    for number in numbers:
        ledger.send_commitment(number, make_reveal(job))
    assert ledger.state.awaiting_ledger
    ledger.quiet.update(numbers)
    ledger.until(job, Phase.COMPARING)
    assert ledger.state.awaiting_ledger
    assert [each.fingerprint for each in ledger.state.jobs[job].executors] == [None] * 3


def test_the_same_commits_give_the_same_digest_and_others_another() -> None:
    ledger = HandLedger()
    ledger.run(ledger.start().identifier)
    again = make_state()
    for commit, entries in ledger.commits:
        again.apply(commit, entries)
    assert again.digest == ledger.state.digest
    other = make_state()
    for commit, entries in ledger.commits:
        other.apply(commit, entries[:-1])
    assert other.digest != ledger.state.digest


def test_every_commit_changes_the_digest() -> None:
    ledger = HandLedger()
    digests = {ledger.state.digest}
    for _ in range(3):
        ledger.commit()
        digests.add(ledger.state.digest)
    assert len(digests) == 4


def test_commits_are_applied_in_order() -> None:
    ledger = HandLedger()
    ledger.commit()
    with pytest.raises(AssertionError):
        ledger.state.apply(ledger.commits[0][0], ())


# Contradictions


def member_of(ledger: HandLedger, number: int) -> MemberIndex:
    members = ledger.state.committee.members
    return MemberIndex([member.account for member in members].index(account_id(number)))


def test_evidence_slashes_its_subject_and_rewards_its_reporter() -> None:
    ledger = HandLedger()
    facts = ledger.do(1, contradict(ledger.state.committee, 0))
    share = 3 * 10_000 // 7
    loss = Credits(STAKE * share // 10_000)
    assert facts[1:] == (Slashed(ANN, loss, Fault.EQUIVOCATION, None),)
    assert ledger.state.accounts.of(ANN).staked == STAKE - loss
    reward = loss * TERMS.slash_reporter_share // 10_000
    assert ledger.state.accounts.of(BEA).available == RICHES + reward


def test_a_contradiction_is_punished_once() -> None:
    ledger = HandLedger()
    evidence = contradict(ledger.state.committee, 0)
    ledger.do(1, evidence)
    staked = ledger.state.accounts.of(ANN).staked
    before = ledger.state.accounts.of(account_id(2)).available
    assert ledger.fail(2, evidence).reason is Reason.ALREADY_PUNISHED
    assert ledger.state.accounts.of(account_id(2)).available == before - FEE
    ledger.commit(equivocations=((member_of(ledger, 0), Round(4)),))
    assert ledger.state.accounts.of(ANN).staked == staked


def test_what_the_ledger_shows_itself_needs_no_evidence() -> None:
    ledger = HandLedger()
    (fact,) = ledger.commit(equivocations=((member_of(ledger, 0), Round(4)),))
    assert isinstance(fact, Slashed)
    assert ledger.state.accounts.totals.burned == fact.amount
    assert ledger.fail(1, contradict(ledger.state.committee, 0)).reason is Reason.ALREADY_PUNISHED


def test_evidence_that_proves_nothing_costs_its_fee() -> None:
    ledger = HandLedger()
    good = contradict(ledger.state.committee, 0)
    same = EquivocationEvidence(good.first, good.first_signature, good.first, good.first_signature)
    assert ledger.fail(1, same).reason is Reason.BAD_EVIDENCE
    assert ledger.state.accounts.of(BEA).available == RICHES - FEE


def test_unbonding_is_no_escape_from_evidence() -> None:
    ledger = HandLedger()
    ledger.deposit(0, amount=ON_TOP)
    ledger.do(0, StakeWithdrawal(ON_TOP))
    assert ledger.state.accounts.of(ANN).staked == STAKE
    (_, fact) = ledger.do(1, contradict(ledger.state.committee, 0))
    assert isinstance(fact, Slashed)
    share = 3 * 10_000 // 7
    assert fact.amount == STAKE * share // 10_000 + ON_TOP * share // 10_000
    assert ledger.state.accounts.of(ANN).slashable == STAKE + ON_TOP - fact.amount


def test_evidence_that_a_gap_held_up_comes_before_the_stake_is_released() -> None:
    ledger = HandLedger(step_ms=14_000)
    ledger.deposit(0, amount=ON_TOP)
    ledger.do(0, StakeWithdrawal(ON_TOP))
    while ledger.state.ledger_time_ms < TERMS.unbonding_ms:
        ledger.commit()
    facts = ledger.commit(ledger.operation(1, contradict(ledger.state.committee, 0)), step_ms=10**9)
    assert [type(fact) for fact in facts] == [OperationApplied, Slashed]
    share = 3 * 10_000 // 7
    assert isinstance(facts[1], Slashed)
    assert facts[1].amount == (STAKE + ON_TOP) * share // 10_000, "unbonding stake was there, too"


def test_a_coalition_loses_all_of_its_later_stake() -> None:
    ledger = HandLedger()
    losses = []
    for number in range(3):
        (fact,) = ledger.commit(equivocations=((member_of(ledger, number), Round(4)),))
        assert isinstance(fact, Slashed)
        losses.append(fact.amount)
    assert losses == [STAKE * share // 10_000 for share in (4_285, 8_571, 10_000)]


def test_an_equivocator_still_answers_with_what_is_left_of_its_pledge() -> None:
    genesis = make_genesis(parameters=replace(TERMS, equivocation_slash_min=10_000))
    ledger = HandLedger(genesis)
    job = ledger.start().identifier
    liar = ledger.running(job)[0]
    ledger.commit(equivocations=((member_of(ledger, liar), Round(4)),))
    assert ledger.state.accounts.of(account_id(liar)).slashable == 0
    record = ledger.run(job, {liar: b"wrong"})
    assert record.slashes[0].amount == 0
    assert record.phase is Phase.SETTLED
