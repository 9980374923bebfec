"""A job from its close to its end: which rule applies when, read from top to bottom.

Each function takes a job and the circumstances, and returns what changes. What only a position of
the ledger can decide (close, draw, audit, deadlines) is called by the state when that position
comes; the rest is called with an operation.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import assert_never

from protocol.accounts import NOTHING, Pledge
from protocol.economy.reputation import Reputation, after_miss, odds
from protocol.economy.rewards import paid_limit_ms
from protocol.errors import Reason, Rejected
from protocol.job import commit_reveal, crosscheck, drawing, settlement
from protocol.job.bidding import exposure_of, obstacle_to, place_bid
from protocol.job.record import (
    Change,
    Circumstances,
    Duty,
    Ending,
    Executor,
    Fault,
    Job,
    PassedOver,
    Phase,
    PlacedBid,
    Status,
)
from protocol.messages import Bid, Cancellation, Commitment, Decline, Reveal
from protocol.units import AccountId, CommitIndex, Credits, Milliseconds, Round

UNAVAILABLE_MIN = 2
"""One executor alone cannot end a job by calling its content unavailable."""
ACTIVE = (Status.RUNNING, Status.COMMITTED, Status.REVEALED)

JobPayload = Bid | Decline | Cancellation | Commitment | Reveal
Rule = Callable[[Job, Circumstances], Change]


def decide(
    job: Job, account: AccountId, payload: JobPayload, circumstances: Circumstances
) -> Change:
    """Decides any operation on a job.

    Raises:
        Rejected: see the rule of each operation.
    """
    match payload:
        case Bid():
            return place_bid(job, account, payload, circumstances)
        case Decline():
            return decline(job, account, payload, circumstances)
        case Cancellation():
            return cancel(job, account, circumstances)
        case Commitment():
            return commit(job, account, payload, circumstances)
        case Reveal():
            return reveal(job, account, payload, circumstances)
        case _:
            assert_never(payload)


def cancel(job: Job, account: AccountId, circumstances: Circumstances) -> Change:
    """Decides a requester's withdrawal of its offer while bids are open.

    Raises:
        Rejected: `NOT_REQUESTER` or `WRONG_PHASE`.
    """
    if account != job.requester:
        raise Rejected(Reason.NOT_REQUESTER)
    if job.phase is not Phase.BIDDING:
        raise Rejected(Reason.WRONG_PHASE, job.phase.value)
    return settlement.refund(job, Ending.CANCELLED, circumstances, NOTHING)


def reach_round(job: Job, circumstances: Circumstances) -> Change:
    """Acts at the first commit whose leader round the job awaited: close, or count leaders."""
    if job.phase is Phase.BIDDING:
        if not job.bids:
            return settlement.refund(job, Ending.NO_BIDS, circumstances, NOTHING)
        return Change(_await_beacon(job, Phase.DRAWING, circumstances))
    index = circumstances.position.index + circumstances.parameters.seed_leaders - 1
    return Change(replace(job, round_awaited=None, index_awaited=CommitIndex(index)))


def reach_index(job: Job, circumstances: Circumstances) -> Change:
    """Acts at the commit whose beacon the job awaited: the draw, or the audit."""
    waiting = replace(job, index_awaited=None)
    if job.phase is Phase.DRAWING:
        return _draw_executors(waiting, circumstances)
    return _decide_audit(waiting, circumstances)


def decline(job: Job, account: AccountId, payload: Decline, circumstances: Circumstances) -> Change:
    """Decides a decline; the next spare is called, unless most find the content unavailable.

    Raises:
        Rejected: see `commit_reveal.decline`.
    """
    change = commit_reveal.decline(job, account, payload)
    if _mostly_unavailable(change.job):
        fee = Credits(circumstances.parameters.operation_fee * len(change.job.executors))
        refunded = settlement.refund(change.job, Ending.UNAVAILABLE, circumstances, fee)
        return replace(refunded, movements=(*change.movements, *refunded.movements))
    return _then(change, _continue, circumstances)


def _mostly_unavailable(job: Job) -> bool:
    """Says whether enough executors failed to fetch the content, and nobody succeeded."""
    if job.having(Status.COMMITTED, Status.REVEALED, Status.UNOPENED, Status.LATE):
        return False
    unavailable = sum(executor.unavailable for executor in job.executors)
    return unavailable >= UNAVAILABLE_MIN and 2 * unavailable > job.wanted


def commit(
    job: Job, account: AccountId, payload: Commitment, circumstances: Circumstances
) -> Change:
    """Decides a commitment; after the last one the audit beacon is awaited, or reveals open.

    Raises:
        Rejected: see `commit_reveal.commit`.
    """
    change = commit_reveal.commit(job, account, payload, circumstances.position)
    return _then(change, _continue, circumstances)


def reveal(job: Job, account: AccountId, payload: Reveal, circumstances: Circumstances) -> Change:
    """Decides a reveal; after the last one the job is judged, a late one only on its own.

    Raises:
        Rejected: see `commit_reveal.reveal`.
    """
    change = commit_reveal.reveal(job, account, payload)
    if change.job.terminal:
        return _judge_late(change.job, account, circumstances)
    if change.job.phase is Phase.REVEALING and not change.job.having(Status.COMMITTED):
        return _then(change, _judge, circumstances)
    return change


def pass_deadlines(job: Job, circumstances: Circumstances) -> Change:
    """Judges everything whose deadline has passed by ledger time."""
    now_ms = circumstances.position.ledger_ms
    change = Change(job)
    for executor in job.executors:
        if executor.status is Status.RUNNING and executor.deadline_ms <= now_ms:
            change = _joined(change, _miss(change.job, executor, circumstances))
        forfeit_ms = executor.forfeit_ms
        if executor.status is Status.UNOPENED and forfeit_ms is not None and forfeit_ms <= now_ms:
            change = _joined(change, _forfeit(change.job, executor, circumstances))
    if job.phase in commit_reveal.RUNNING_PHASES:
        return _then(change, _continue, circumstances)
    reveal_ms = job.reveal_deadline_ms
    if job.phase is Phase.REVEALING and reveal_ms is not None and reveal_ms <= now_ms:
        return _then(change, _judge, circumstances)
    return change


def _await_beacon(job: Job, phase: Phase, circumstances: Circumstances) -> Job:
    """Enters a phase that waits for leaders who could not have decided what came before."""
    delay = circumstances.parameters.seed_delay_rounds
    awaited = Round(circumstances.position.leader_round + delay)
    return replace(job.advanced(phase, circumstances.position), round_awaited=awaited)


def _draw_executors(job: Job, circumstances: Circumstances) -> Change:
    """Draws an order of all bidders, and calls as many as could reach the tolerated error."""
    drawn = drawing.draw_executors(job, circumstances)
    job = replace(job, draw=drawn, spares=drawn.order, passed_over=drawn.passed_over)
    if not drawn.order:
        return settlement.refund(job, Ending.NO_ELIGIBLE_BID, circumstances, NOTHING)
    wanted = drawing.replicas_to_begin(job, circumstances)
    if wanted is None:
        return settlement.refund(job, Ending.UNREACHABLE, circumstances, NOTHING)
    started = replace(job.advanced(Phase.EXECUTING, circumstances.position), wanted=wanted)
    return _then(Change(started), _continue, circumstances)


def _continue(job: Job, circumstances: Circumstances) -> Change:
    """Calls spares for those who failed; goes on when nobody is left to wait for."""
    change = Change(job)
    if job.phase is Phase.EXECUTING:
        change = _call_spares(job, circumstances)
    if change.job.having(Status.RUNNING):
        return change
    if change.job.phase is Phase.AUDITING or change.job.audit is not None:
        return _then(change, _open_reveals, circumstances)
    if change.job.having(Status.COMMITTED):
        waiting = _await_beacon(change.job, Phase.SAMPLING, circumstances)
        return replace(change, job=waiting)
    ending = Ending.UNAVAILABLE if _all_unavailable(change.job) else Ending.EXPIRED
    refunded = settlement.refund(change.job, ending, circumstances, NOTHING)
    return _joined(change, refunded)


def _all_unavailable(job: Job) -> bool:
    return bool(job.executors) and all(executor.unavailable for executor in job.executors)


def _call_spares(job: Job, circumstances: Circumstances) -> Change:
    """Calls spares in the drawn order until as many run or have run as are wanted."""
    change = Change(job)
    while change.job.spares and _active(change.job) < job.wanted:
        account, *rest = change.job.spares
        bid = job.bid_of(account)
        assert bid is not None, "only bidders are drawn"
        left = replace(change.job, spares=tuple(rest))
        obstacle = obstacle_to(job, bid, circumstances)
        if obstacle is None:
            change = _joined(change, _call(left, bid, Duty.EXECUTOR, circumstances))
        else:
            skipped = (*left.passed_over, PassedOver(account, obstacle))
            change = replace(change, job=replace(left, passed_over=skipped))
    return change


def _active(job: Job) -> int:
    active = job.having(*ACTIVE)
    return sum(executor.duty is Duty.EXECUTOR for executor in active)


def _call(job: Job, bid: PlacedBid, duty: Duty, circumstances: Circumstances) -> Change:
    parameters = circumstances.parameters
    now_ms = circumstances.position.ledger_ms
    allowed_ms = job.offer.deadline_ms + parameters.commitment_grace_ms
    exposure = exposure_of(bid.price, paid_limit_ms(job.offer, parameters), parameters)
    executor = Executor(
        account=bid.account,
        duty=duty,
        price=bid.price,
        device=bid.device,
        estimate_ms=bid.estimate_ms,
        exposure=exposure,
        checks=circumstances.reputation_of(bid.account).checks,
        called_ms=now_ms,
        deadline_ms=Milliseconds(now_ms + allowed_ms),
    )
    called = replace(job, executors=(*job.executors, executor))
    return Change(called, (Pledge(bid.account, job.identifier, exposure),))


def _decide_audit(job: Job, circumstances: Circumstances) -> Change:
    """Sends an auditor, if the beacon says so and anybody outside the executors has bid."""
    audit = drawing.sample_audit(job, circumstances)
    decided = replace(job, audit=audit)
    drawn = audit.drawn
    if drawn is None or not drawn.order:
        return _open_reveals(decided, circumstances)
    bid = job.bid_of(drawn.order[0])
    assert bid is not None, "only bidders are drawn"
    spares = tuple(account for account in job.spares if account != bid.account)
    auditing = replace(decided.advanced(Phase.AUDITING, circumstances.position), spares=spares)
    return _call(auditing, bid, Duty.AUDITOR, circumstances)


def _open_reveals(job: Job, circumstances: Circumstances) -> Change:
    parameters = circumstances.parameters
    now_ms = circumstances.position.ledger_ms
    opened = replace(
        job.advanced(Phase.REVEALING, circumstances.position),
        reveal_deadline_ms=Milliseconds(now_ms + parameters.reveal_window_ms),
    )
    for executor in opened.having(Status.COMMITTED):
        forfeit_ms = Milliseconds(now_ms + parameters.forfeit_window_ms)
        opened = opened.with_executor(replace(executor, forfeit_ms=forfeit_ms))
    if opened.having(Status.COMMITTED):
        return Change(opened)
    return _judge(opened, circumstances)


def _judge(job: Job, circumstances: Circumstances) -> Change:
    """Ends the job, or calls the spares that could still bring a result."""
    change = Change(job)
    for executor in job.having(Status.COMMITTED):
        change = _joined(change, _leave_unopened(change.job, executor, circumstances))
    finding = crosscheck.crosscheck(job, circumstances.parameters)
    judged = replace(change.job, groups=finding.groups, convicting=finding.convicting)
    change = replace(change, job=judged)
    if finding.accepted:
        return _then(change, _settle, circumstances)
    spares = _callable_spares(judged, circumstances)
    weights = [
        odds(circumstances.reputation_of(account).checks, circumstances.parameters)
        for account in spares
    ]
    more = crosscheck.spares_needed(finding, weights, job.offer.tolerated_error_ppm)
    if more is None:
        ended = _then(change, settlement.settle_inconclusive, circumstances)
        return _then(ended, _free, circumstances)
    again = replace(
        judged.advanced(Phase.EXECUTING, circumstances.position), wanted=_active(judged) + more
    )
    return _then(replace(change, job=again), _continue, circumstances)


def _callable_spares(job: Job, circumstances: Circumstances) -> tuple[AccountId, ...]:
    room = job.offer.replicas_max - _active(job)
    bids = [job.bid_of(account) for account in job.spares]
    able = [
        bid.account
        for bid in bids
        if bid is not None and obstacle_to(job, bid, circumstances) is None
    ]
    return tuple(able[: max(0, room)])


def _settle(job: Job, circumstances: Circumstances) -> Change:
    judged = job.having(Status.REVEALED, Status.LATE)
    contradicting = [each for each in judged if crosscheck.contradicts(each, job)]
    change = settlement.settle_accepted(job, contradicting, circumstances)
    punished = {executor.account for executor in contradicting}
    freed = tuple(
        commit_reveal.freed(job, each.account) for each in judged if each.account not in punished
    )
    return replace(change, movements=(*change.movements, *freed))


def _free(job: Job, circumstances: Circumstances) -> Change:
    """Frees the pledges of everyone whose reveal is known."""
    del circumstances
    revealed = job.having(Status.REVEALED, Status.LATE)
    return Change(job, tuple(commit_reveal.freed(job, each.account) for each in revealed))


def _judge_late(job: Job, account: AccountId, circumstances: Circumstances) -> Change:
    """Judges a reveal that came after the end: unpaid, but a lie is still a lie."""
    executor = job.executor(account)
    assert executor is not None, "its reveal was just accepted"
    if job.accepted is not None and crosscheck.contradicts(executor, job):
        return settlement.punish(job, executor, circumstances)
    return Change(job, (commit_reveal.freed(job, account),))


def _miss(job: Job, executor: Executor, circumstances: Circumstances) -> Change:
    missed = job.with_executor(replace(executor, status=Status.MISSED))
    freed = commit_reveal.freed(job, executor.account)
    return Change(missed, (freed,), (_absence(executor, circumstances),))


def _leave_unopened(job: Job, executor: Executor, circumstances: Circumstances) -> Change:
    unopened = job.with_executor(replace(executor, status=Status.UNOPENED))
    return Change(unopened, (), (_absence(executor, circumstances),))


def _forfeit(job: Job, executor: Executor, circumstances: Circumstances) -> Change:
    forfeited = job.with_executor(replace(executor, status=Status.FORFEITED))
    return settlement.slash(forfeited, executor, Fault.UNOPENED_COMMITMENT, circumstances)


def _absence(executor: Executor, circumstances: Circumstances) -> tuple[AccountId, Reputation]:
    reputation = circumstances.reputation_of(executor.account)
    now_ms = circumstances.position.ledger_ms
    return executor.account, after_miss(reputation, now_ms, circumstances.parameters)


def _then(change: Change, rule: Rule, circumstances: Circumstances) -> Change:
    """Applies the next rule to what the last one made of the job."""
    return _joined(change, rule(change.job, circumstances))


def _joined(change: Change, following: Change) -> Change:
    return Change(
        following.job,
        (*change.movements, *following.movements),
        (*change.reputations, *following.reputations),
    )
