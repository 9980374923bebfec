"""What a beacon decides for a job: the order of its bidders, how many begin, and who checks it."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from protocol.economy.reputation import may_work_alone, odds
from protocol.economy.rewards import most_pay, paid_limit_ms
from protocol.encoding import digest_of
from protocol.errors import Reason
from protocol.job.bidding import Field, class_of, field_of, terms_of
from protocol.job.crosscheck import audit_chance, chosen, replicas_needed
from protocol.job.lottery import draw
from protocol.job.record import Circumstances, Job, PlacedBid, Status
from protocol.job.stepped import is_of_one_class
from protocol.job.transcript import Audit, Candidate, Draw, PassedOver
from protocol.parameters import Parameters
from protocol.units import AccountId, Credits, Digest

ORDER_PER_REPLICA = 4
"""Bidders ranked by a draw for each replica allowed: executors, and spares for all of them."""
NUMBER_BYTES = 8


@dataclass(frozen=True, slots=True)
class ClassWeight:
    """What one bidder adds to its device class."""

    device: str
    weight: int


def draw_executors(job: Job, circumstances: Circumstances) -> Draw:
    """Draws the order in which a job's bidders are called.

    Where results are only compared within one device class, all that are drawn are of one.
    """
    seed = digest_of(b"job", circumstances.position.beacon, job.identifier)
    field = field_of(job, job.bids, circumstances)
    outweighed: tuple[Candidate, ...] = ()
    if is_of_one_class(job.offer.result_class):
        field, outweighed = _of_one_class(job, field, circumstances.parameters)
    count = ORDER_PER_REPLICA * job.offer.replicas_max
    drawn = _draw(field, outweighed, seed, circumstances, count)
    return replace(drawn, absent_stake=_absent_stake(job, seed, circumstances))


def replicas_to_begin(job: Job, circumstances: Circumstances) -> int | None:
    """Counts the executors to begin with.

    The fewest that could reach the tolerated error, but at least what the offer asks for. One
    alone only if its record is long and dear enough, and then ever more often but never always.

    Returns:
        The number; None when fewer could be drawn than the offer asks for, or when all that it
        allows could not reach the error.
    """
    parameters = circumstances.parameters
    allowed = job.spares[: job.offer.replicas_max]
    if len(allowed) < job.offer.replicas:
        return None
    checks = [circumstances.reputation_of(account).checks for account in allowed]
    weights = [odds(passed, parameters) for passed in checks]
    needed = replicas_needed(weights, job.offer.tolerated_error_ppm)
    if needed is None:
        return None
    wanted = max(needed, job.offer.replicas)
    if wanted == 1 and not _alone(job, allowed[0], circumstances):
        wanted = 2
    return min(wanted, len(allowed))


def sample_audit(job: Job, circumstances: Circumstances) -> Audit:
    """Decides whether an auditor runs the job again, and draws one among all other workers."""
    beacon = circumstances.position.beacon
    seed = digest_of(b"audit", beacon, job.identifier)
    number = _number(seed)
    committed = job.having(Status.COMMITTED)
    lone_checks = committed[0].checks if len(committed) == 1 else None
    numerator, denominator = audit_chance(lone_checks, circumstances.parameters)
    drawn = None
    if chosen(number, numerator, denominator):
        drawn = draw_outsiders(job, seed, circumstances, 1)
    return Audit(beacon, number, numerator, denominator, drawn)


def class_size(
    replicas: int, replicas_max: int, tolerated_error_ppm: int, parameters: Parameters
) -> int:
    """Counts the bidders with which a device class can do a job, even if all are newcomers.

    As many as the offer asks for, as many as reach the tolerated error together, and two, since a
    newcomer is not left alone; no more than the offer allows.
    """
    newcomers = [odds(0, parameters)] * replicas_max
    needed = replicas_needed(newcomers, tolerated_error_ppm)
    return max(replicas, min(2, replicas_max), replicas_max if needed is None else needed)


def heaviest_class(bidders: Iterable[ClassWeight], size: int) -> str:
    """Chooses the device class that a job is drawn from.

    The greatest total weight counts, ties go to the first name. Classes with fewer bidders than the
    job needs stand back while any has enough: else one rich bidder that invents a class of its own
    could end every job as unreachable, without pledging anything.

    Args:
        bidders: Everybody who could be drawn.
        size: The bidders that a class needs, see `class_size`.

    Returns:
        The class; empty when nobody could be drawn.
    """
    totals: dict[str, int] = {}
    counts: dict[str, int] = {}
    for bidder in bidders:
        totals[bidder.device] = totals.get(bidder.device, 0) + bidder.weight
        counts[bidder.device] = counts.get(bidder.device, 0) + 1
    return min(
        totals,
        key=lambda device: (counts[device] < size, -totals[device], device),
        default="",
    )


def _alone(job: Job, account: AccountId, circumstances: Circumstances) -> bool:
    parameters = circumstances.parameters
    reputation = circumstances.reputation_of(account)
    price = terms_of(job, account, circumstances).price
    value = most_pay(price, paid_limit_ms(job.offer, parameters), parameters)
    if not may_work_alone(reputation, value, parameters):
        return False
    checks = reputation.checks
    number = _number(digest_of(b"alone", circumstances.position.beacon, job.identifier))
    return chosen(number, checks - 1, checks)


def outsiders_of(job: Job, seed: Digest, circumstances: Circumstances) -> tuple[PlacedBid, ...]:
    """Lists who could check a job: everybody who does such work and has no part in it yet.

    At most `bids_max` of them, chosen by the seed where there are more.
    """
    inside = {job.requester, *(executor.account for executor in job.executors)}
    workers = circumstances.workers_of(job.offer, class_of(job))
    able = [account for account in workers if account not in inside]
    most = circumstances.parameters.bids_max
    if len(able) > most:
        able = sorted(able, key=lambda account: digest_of(b"field", seed, account))[:most]
    return tuple(terms_of(job, account, circumstances) for account in able)


def _absent_stake(job: Job, seed: Digest, circumstances: Circumstances) -> Credits:
    """Adds up the free stake of those who do such work, could be drawn, and did not bid."""
    bidders = {bid.account for bid in job.bids}
    outsiders = outsiders_of(job, seed, circumstances)
    absent = field_of(job, (one for one in outsiders if one.account not in bidders), circumstances)
    cap = circumstances.parameters.lottery_stake_cap
    return Credits(sum(min(one.free_stake, cap) for one in absent.candidates))


def draw_outsiders(job: Job, seed: Digest, circumstances: Circumstances, count: int) -> Draw:
    """Draws checkers from everybody who does such work, not only from the job's bidders."""
    field = field_of(job, outsiders_of(job, seed, circumstances), circumstances)
    return _draw(field, (), seed, circumstances, count)


def _draw(
    field: Field,
    outweighed: tuple[Candidate, ...],
    seed: Digest,
    circumstances: Circumstances,
    count: int,
) -> Draw:
    weights: dict[bytes, int] = {entry.account: entry.weight for entry in field.candidates}
    order = tuple(AccountId(account) for account in draw(seed, weights, count))
    position = circumstances.position
    return Draw(
        index=position.index,
        beacon=position.beacon,
        seed=seed,
        candidates=field.candidates,
        order=order,
        passed_over=field.passed_over,
        outweighed=outweighed,
    )


def _of_one_class(
    job: Job, field: Field, parameters: Parameters
) -> tuple[Field, tuple[Candidate, ...]]:
    """Keeps the bidders of the class to draw from; returns the others beside."""
    offer = job.offer
    devices = {bid.account: bid.device for bid in job.bids}
    size = class_size(offer.replicas, offer.replicas_max, offer.tolerated_error_ppm, parameters)
    weighed = [ClassWeight(devices[one.account], one.weight) for one in field.candidates]
    best = heaviest_class(weighed, size)
    kept = tuple(one for one in field.candidates if devices[one.account] == best)
    others = tuple(one for one in field.candidates if devices[one.account] != best)
    over = tuple(PassedOver(one.account, Reason.OTHER_CLASS) for one in others)
    return Field(kept, (*field.passed_over, *over)), others


def _number(digest: Digest) -> int:
    return int.from_bytes(digest[:NUMBER_BYTES], "big")
