"""The end of a job: who is paid what, what is burned, and what returns to the requester.

A job is settled exactly once: its escrow is emptied by the movements computed here, and no phase
follows. Pledges of contradicted results are taken here too, or later when a late reveal comes in.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from protocol.balances import NOTHING, Available, Escrow, Move, Movement, Pledge, Reserve
from protocol.economy.reputation import (
    Reputation,
    after_answer,
    after_conviction,
    after_right,
    after_wrong,
)
from protocol.economy.rewards import (
    METERED_KIND,
    bonuses_of,
    fee_on,
    half_pay,
    metered_ms,
    paid_limit_ms,
    pay,
)
from protocol.economy.slashing import slash_pledge
from protocol.job.record import (
    Change,
    Circumstances,
    Duty,
    Ending,
    Executor,
    Fault,
    Group,
    Job,
    Payment,
    Payout,
    Phase,
    ResultOutcome,
    Slash,
    Status,
)
from protocol.job.transcript import Delivery
from protocol.parameters import Parameters
from protocol.units import AccountId, Credits, Milliseconds

LONE_ESTIMATE_PARTS = (12, 10)
"""A lone executor is paid for at most 1.2 times its own estimate: nobody else measured."""

REASONS: Final = MappingProxyType(
    {
        Duty.EXECUTOR: Payment.RESULT,
        Duty.AUDITOR: Payment.AUDIT,
        Duty.JUROR: Payment.JURY,
        Duty.STEP_JUROR: Payment.JURY,
    }
)
"""What whoever found the accepted result is paid for."""


def settle_accepted(
    job: Job, contradicting: Sequence[Executor], circumstances: Circumstances
) -> Change:
    """Settles a job whose best group reached the tolerated error.

    Args:
        job: The job, judged, while reveals were open.
        contradicting: Whoever finished with another result.
        circumstances: Where and when this is judged.
    """
    group = job.groups[0]
    if group.outcome is not ResultOutcome.FINISHED:
        return _pay_half(job, Phase.SETTLED, Ending.UNFINISHED, circumstances)
    payouts = _result_payouts(job, group, circumstances)
    change = _close(job, Phase.SETTLED, Ending.ACCEPTED, payouts, circumstances)
    checked = _is_check(change.job, group, circumstances.parameters)
    praised = tuple(
        (account, _praise(account, change.job, circumstances, checked=checked))
        for account in group.members
    )
    change = replace(change, reputations=praised)
    for executor in contradicting:
        change = change.followed_by(punish(change.job, executor, circumstances))
    return change


def _is_check(job: Job, group: Group, parameters: Parameters) -> bool:
    """Whether an accepted result says something about those who found it.

    Another one found the same, and the job burned enough. And whoever checked could have been
    anybody: a checker drawn from all who do such work is among them, or most of these had bid, by
    stake. Else a ring could raise its own credibility with offers that nobody else takes.
    """
    if len(group.members) < 2 or job.fee < parameters.check_fee_min:
        return False
    duties = [one.duty for one in job.executors if one.account in group.members]
    if any(duty is not Duty.EXECUTOR for duty in duties):
        return True
    cap = Credits(parameters.lottery_stake_cap)
    return job.draw is not None and job.draw.bidding_stake(cap) >= job.draw.absent_stake


def settle_inconclusive(job: Job, circumstances: Circumstances) -> Change:
    """Ends a job without a result: whoever revealed in time gets half, the rest returns."""
    return _pay_half(job, Phase.INCONCLUSIVE, Ending.EXHAUSTED, circumstances)


def refund(job: Job, ending: Ending, circumstances: Circumstances, fee: Credits) -> Change:
    """Ends a job in which nobody did paid work.

    Args:
        job: The job.
        ending: Why.
        circumstances: Where and when this is judged.
        fee: Burned from the escrow, for a requester at whose fault executors were drawn in vain.
    """
    return _close(job, Phase.REFUNDED, ending, (), circumstances, min(fee, _budget(job)))


def punish(job: Job, executor: Executor, circumstances: Circumstances) -> Change:
    """Judges an executor whose result the accepted one contradicts.

    Where the job convicts, the pledge is slashed; elsewhere the result only goes unpaid and costs
    credibility, and the pledge is freed.
    """
    reputation = circumstances.reputation_of(executor.account)
    if not job.convicting:
        freed = Pledge(executor.account, job.identifier, NOTHING)
        return Change(job, (freed,), ((executor.account, after_wrong(reputation)),))
    change = slash(job, executor, Fault.WRONG_RESULT, circumstances)
    return replace(change, reputations=((executor.account, after_conviction(reputation)),))


def slash(job: Job, executor: Executor, fault: Fault, circumstances: Circumstances) -> Change:
    """Takes what an executor pledged, part of it for the requester."""
    account = circumstances.account_of(executor.account)
    movements, amount = slash_pledge(
        executor.account, account, job.identifier, job.requester, circumstances.parameters
    )
    entry = Slash(executor.account, amount, fault)
    return Change(replace(job, slashes=(*job.slashes, entry)), movements)


def paid_ms(
    executor: Executor, claims: Sequence[Milliseconds], job: Job, parameters: Parameters
) -> Milliseconds:
    """Computes the time that a right result is paid for.

    The lower median of the claims, but no more than ledger time saw pass between draw and
    commitment, and no more than the offer's limit. Metered fuel replaces time where the kind
    counts it: it is equal on all machines, so a fast one is not paid less.

    Args:
        executor: Who is paid.
        claims: What all executors with the same result claim.
        job: Their job.
        parameters: The network's terms.
    """
    median = sorted(claims)[(len(claims) - 1) // 2]
    bounds = [median, paid_limit_ms(job.offer, parameters)]
    if job.offer.kind != METERED_KIND:
        bounds.append(_ledger_span_ms(executor))
    if len(claims) == 1:
        parts, whole = LONE_ESTIMATE_PARTS
        bounds.append(Milliseconds(executor.estimate_ms * parts // whole))
    return min(bounds)


def _result_payouts(job: Job, group: Group, circumstances: Circumstances) -> tuple[Payout, ...]:
    parameters = circumstances.parameters
    right = [each for each in job.executors if each.account in group.members]
    claims = [_claim_ms(each, job, parameters) for each in right]
    audited = any(each.duty is Duty.AUDITOR for each in right)
    payouts = []
    for executor in right:
        target_ms = job.offer.speed_target_ms
        bonuses = bonuses_of(
            parameters,
            checked=len(right) > 1,
            audited=audited,
            in_time=target_ms > 0 and _ledger_span_ms(executor) <= target_ms,
            present=circumstances.is_up(executor.account),
        )
        time_ms = paid_ms(executor, claims, job, parameters)
        amount = pay(executor.price, time_ms, bonuses)
        payouts.append(Payout(executor.account, amount, REASONS[executor.duty]))
    for juror in job.having(Status.REVEALED):
        if juror.duty is Duty.STEP_JUROR:
            amount = pay(juror.price, _own_ms(juror, job, parameters))
            payouts.append(Payout(juror.account, amount, REASONS[juror.duty]))
    return tuple(payouts)


def _pay_half(job: Job, phase: Phase, ending: Ending, circumstances: Circumstances) -> Change:
    parameters = circumstances.parameters
    payouts = tuple(
        Payout(
            executor.account,
            half_pay(executor.price, _own_ms(executor, job, parameters)),
            Payment.HALF,
        )
        for executor in job.having(Status.REVEALED)
    )
    change = _close(job, phase, ending, payouts, circumstances)
    answered = tuple(
        (executor.account, after_answer(circumstances.reputation_of(executor.account)))
        for executor in job.having(Status.REVEALED)
    )
    return replace(change, reputations=answered)


def _own_ms(executor: Executor, job: Job, parameters: Parameters) -> Milliseconds:
    claim = _claim_ms(executor, job, parameters)
    return paid_ms(executor, (claim, claim), job, parameters)


def _close(
    job: Job,
    phase: Phase,
    ending: Ending,
    payouts: Iterable[Payout],
    circumstances: Circumstances,
    fee: Credits = NOTHING,
) -> Change:
    """Empties the escrow: payouts, the burned fee, and the rest to the requester.

    Payouts for an output that has to be kept stay in it, see `protocol.job.delivery`.
    """
    paid = tuple(payout for payout in payouts if payout.amount)
    total = Credits(sum(payout.amount for payout in paid))
    fee = Credits(fee + fee_on(total, circumstances.parameters))
    rest = Credits(_budget(job) - total - fee)
    assert rest >= 0, "the budget covers the most that a job can cost"
    escrow = Escrow(job.identifier, job.requester)
    delivery = _delivery_of(job, ending, circumstances) if paid else None
    movements: list[Movement] = [
        *(pay_out(job, paid) if delivery is None else ()),
        Move(escrow, Reserve.BURNED, fee),
        Move(escrow, Available(job.requester), rest),
    ]
    movements.extend(
        Pledge(executor.account, job.identifier, NOTHING) for executor in job.having(Status.RUNNING)
    )
    closed = replace(
        job.advanced(phase, circumstances.position),
        ending=ending,
        payouts=paid,
        fee=fee,
        refund=rest,
        delivery=delivery,
        executors=tuple(_released(executor) for executor in job.executors),
    )
    return Change(closed, tuple(movements))


def pay_out(job: Job, payouts: Iterable[Payout]) -> tuple[Movement, ...]:
    """Moves payouts from a job's escrow to those who earned them."""
    escrow = Escrow(job.identifier, job.requester)
    return tuple(Move(escrow, Available(one.account), one.amount) for one in payouts)


def _delivery_of(job: Job, ending: Ending, circumstances: Circumstances) -> Delivery | None:
    """Says until when payouts wait; None where there is no output, or nobody asked to keep it."""
    if ending is not Ending.ACCEPTED or not job.offer.retention_ms:
        return None
    now_ms = circumstances.position.ledger_ms
    return Delivery(Milliseconds(now_ms + job.offer.retention_ms))


def _released(executor: Executor) -> Executor:
    assert executor.status is not Status.COMMITTED, "commitments are judged before an end"
    if executor.status is Status.RUNNING:
        return replace(executor, status=Status.RELEASED)
    return executor


def _claim_ms(executor: Executor, job: Job, parameters: Parameters) -> Milliseconds:
    assert executor.reveal is not None, "only who revealed has a claim"
    if job.offer.kind == METERED_KIND:
        return metered_ms(executor.reveal.fuel, parameters)
    return Milliseconds(executor.reveal.elapsed_ms)


def _ledger_span_ms(executor: Executor) -> Milliseconds:
    assert executor.committed_ms is not None, "only who committed has a span"
    return Milliseconds(executor.committed_ms - executor.called_ms)


def _budget(job: Job) -> Credits:
    return Credits(job.offer.budget)


def _praise(
    account: AccountId, job: Job, circumstances: Circumstances, *, checked: bool
) -> Reputation:
    """Adds an accepted result to a record, with an equal part of the fee for everybody right."""
    return after_right(
        circumstances.reputation_of(account),
        job.requester,
        circumstances.position.ledger_ms,
        circumstances.parameters,
        checked=checked,
        burned=Credits(job.fee // len(job.groups[0].members)),
    )
