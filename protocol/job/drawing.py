"""What a beacon decides for a job: the order of its bidders, how many begin, and the audit."""

from protocol.economy.reputation import odds
from protocol.encoding import digest_of
from protocol.job.bidding import field_of
from protocol.job.crosscheck import audit_chance, chosen, replicas_needed
from protocol.job.lottery import draw
from protocol.job.record import Audit, Circumstances, Draw, Job, Status
from protocol.units import AccountId, Digest

ORDER_PER_REPLICA = 4
"""Bidders ranked by a draw for each replica allowed: executors, and spares for all of them."""
NUMBER_BYTES = 8
NOBODY: frozenset[AccountId] = frozenset()


def draw_executors(job: Job, circumstances: Circumstances) -> Draw:
    """Draws the order in which a job's bidders are called."""
    seed = digest_of(b"job", circumstances.position.beacon, job.identifier)
    return _draw(job, seed, circumstances, ORDER_PER_REPLICA * job.offer.replicas_max, NOBODY)


def replicas_to_begin(job: Job, circumstances: Circumstances) -> int | None:
    """Counts the executors to begin with.

    The fewest that could reach the tolerated error, but at least what the offer asks for. One
    alone only if its record is long, and then ever more often but never always.

    Returns:
        The number; None when all that the offer allows could not reach the error.
    """
    parameters = circumstances.parameters
    allowed = job.spares[: job.offer.replicas_max]
    checks = [circumstances.reputation_of(account).checks for account in allowed]
    weights = [odds(passed, parameters) for passed in checks]
    needed = replicas_needed(weights, job.offer.tolerated_error_ppm)
    if needed is None:
        return None
    wanted = max(needed, job.offer.replicas)
    if wanted == 1 and not _alone(job, checks[0], circumstances):
        wanted = 2
    return min(wanted, len(allowed))


def sample_audit(job: Job, circumstances: Circumstances) -> Audit:
    """Decides whether an auditor runs the job again, and draws one among the other bidders."""
    beacon = circumstances.position.beacon
    seed = digest_of(b"audit", beacon, job.identifier)
    number = _number(seed)
    committed = job.having(Status.COMMITTED)
    lone_checks = committed[0].checks if len(committed) == 1 else None
    numerator, denominator = audit_chance(lone_checks, circumstances.parameters)
    drawn = None
    if chosen(number, numerator, denominator):
        called = frozenset(executor.account for executor in job.executors)
        drawn = _draw(job, seed, circumstances, 1, called)
    return Audit(beacon, number, numerator, denominator, drawn)


def _alone(job: Job, checks: int, circumstances: Circumstances) -> bool:
    if checks < max(1, circumstances.parameters.checks_before_alone):
        return False
    number = _number(digest_of(b"alone", circumstances.position.beacon, job.identifier))
    return chosen(number, checks - 1, checks)


def _draw(
    job: Job,
    seed: Digest,
    circumstances: Circumstances,
    count: int,
    excluded: frozenset[AccountId],
) -> Draw:
    field = field_of(job, circumstances, excluded)
    weights: dict[bytes, int] = {entry.account: entry.weight for entry in field.candidates}
    order = tuple(AccountId(account) for account in draw(seed, weights, count))
    position = circumstances.position
    return Draw(position.index, position.beacon, seed, field.candidates, order, field.passed_over)


def _number(digest: Digest) -> int:
    return int.from_bytes(digest[:NUMBER_BYTES], "big")
