"""Disputes within a job: who contradicts whom, the jury for the one step, and what a verdict costs.

Where finished results of a job made of steps differ, or their traces do, the heaviest disputes with
the next. A loser is out; the winner goes on until nobody contradicts it, and its result
counts. A dispute that no jury decides is left to the cross-check, as if there had been none, and
convicts nobody.
"""

from dataclasses import dataclass, replace

from protocol.economy.reputation import after_conviction, after_wrong
from protocol.encoding import digest_of
from protocol.errors import Reason, Rejected
from protocol.job import commit_reveal, crosscheck, dispute, settlement
from protocol.job.dispute import Dispute, DisputedStep, Ground, Side, Verdict
from protocol.job.drawing import draw_outsiders
from protocol.job.jury import ORDER_PER_JUROR, seat
from protocol.job.record import (
    Change,
    Circumstances,
    Duty,
    Executor,
    Fault,
    Group,
    Job,
    Phase,
    ResultOutcome,
    Status,
)
from protocol.job.stepped import seats_of, steps_of
from protocol.job.waiting import await_beacon
from protocol.step_messages import StepPair
from protocol.units import AccountId, Digest, Milliseconds


@dataclass(frozen=True, slots=True)
class Question:
    """Which level of its trace an account shall open."""

    dispute: int
    level: int
    begin: int
    height: int
    before_height: int
    """Height of the subtree before, whose last leaf is asked for as well; 0 for none."""


def question_to(job: Job, account: AccountId) -> Question | None:
    """Says what a job asks of an account now; None while it is not this account's turn."""
    if job.phase is not Phase.DISPUTING:
        return None
    open_one = job.disputes[-1]
    for number in open_one.awaited:
        members = open_one.sides[number].members
        if account == members[0] or (open_one.is_urgent and account in members):
            place = dispute.place_of(open_one)
            asked = dispute.is_before_asked(place, number)
            before_height = place.agreed_height if asked else 0
            at = len(job.disputes) - 1
            return Question(at, open_one.level, place.begin, place.height, before_height)
    return None


def step_in_question(job: Job) -> DisputedStep | None:
    """Names the step that a jury is to run, or runs; None when there is none."""
    if not job.disputes or job.phase not in (Phase.SUMMONING, Phase.JUDGING):
        return None
    return dispute.disputed_step(job.disputes[-1])


def holders_of(job: Job) -> tuple[AccountId, ...]:
    """Lists who can show what the disputed step begins with: everybody of both sides."""
    return tuple(account for side in job.disputes[-1].sides for account in side.members)


def open_level(job: Job, account: AccountId, payload: StepPair, around: Circumstances) -> Change:
    """Decides what a side opens of its trace; after the last level a jury is summoned.

    Raises:
        Rejected: `WRONG_PHASE` while no such dispute is open; else see `dispute.open_level`.
    """
    if job.phase is not Phase.DISPUTING or payload.dispute != len(job.disputes) - 1:
        raise Rejected(Reason.WRONG_PHASE, job.phase.value)
    now_ms = around.position.ledger_ms
    opened = dispute.open_level(job.disputes[-1], account, payload, now_ms)
    changed = _with(job, opened)
    if not opened.is_searching:
        changed = await_beacon(changed, Phase.SUMMONING, around)
    return Change(changed)


def pass_deadline(job: Job, around: Circumstances) -> Change:
    """Reminds everybody of a side, or rules against the sides whose clocks have run out."""
    passed = dispute.pass_deadline(job.disputes[-1], around.position.ledger_ms)
    return _executed(_with(job, passed), around)


def summon(job: Job, around: Circumstances) -> Job:
    """Draws who could run the disputed step."""
    number = len(job.disputes) - 1
    seed = digest_of(b"step jury", around.position.beacon, job.identifier, bytes([number]))
    count = ORDER_PER_JUROR * seats_of(around.parameters)
    drawn = draw_outsiders(job, seed, around, count)
    return _with(job, replace(job.disputes[-1], jury=drawn))


def fill_seats(job: Job, around: Circumstances) -> Change:
    """Calls the drawn until every seat is taken or nobody is left."""
    drawn = job.disputes[-1].jury
    order = drawn.order if drawn is not None else ()
    return seat(job, order, Duty.STEP_JUROR, seats_of(around.parameters), around)


def go_on(job: Job, around: Circumstances) -> Change:
    """Rules on an open dispute by what its jury revealed, and opens the next where one is due."""
    change = Change(job)
    if job.disputes and job.disputes[-1].verdict is None:
        change = _executed(_with(job, _voted(job, around)), around)
    verdict = _last_verdict(change.job)
    if verdict is not None and not verdict.losers:
        return change
    begun = _next_dispute(change.job, around)
    return change if begun is None else replace(change, job=begun)


def is_decided(job: Job) -> bool:
    """Whether the best result has won every dispute about it."""
    verdict = _last_verdict(job)
    return verdict is not None and len(verdict.losers) == 1


def ranked(groups: tuple[Group, ...], job: Job) -> tuple[Group, ...]:
    """Puts what won a dispute before limits that others claim to have reached."""
    if not is_decided(job):
        return groups
    return tuple(sorted(groups, key=lambda group: group.outcome is not ResultOutcome.FINISHED))


def _last_verdict(job: Job) -> Verdict | None:
    return job.disputes[-1].verdict if job.disputes else None


def _with(job: Job, changed: Dispute) -> Job:
    return replace(job, disputes=(*job.disputes[:-1], changed))


def _next_dispute(job: Job, around: Circumstances) -> Job | None:
    groups = crosscheck.crosscheck(job, around.parameters).groups
    finished = [group for group in groups if group.outcome is ResultOutcome.FINISHED]
    steps = steps_of(job.offer.result_class)
    if len(finished) < 2 or steps is None:
        return None
    sides = (_side(job, finished[0], around), _side(job, finished[1], around))
    opened = Dispute(steps, sides, around.position.ledger_ms)
    begun = replace(job, disputes=(*job.disputes, opened))
    if not opened.is_searching:
        return await_beacon(begun, Phase.SUMMONING, around)
    if begun.phase is Phase.DISPUTING:
        return begun
    return begun.advanced(Phase.DISPUTING, around.position)


def _side(job: Job, group: Group, around: Circumstances) -> Side:
    first = job.executor(group.members[0])
    assert first is not None, "a group has members"
    assert first.reveal is not None, "a group has revealed"
    clock_ms = Milliseconds(around.parameters.forfeit_window_ms)
    return Side(group.members, group.output, Digest(first.reveal.trace), clock_ms)


def _jurors(job: Job, tried: Dispute) -> tuple[Executor, ...]:
    """Lists who ran the step to its end and said in time what it left."""
    order = tried.jury.order if tried.jury is not None else ()
    return tuple(
        one
        for one in job.having(Status.REVEALED)
        if one.account in order
        and one.reveal is not None
        and one.reveal.outcome == ResultOutcome.FINISHED.value
    )


def _voted(job: Job, around: Circumstances) -> Dispute:
    tried = job.disputes[-1]
    votes = [Digest(one.reveal.output) for one in _jurors(job, tried) if one.reveal is not None]
    return dispute.end_by_votes(tried, votes, seats_of(around.parameters))


def _executed(job: Job, around: Circumstances) -> Change:
    """Lets the losers of the last dispute bear what its verdict costs."""
    tried, verdict, change = job.disputes[-1], _last_verdict(job), Change(job)
    if verdict is None:
        return change
    for number in verdict.losers:
        for account in tried.sides[number].members:
            loser = change.job.executor(account)
            assert loser is not None, "a side has members of the job"
            change = change.followed_by(_lose(change.job, loser, verdict, around))
    found = _found(tried, verdict)
    for juror in _jurors(job, tried) if found is not None else ():
        if juror.reveal is not None and juror.reveal.output != found:
            change = change.followed_by(_disbelieve(change.job, juror, around))
    return change


def _found(tried: Dispute, verdict: Verdict) -> Digest | None:
    """What a jury found, where that is what one side claims."""
    if verdict.ground is not Ground.STEP or len(verdict.losers) != 1:
        return None
    claims = dispute.disputed_step(tried).claims
    return claims[1 - verdict.losers[0]]


def _lose(job: Job, loser: Executor, verdict: Verdict, around: Circumstances) -> Change:
    if verdict.ground is Ground.SILENCE:
        out = job.with_executor(replace(loser, status=Status.FORFEITED))
        return settlement.slash(out, loser, Fault.UNOPENED_COMMITMENT, around)
    out = job.with_executor(replace(loser, status=Status.REFUTED))
    reputation = around.reputation_of(loser.account)
    if not verdict.convicting:
        wrong = ((loser.account, after_wrong(reputation)),)
        return Change(out, (commit_reveal.freed(job, loser.account),), wrong)
    slashed = settlement.slash(out, loser, Fault.WRONG_RESULT, around)
    return replace(slashed, reputations=((loser.account, after_conviction(reputation)),))


def _disbelieve(job: Job, juror: Executor, around: Circumstances) -> Change:
    """A juror that most others contradict is unpaid and loses its credibility, not its pledge."""
    out = job.with_executor(replace(juror, status=Status.REFUTED))
    wrong = after_wrong(around.reputation_of(juror.account))
    freed = commit_reveal.freed(job, juror.account)
    return Change(out, (freed,), ((juror.account, wrong),))
