"""Which result is right, how sure that is, and whether a contradiction proves a lie.

Each worker's result weighs its odds of being right. The weight of a group that found the same is
the product of its members' odds; its confidence is its part of one plus all groups. Exact integers
throughout: the odds are brought to a common denominator, and no logarithm is taken. One rule serves
twice: for fingerprints, while results are secret, and for what was revealed in the end.

Source: Sarmenta, "Sabotage-tolerance mechanisms for volunteer computing systems", FGCS 2002.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from protocol.economy.reputation import Odds, odds
from protocol.job.record import Duty, Executor, Group, Job, ResultOutcome, Status
from protocol.parameters import Parameters
from protocol.units import BASIS, DIGEST_BYTES, BasisPoints, Digest

MILLION = 1_000_000
DRAW_RANGE = 2**64

Name = tuple[int, bytes]
"""What equal results have in common: outcome, and digest with trace; of fingerprints 0 and the
fingerprint."""


@dataclass(frozen=True, slots=True)
class Balance:
    """How much weight stands behind each of the results that workers found."""

    members: tuple[tuple[Executor, ...], ...]
    """Who found the same, by falling weight; equal weights by name."""
    weights: tuple[int, ...]
    """Weight of each group, over one common denominator."""
    total: int
    """One and all groups, over the same denominator."""

    def reaches(self, error_ppm: int) -> bool:
        """Whether the best group's part is at least one minus an error in millionths."""
        return bool(self.weights) and reaches(self.weights[0], self.total, error_ppm)


@dataclass(frozen=True, slots=True)
class Finding:
    """What the reveals of a job say together."""

    groups: tuple[Group, ...]
    """By falling weight; equal weights by outcome and digest."""
    balance: Balance
    accepted: bool
    convicting: bool
    """Whether a finished result outside the accepted group proves its author a liar."""


def compare(job: Job, parameters: Parameters) -> Balance:
    """Weighs the results by their fingerprints, while none of the newer ones is public."""
    named = [
        ((0, executor.fingerprint), executor)
        for executor in job.having(Status.COMMITTED, Status.REVEALED)
        if executor.fingerprint is not None
    ]
    return _weigh(named, parameters)


def crosscheck(job: Job, parameters: Parameters) -> Finding:
    """Judges the results that were revealed in time."""
    revealed = [
        (_result(executor), executor)
        for executor in job.having(Status.REVEALED)
        if executor.duty is not Duty.STEP_JUROR
    ]
    balance = _weigh(revealed, parameters)
    groups = tuple(
        _group(weight, members, balance.total)
        for weight, members in zip(balance.weights, balance.members, strict=True)
    )
    accepted = balance.reaches(job.offer.tolerated_error_ppm)
    convicting = (
        accepted
        and groups[0].outcome is ResultOutcome.FINISHED
        and balance.reaches(parameters.slash_error_ppm)
        and jury_agrees(balance.members[0], parameters)
    )
    return Finding(groups, balance, accepted, convicting)


def jury_agrees(members: Sequence[Executor], parameters: Parameters) -> bool:
    """Says whether enough of a jury found what is accepted, silent jurors counted as against it.

    More than two thirds of the seats: so no number of executors, and no third of a jury, can take
    the stake of an honest worker. Of three seats that is all three.
    """
    agreeing = sum(executor.duty is Duty.JUROR for executor in members)
    return agreeing >= parameters.jury_size - max(0, parameters.jury_size - 1) // 3


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


def spares_needed(balance: Balance, spares: Sequence[Odds], error_ppm: int) -> int | None:
    """Counts how many spares, all agreeing with the best group, would make it acceptable.

    Returns:
        The smallest number; None when all spares together would not suffice.
    """
    best = balance.weights[0] if balance.weights else 1
    rest = balance.total - best if balance.weights else 0
    alone = 0 if balance.weights else 1
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
    if executor.duty is Duty.STEP_JUROR:
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


def _result(executor: Executor) -> Name:
    assert executor.reveal is not None, "only who revealed is judged"
    return executor.reveal.outcome, executor.reveal.output + executor.reveal.trace


def _weigh(named: Sequence[tuple[Name, Executor]], parameters: Parameters) -> Balance:
    """Groups equal results; a member adds its odds for, everyone else the odds against."""
    chances = [odds(executor.checks, parameters) for _, executor in named]
    weighed = []
    for name in sorted({name for name, _ in named}):
        weight = prod(
            chance.right if other == name else chance.wrong
            for chance, (other, _) in zip(chances, named, strict=True)
        )
        weighed.append((weight, tuple(executor for other, executor in named if other == name)))
    weighed.sort(key=lambda entry: -entry[0])
    weights = tuple(weight for weight, _ in weighed)
    total = prod(chance.wrong for chance in chances) + sum(weights)
    return Balance(tuple(members for _, members in weighed), weights, total)


def _group(weight: int, members: tuple[Executor, ...], total: int) -> Group:
    outcome, result = _result(members[0])
    output = Digest(result[:DIGEST_BYTES])
    accounts = tuple(executor.account for executor in members)
    confidence_bp = BasisPoints(weight * BASIS // total)
    return Group(ResultOutcome(outcome), output, accounts, confidence_bp)


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
