"""Whether an accepted output can be had: payouts wait until nobody doubts it any more.

Where an offer asks that its output be kept, what was earned stays in the escrow for that long.
Until then the requester may say, once, that it cannot fetch the output. A later beacon draws
checkers from everybody who does such work and has no part in the job; they try to fetch it, and say
so if they cannot. If two of them do, nobody is paid and the payouts return. Silence is always in
favour of the workers, and no stake is ever at risk. The fee stays burned in any case: else a
requester and workers in league could farm credibility for nothing.
"""

from dataclasses import replace

from protocol.balances import NOTHING, Available, Escrow, Move, burn
from protocol.economy.reputation import Reputation, after_miss
from protocol.encoding import digest_of
from protocol.errors import Reason, Rejected
from protocol.job.drawing import draw_outsiders
from protocol.job.record import Change, Circumstances, Ending, Job
from protocol.job.settlement import pay_out
from protocol.job.transcript import Delivery
from protocol.units import AccountId, Credits, Milliseconds, Round

CHECKERS = 3
"""Workers that are drawn to fetch an output."""
FAILURES = 2
"""So many of them must fail before workers go unpaid: one alone may be cut off, or lie."""
ANSWER_WINDOWS = 4
"""Reveal windows that checkers have to fetch: two minutes where a reveal has half of one."""


def decide(job: Job, account: AccountId, circumstances: Circumstances) -> Change:
    """Decides the word of a requester or checker that an output cannot be fetched.

    Raises:
        Rejected: `WRONG_PHASE` where no payouts wait, `ALREADY_DONE`, or `NOT_EXECUTOR` for
            somebody who is neither.
    """
    delivery = job.delivery
    if delivery is None or delivery.is_over:
        raise Rejected(Reason.WRONG_PHASE, "no payouts wait")
    if account == job.requester:
        return _claim(job, delivery, circumstances)
    if account not in checkers(job):
        raise Rejected(Reason.NOT_EXECUTOR, "neither the requester nor a drawn checker")
    if account in delivery.missing:
        raise Rejected(Reason.ALREADY_DONE)
    failed = replace(delivery, missing=(*delivery.missing, account))
    doubted = replace(job, delivery=failed)
    if len(failed.missing) < FAILURES:
        return Change(doubted)
    return _withdraw(doubted, failed, circumstances)


def is_asked(job: Job, account: AccountId) -> bool:
    """Says whether an account is to fetch a job's output, and has not said that it cannot."""
    delivery = job.delivery
    if delivery is None or delivery.is_over:
        return False
    return account in checkers(job) and account not in delivery.missing


def may_claim(job: Job, account: AccountId) -> bool:
    """Says whether an account is the requester of an output that it can still claim to lack."""
    delivery = job.delivery
    if delivery is None or delivery.is_over or delivery.is_claimed:
        return False
    return account == job.requester


def draw_checkers(job: Job, circumstances: Circumstances) -> Change:
    """Draws who tries to fetch an output, by a beacon that nobody knew at the claim."""
    assert job.delivery is not None, "only a claim awaits a beacon after the end"
    seed = digest_of(b"delivery", circumstances.position.beacon, job.identifier)
    drawn = draw_outsiders(job, seed, circumstances, CHECKERS)
    window_ms = ANSWER_WINDOWS * circumstances.parameters.reveal_window_ms
    until_ms = Milliseconds(circumstances.position.ledger_ms + window_ms)
    return Change(replace(job, delivery=replace(job.delivery, drawn=drawn, until_ms=until_ms)))


def pass_deadline(job: Job, circumstances: Circumstances) -> Change:
    """Pays the workers once their time of waiting is over; else changes nothing."""
    delivery = job.delivery
    if delivery is None or delivery.is_over or delivery.until_ms is None:
        return Change(job)
    if delivery.until_ms > circumstances.position.ledger_ms:
        return Change(job)
    paid = replace(job, delivery=replace(delivery, is_over=True))
    return Change(paid, pay_out(paid, paid.payouts))


def checkers(job: Job) -> tuple[AccountId, ...]:
    """Lists who was drawn to fetch a job's output, if anybody was."""
    drawn = job.delivery.drawn if job.delivery is not None else None
    return drawn.order if drawn is not None else ()


def waiting(job: Job) -> Credits:
    """Adds up the payouts that an ended job's escrow still holds."""
    return Credits(sum(one.amount for one in job.payouts)) if job.delivering else NOTHING


def _claim(job: Job, delivery: Delivery, circumstances: Circumstances) -> Change:
    """Takes the requester's word, for the fee of an operation for each checker that it sends."""
    if delivery.is_claimed:
        raise Rejected(Reason.ALREADY_DONE, "one claim for each job")
    parameters = circumstances.parameters
    awaited = Round(circumstances.position.leader_round + parameters.seed_delay_rounds)
    claimed = replace(delivery, is_claimed=True, until_ms=None)
    fee = burn(job.requester, Credits(CHECKERS * parameters.operation_fee))
    return Change(replace(job, delivery=claimed, round_awaited=awaited), (fee,))


def _withdraw(job: Job, delivery: Delivery, circumstances: Circumstances) -> Change:
    """Gives the payouts back: the workers are unpaid, and rest like those who missed a deadline."""
    amount = waiting(job)
    back = Move(Escrow(job.identifier, job.requester), Available(job.requester), amount)
    unpaid = replace(
        job,
        ending=Ending.UNDELIVERED,
        payouts=(),
        refund=Credits(job.refund + amount),
        delivery=replace(delivery, is_over=True),
    )
    members = job.groups[0].members
    absent = tuple((one, _rested(one, circumstances)) for one in members)
    return Change(unpaid, (back,), absent)


def _rested(account: AccountId, circumstances: Circumstances) -> Reputation:
    now_ms = circumstances.position.ledger_ms
    return after_miss(circumstances.reputation_of(account), now_ms, circumstances.parameters)
