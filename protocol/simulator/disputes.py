"""Judges the disputes of a job again, from what the job's record says that everybody said."""

from dataclasses import replace

from protocol.encoding import digest_of
from protocol.job.dispute import Dispute, Ground, Side, disputed_step, end_by_votes
from protocol.job.record import Duty, Fault, Job, ResultOutcome
from protocol.job.stepped import seats_of
from protocol.parameters import Parameters
from protocol.tree.trace import height_of, node_of
from protocol.units import AccountId, Digest


def wrong_disputes(job: Job, parameters: Parameters) -> str:
    """Says what is wrong with the disputes of a job that has ended; empty when nothing is."""
    for number, tried in enumerate(job.disputes):
        fault = _wrong_jury(job, number, tried) or _wrong_verdict(job, tried, parameters)
        if fault or not all(_is_open(side, tried) for side in tried.sides):
            return fault or "a side opened what its trace does not have"
    convicted = {one.account for one in job.slashes if one.reason is Fault.WRONG_RESULT}
    return "" if convicted == _convicts(job) else "a conviction that no dispute ended with"


def _wrong_jury(job: Job, number: int, tried: Dispute) -> str:
    jury = tried.jury
    if jury is None:
        return ""
    seed = digest_of(b"step jury", jury.beacon, job.identifier, bytes([number]))
    parties = {account for side in tried.sides for account in side.members}
    is_outside = parties.isdisjoint(jury.order) and job.requester not in jury.order
    return "" if jury.seed == seed and is_outside else "a jury that was drawn wrongly"


def _wrong_verdict(job: Job, tried: Dispute, parameters: Parameters) -> str:
    verdict = tried.verdict
    if verdict is None or verdict.ground is Ground.SILENCE:
        is_silent = verdict is not None and tried.level < height_of(tried.steps)
        return "" if is_silent else "a dispute without an end"
    votes = [
        Digest(one.reveal.output)
        for one in job.executors
        if one.duty is Duty.STEP_JUROR
        and tried.jury is not None
        and one.account in tried.jury.order
        and one.reveal is not None
        and one.reveal.outcome == ResultOutcome.FINISHED.value
    ]
    again = end_by_votes(replace(tried, verdict=None), votes, seats_of(parameters))
    return "" if again.verdict == verdict else f"a verdict on step {disputed_step(tried).index}"


def _is_open(side: Side, tried: Dispute) -> bool:
    """Whether each pair belongs to the root, or to one of the pair above it."""
    above = {side.trace}
    for pair in side.opened:
        if node_of(pair.left, pair.right) not in above:
            return False
        above = {pair.left, pair.right}
    return len(side.opened) <= height_of(tried.steps)


def _convicts(job: Job) -> set[AccountId]:
    return {
        account
        for tried in job.disputes
        if tried.verdict is not None and tried.verdict.convicting
        for at in tried.verdict.losers
        for account in tried.sides[at].members
    }
