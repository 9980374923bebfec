"""Which result is right, how sure that is, and whether a contradiction proves a lie.

Each worker's result weighs its odds of being right. The weight of a group that found the same is
the product of its members' odds; its confidence is its part of one plus all groups. Exact integers
throughout: the odds are brought to a common denominator, and no logarithm is taken.

Source: Sarmenta, "Sabotage-tolerance mechanisms for volunteer computing systems", FGCS 2002.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from protocol.economy.reputation import Odds, odds
from protocol.job.record import Executor, Group, Job, ResultOutcome, Status
from protocol.parameters import Parameters
from protocol.units import BASIS, BasisPoints, Digest

MILLION = 1_000_000
DRAW_RANGE = 2**64


@dataclass(frozen=True, slots=True)
class Ballot:
    """One worker's result with its odds."""

    executor: Executor
    outcome: ResultOutcome
    output: Digest
    odds: Odds


@dataclass(frozen=True, slots=True)
class Finding:
    """What the reveals of a job say together."""

    groups: tuple[Group, ...]
    """By falling weight; equal weights by outcome and digest."""
    weights: tuple[int, ...]
    """Weight of each group, over one common denominator."""
    total: int
    """One and all groups, over the same denominator."""
    accepted: bool
    convicting: bool
    """Whether a finished result outside the accepted group proves its author a liar."""


def crosscheck(job: Job, parameters: Parameters) -> Finding:
    """Judges the results that were revealed in time."""
    ballots = [_ballot(executor, parameters) for executor in job.having(Status.REVEALED)]
    weighed = _weigh(ballots)
    total = prod(ballot.odds.wrong for ballot in ballots) + sum(weight for weight, _ in weighed)
    groups = tuple(_group(weight, members, total) for weight, members in weighed)
    best = weighed[0][0] if weighed else 0
    accepted = bool(groups) and reaches(best, total, job.offer.tolerated_error_ppm)
    convicting = (
        accepted
        and groups[0].outcome is ResultOutcome.FINISHED
        and parameters.jury_size == 0
        and reaches(best, total, parameters.slash_error_ppm)
    )
    return Finding(groups, tuple(weight for weight, _ in weighed), total, accepted, convicting)


def reaches(weight: int, total: int, error_ppm: int) -> bool:
    """Says whether a weight's part of a total is at least one minus an error in millionths."""
    return weight * MILLION >= total * (MILLION - error_ppm)


def replicas_needed(credibilities: Sequence[Odds], error_ppm: int) -> int | None:
    """Counts how many workers, in this order and all agreeing, reach a tolerated error.

    Args:
        credibilities: The odds of each worker, in the order in which they would be called.
        error_ppm: The tolerated error in millionths.

    Returns:
        The smallest number; None when all of them together do not.
    """
    return _reinforcements(1, 0, 1, credibilities, error_ppm)


def spares_needed(finding: Finding, spares: Sequence[Odds], error_ppm: int) -> int | None:
    """Counts how many spares, all agreeing with the best group, would make it acceptable.

    Returns:
        The smallest number; None when all spares together would not suffice.
    """
    best = finding.weights[0] if finding.weights else 1
    rest = finding.total - best if finding.weights else 0
    alone = 0 if finding.weights else 1
    return _reinforcements(best, rest, alone, spares, error_ppm)


def contradicts(executor: Executor, job: Job) -> bool:
    """Says whether a reveal is a finished result other than the accepted one.

    Reaching a limit is legal on a slower machine and never counts as wrong. Results of class
    `class-exact` are comparable only between equal devices.
    """
    accepted = job.groups[0]
    reveal = executor.reveal
    if reveal is None or accepted.outcome is not ResultOutcome.FINISHED:
        return False
    if ResultOutcome(reveal.outcome) is not ResultOutcome.FINISHED:
        return False
    if reveal.output == accepted.output:
        return False
    devices = {each.device for each in job.executors if each.account in accepted.members}
    return job.offer.result_class == "exact" or executor.device in devices


def audit_chance(checks: int | None, parameters: Parameters) -> tuple[int, int]:
    """Computes the chance of an audit, as numerator and denominator.

    The highest of three: just above what makes honesty pay for a worker that could save its whole
    cost by lying and loses its exposure when caught; one in so many checks passed, for a worker
    that ran alone; and a floor. Pay and exposure are in a fixed proportion, so neither is needed.

    Args:
        checks: Cross-checks passed by a lone executor; None when several ran the job.
        parameters: The network's terms.

    Source: Zhang et al., "Proof of Sampling", arXiv 2405.00295.
    """
    honest = max(1, BASIS - parameters.assumed_fault_share)
    chances = [
        (BASIS + 1, honest * (1 + parameters.exposure_multiple)),
        (parameters.audit_floor, BASIS),
    ]
    if checks is not None:
        chances.append((1, max(1, checks)))
    numerator, denominator = chances[0]
    for other in chances[1:]:
        if other[0] * denominator > numerator * other[1]:
            numerator, denominator = other
    return min(numerator, denominator), denominator


def chosen(number: int, numerator: int, denominator: int) -> bool:
    """Says whether a uniform 64-bit number falls below a chance."""
    return number * denominator < numerator * DRAW_RANGE


def _ballot(executor: Executor, parameters: Parameters) -> Ballot:
    assert executor.reveal is not None, "only who revealed is judged"
    reveal = executor.reveal
    weight = odds(executor.checks, parameters)
    return Ballot(executor, ResultOutcome(reveal.outcome), reveal.output, weight)


def _weigh(ballots: Sequence[Ballot]) -> list[tuple[int, tuple[Ballot, ...]]]:
    """Groups equal results; a member adds its odds for, everyone else the odds against."""
    kinds = sorted({(ballot.outcome.value, ballot.output) for ballot in ballots})
    weighed = []
    for kind in kinds:
        inside = [(ballot.outcome.value, ballot.output) == kind for ballot in ballots]
        weight = prod(
            ballot.odds.right if member else ballot.odds.wrong
            for ballot, member in zip(ballots, inside, strict=True)
        )
        members = tuple(ballot for ballot, member in zip(ballots, inside, strict=True) if member)
        weighed.append((weight, members))
    return sorted(weighed, key=lambda entry: -entry[0])


def _group(weight: int, members: tuple[Ballot, ...], total: int) -> Group:
    first = members[0]
    accounts = tuple(ballot.executor.account for ballot in members)
    return Group(first.outcome, first.output, accounts, BasisPoints(weight * BASIS // total))


def _reinforcements(
    best: int, rest: int, alone: int, helpers: Sequence[Odds], error_ppm: int
) -> int | None:
    """Adds helpers to the best group one by one until it reaches the tolerated error.

    Args:
        best: Weight of the group that they join.
        rest: Everything else of the total.
        alone: 1 when no group exists yet, so that the total is this one and what is added.
        helpers: Odds of those who could join.
        error_ppm: The tolerated error in millionths.
    """
    against = rest + alone
    for count, helper in enumerate(helpers, start=1):
        best *= helper.right
        against *= helper.wrong
        if reaches(best, best + against, error_ppm):
            return count
    return None
