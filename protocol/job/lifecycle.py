"""A job from its close to its end: which rule applies when, read from top to bottom.

Each function takes a job and the circumstances, and returns what changes. What only a position of
the ledger can decide (close, draw, audit, deadlines) is called by the state when that position
comes; the rest is called with an operation.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import assert_never

from protocol.balances import NOTHING
from protocol.claims import Unavailable
from protocol.economy.reputation import Reputation, after_miss
from protocol.errors import Reason, Rejected
from protocol.job import (
    calling,
    commit_reveal,
    crosscheck,
    delivery,
    drawing,
    jury,
    settlement,
    trial,
)
from protocol.job.bidding import place_bid
from protocol.job.record import (
    Change,
    Circumstances,
    Duty,
    Ending,
    Executor,
    Fault,
    Job,
    Phase,
    Status,
)
from protocol.job.stepped import is_stepped
from protocol.job.waiting import await_answers, await_beacon
from protocol.messages import Bid, Cancellation, Commitment, Decline, Fingerprint, Reveal
from protocol.step_messages import StepPair
from protocol.units import AccountId, CommitIndex, Credits, Milliseconds

FreePayload = Bid | Decline | Commitment | Fingerprint | Reveal | StepPair | Unavailable
"""Without a fee where they succeed: a job needs them, and each may send one for each job, or for
each level of a dispute."""
JobPayload = FreePayload | Cancellation
Rule = Callable[[Job, Circumstances], Change]


def decide(  # noqa: PLR0911  one for each operation
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
        case Fingerprint():
            return fingerprint(job, account, payload, circumstances)
        case Reveal():
            return reveal(job, account, payload, circumstances)
        case StepPair():
            return trial.open_level(job, account, payload, circumstances)
        case Unavailable():
            return delivery.decide(job, account, circumstances)
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
        return Change(await_beacon(job, Phase.DRAWING, circumstances))
    index = circumstances.position.index + circumstances.parameters.seed_leaders - 1
    return Change(replace(job, round_awaited=None, index_awaited=CommitIndex(index)))


def reach_index(job: Job, circumstances: Circumstances) -> Change:
    """Acts at the commit whose beacon the job awaited: a draw of executors or of any checkers."""
    waiting = replace(job, index_awaited=None)
    if job.terminal:
        return delivery.draw_checkers(waiting, circumstances)
    if job.phase is Phase.DRAWING:
        return _draw_executors(waiting, circumstances)
    if job.phase is Phase.SUMMONING:
        return _summon(waiting, circumstances)
    return _decide_audit(waiting, circumstances)


def decline(job: Job, account: AccountId, payload: Decline, circumstances: Circumstances) -> Change:
    """Decides a decline; the next spare is called, unless most find the content unavailable.

    Raises:
        Rejected: see `commit_reveal.decline`.
    """
    change = commit_reveal.decline(job, account, payload)
    if commit_reveal.is_mostly_unavailable(change.job):
        fee = Credits(circumstances.parameters.operation_fee * len(change.job.executors))
        refunded = settlement.refund(change.job, Ending.UNAVAILABLE, circumstances, fee)
        return replace(refunded, movements=(*change.movements, *refunded.movements))
    return _then(change, _continue, circumstances)


def commit(
    job: Job, account: AccountId, payload: Commitment, circumstances: Circumstances
) -> Change:
    """Decides a commitment; after the last one the audit beacon or fingerprints are awaited.

    Raises:
        Rejected: see `commit_reveal.commit`.
    """
    change = commit_reveal.commit(job, account, payload, circumstances.position)
    return _then(change, _continue, circumstances)


def fingerprint(
    job: Job, account: AccountId, payload: Fingerprint, circumstances: Circumstances
) -> Change:
    """Decides a fingerprint; after the last one, once the audit is decided, all are compared.

    Raises:
        Rejected: see `commit_reveal.fingerprint`.
    """
    change = commit_reveal.fingerprint(job, account, payload)
    if change.job.phase is Phase.COMPARING and not _unnamed(change.job):
        return _then(change, _compare, circumstances)
    return change


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
            change = change.followed_by(_miss(change.job, executor, circumstances))
        forfeit_ms = executor.forfeit_ms
        if executor.status is Status.UNOPENED and forfeit_ms is not None and forfeit_ms <= now_ms:
            change = change.followed_by(_forfeit(change.job, executor, circumstances))
    if job.phase in commit_reveal.RUNNING_PHASES:
        return _then(change, _continue, circumstances)
    if job.window_end_ms is not None and job.window_end_ms <= now_ms:
        rule = _compare if job.phase is Phase.COMPARING else _judge
        return _then(change, rule, circumstances)
    if job.phase is Phase.DISPUTING and job.disputes[-1].deadline_ms <= now_ms:
        return _then(change, _pass_clock, circumstances)
    return _then(change, delivery.pass_deadline, circumstances)


def _pass_clock(job: Job, circumstances: Circumstances) -> Change:
    """Reminds the sides of a dispute, or judges without those that stayed silent."""
    change = trial.pass_deadline(job, circumstances)
    is_over = change.job.disputes[-1].verdict is not None
    return _then(change, _judge, circumstances) if is_over else change


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
        change = calling.call_spares(job, circumstances)
    elif job.phase is Phase.JUDGING:
        fill_seats = trial.fill_seats if job.disputes else jury.fill_seats
        change = fill_seats(job, circumstances)
    if change.job.having(Status.RUNNING):
        return change
    if change.job.disputes:
        return _then(change, _open_reveals, circumstances)
    if change.job.phase is Phase.AUDITING or change.job.audit is not None:
        return _then(change, _await_fingerprints, circumstances)
    if change.job.having(Status.COMMITTED):
        waiting = await_beacon(change.job, Phase.SAMPLING, circumstances)
        return replace(change, job=waiting)
    is_unavailable = commit_reveal.is_all_unavailable(change.job)
    ending = Ending.UNAVAILABLE if is_unavailable else Ending.EXPIRED
    refunded = settlement.refund(change.job, ending, circumstances, NOTHING)
    return change.followed_by(refunded)


def _decide_audit(job: Job, circumstances: Circumstances) -> Change:
    """Sends an auditor, if the beacon says so and anybody outside the job does such work."""
    audit = drawing.sample_audit(job, circumstances)
    decided = replace(job, audit=audit)
    drawn = audit.drawn
    if drawn is None or not drawn.order:
        return _await_fingerprints(decided, circumstances)
    auditor = drawn.order[0]
    spares = tuple(account for account in job.spares if account != auditor)
    auditing = replace(decided.advanced(Phase.AUDITING, circumstances.position), spares=spares)
    return calling.call(auditing, auditor, Duty.AUDITOR, circumstances)


def _await_fingerprints(job: Job, circumstances: Circumstances) -> Change:
    waiting = await_answers(job, Phase.COMPARING, circumstances)
    return Change(waiting) if _unnamed(waiting) else _compare(waiting, circumstances)


def _unnamed(job: Job) -> tuple[Executor, ...]:
    """Whose fingerprints are still awaited."""
    return tuple(each for each in job.having(Status.COMMITTED) if each.fingerprint is None)


def _compare(job: Job, circumstances: Circumstances) -> Change:
    """Opens the results if enough agree, or if nobody is left who could bring more.

    Before that a jury is drawn, once, where somebody contradicts what would be accepted.
    """
    change = Change(job)
    for executor in _unnamed(job):
        change = change.followed_by(_leave_unopened(change.job, executor, circumstances))
    balance = crosscheck.compare(change.job, circumstances.parameters)
    if is_stepped(job.offer) and len(balance.members) > 1:
        return _then(change, _open_reveals, circumstances)  # a dispute says who is wrong
    if not balance.reaches(job.offer.tolerated_error_ppm):
        again = _call_more(change.job, balance, circumstances)
        if again is not None:
            return change.followed_by(again)
    elif jury.is_due(change.job, balance, circumstances.parameters):
        return replace(change, job=await_beacon(change.job, Phase.SUMMONING, circumstances))
    return _then(change, _open_reveals, circumstances)


def _summon(job: Job, circumstances: Circumstances) -> Change:
    """Calls a jury, or goes on without one where it could convict nobody."""
    if job.disputes:
        summoned = trial.summon(job, circumstances)
        return _continue(summoned.advanced(Phase.JUDGING, circumstances.position), circumstances)
    drawn = jury.draw_jury(job, circumstances)
    summoned = replace(job, jury=drawn)
    if not jury.could_convict(job, drawn.order, circumstances):
        return _open_reveals(summoned, circumstances)
    return _continue(summoned.advanced(Phase.JUDGING, circumstances.position), circumstances)


def _call_more(
    job: Job, balance: crosscheck.Balance, circumstances: Circumstances
) -> Change | None:
    """Calls the spares that could bring a result; None when there are not enough of them."""
    more = calling.spares_wanted(job, balance, circumstances)
    if more is None:
        return None
    again = job.advanced(Phase.EXECUTING, circumstances.position)
    return _continue(replace(again, wanted=calling.active(job) + more), circumstances)


def _open_reveals(job: Job, circumstances: Circumstances) -> Change:
    """Lets everybody open its commitment; only from now on does one left closed cost anything."""
    opened = await_answers(job, Phase.REVEALING, circumstances)
    window_ms = circumstances.parameters.forfeit_window_ms
    forfeit_ms = Milliseconds(circumstances.position.ledger_ms + window_ms)
    for executor in opened.having(Status.COMMITTED, Status.UNOPENED):
        if executor.forfeit_ms is None:
            opened = opened.with_executor(replace(executor, forfeit_ms=forfeit_ms))
    if opened.having(Status.COMMITTED):
        return Change(opened)
    return _judge(opened, circumstances)


def _judge(job: Job, circumstances: Circumstances) -> Change:
    """Ends the job, or calls the spares that could still bring a result.

    Where spares were called after a first opening, they could have copied what they found: such a
    judgement still accepts a result, but convicts nobody.
    """
    change = Change(job)
    for executor in job.having(Status.COMMITTED):
        change = change.followed_by(_leave_unopened(change.job, executor, circumstances))
    if is_stepped(job.offer):
        change = _then(change, trial.go_on, circumstances)
        if change.job.disputes and change.job.disputes[-1].verdict is None:
            return change
    finding = crosscheck.crosscheck(change.job, circumstances.parameters)
    openings = sum(step.phase is Phase.REVEALING for step in job.timeline)
    convicting = finding.convicting and openings == 1 and not is_stepped(job.offer)
    groups = trial.ranked(finding.groups, change.job)
    change = replace(change, job=replace(change.job, groups=groups, convicting=convicting))
    if finding.accepted or trial.is_decided(change.job):
        return _then(change, _settle, circumstances)
    again = _call_more(change.job, finding.balance, circumstances)
    if again is not None and not change.job.disputes:
        return change.followed_by(again)
    ended = _then(change, settlement.settle_inconclusive, circumstances)
    return _then(ended, _free, circumstances)


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
    return Change(missed, (freed,), (_absence(job, executor, circumstances),))


def _leave_unopened(job: Job, executor: Executor, circumstances: Circumstances) -> Change:
    unopened = job.with_executor(replace(executor, status=Status.UNOPENED))
    return Change(unopened, (), (_absence(job, executor, circumstances),))


def _forfeit(job: Job, executor: Executor, circumstances: Circumstances) -> Change:
    forfeited = job.with_executor(replace(executor, status=Status.FORFEITED))
    return settlement.slash(forfeited, executor, Fault.UNOPENED_COMMITMENT, circumstances)


def _absence(
    job: Job, executor: Executor, circumstances: Circumstances
) -> tuple[AccountId, Reputation]:
    """Lets the silent rest; who never bid for the job offered nothing, and loses no reputation."""
    reputation = circumstances.reputation_of(executor.account)
    now_ms = circumstances.position.ledger_ms
    missed = after_miss(reputation, now_ms, circumstances.parameters)
    if job.bid_of(executor.account) is None:
        missed = replace(missed, right=reputation.right, wrong=reputation.wrong)
    return executor.account, missed


def _then(change: Change, rule: Rule, circumstances: Circumstances) -> Change:
    """Applies the next rule to what the last one made of the job."""
    return change.followed_by(rule(change.job, circumstances))
