"""Bids: which ones count, what each weighs in the lottery, and what its bidder would pledge."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from protocol.balances import Account
from protocol.economy.reputation import Reputation, score
from protocol.economy.rewards import most_pay, paid_limit_ms
from protocol.errors import Reason, Rejected
from protocol.job.record import Change, Circumstances, Job, Phase, PlacedBid
from protocol.job.stepped import is_of_one_class
from protocol.job.transcript import Candidate, PassedOver
from protocol.messages import Bid
from protocol.parameters import Parameters
from protocol.units import CREDIT, AccountId, Credits, Milliseconds

PRICE_SCALE = 1 << 16
"""Fixed point of the price's part in a weight; 2**16 keeps the whole below 2**64."""
WEIGHT_MAX = 2**64 - 1
DEVICE_KINDS = ("cpu", "cuda")
"""What a device class begins with; behind a slash comes what else makes results comparable."""


@dataclass(frozen=True, slots=True)
class Field:
    """Who can be drawn among a job's bidders, and who cannot."""

    candidates: tuple[Candidate, ...]
    passed_over: tuple[PassedOver, ...]


def place_bid(job: Job, account: AccountId, bid: Bid, circumstances: Circumstances) -> Change:
    """Decides a bid.

    Raises:
        Rejected: `WRONG_PHASE` after the close, `OWN_JOB`, `ALREADY_DONE`, `PRICE_TOO_HIGH`,
            `BAD_TERMS`, `SANDBOX_TOO_LOW`, `INSUFFICIENT_STAKE` or `TOO_MANY_BIDS`.
    """
    if job.phase is not Phase.BIDDING:
        raise Rejected(Reason.WRONG_PHASE, job.phase.value)
    if account == job.requester:
        raise Rejected(Reason.OWN_JOB)
    if job.bid_of(account) is not None:
        raise Rejected(Reason.ALREADY_DONE, "one bid for each job")
    if bid.price > job.offer.price_cap:
        raise Rejected(Reason.PRICE_TOO_HIGH, f"at most {job.offer.price_cap} millionths a second")
    if not bid.estimate_ms:
        raise Rejected(Reason.BAD_TERMS, "an estimate is at least one millisecond")
    _check_device(job, bid.device)
    if bid.sandbox_level < job.offer.sandbox_level:
        raise Rejected(Reason.SANDBOX_TOO_LOW, f"at least {job.offer.sandbox_level}")
    if circumstances.account_of(account).staked < circumstances.parameters.stake_minimum:
        raise Rejected(Reason.INSUFFICIENT_STAKE, "below the minimum stake")
    if len(job.bids) >= circumstances.parameters.bids_max:
        raise Rejected(Reason.TOO_MANY_BIDS)
    placed = PlacedBid(
        account, Credits(bid.price), bid.device, Milliseconds(bid.estimate_ms), bid.sandbox_level
    )
    return Change(replace(job, bids=(*job.bids, placed)))


def _check_device(job: Job, device: str) -> None:
    """Refuses device classes of unknown kinds and of kinds that the job does not take."""
    kind = device.partition("/")[0]
    if kind not in DEVICE_KINDS:
        raise Rejected(Reason.BAD_TERMS, f"a device is one of {', '.join(DEVICE_KINDS)}")
    if job.offer.device not in ("any", kind):
        raise Rejected(Reason.BAD_TERMS, f"the job needs {job.offer.device}")


def exposure_of(price: Credits, limit_ms: Milliseconds, parameters: Parameters) -> Credits:
    """Computes the stake that a bidder pledges when it is drawn.

    Args:
        price: Its bid, in millionths of a credit per second.
        limit_ms: The longest time that one run can be paid for.
        parameters: The network's terms.
    """
    return Credits(parameters.exposure_multiple * most_pay(price, limit_ms, parameters))


def weight_of(
    free_stake: Credits, reputation: int, price: Credits, cap: Credits, parameters: Parameters
) -> int:
    """Computes a bid's weight in the lottery, from 1 to 2**64 - 1; 0 for one without stake.

    Linear in stake, which cannot be split to advantage; a bid at half the cap weighs twice, up to
    `price_weight_max`. Rounded down.
    """
    whole_credits = min(free_stake, parameters.lottery_stake_cap) // CREDIT
    price_factor = min(parameters.price_weight_max * PRICE_SCALE, cap * PRICE_SCALE // price)
    if not whole_credits:
        return 0
    return max(1, min(WEIGHT_MAX, whole_credits * reputation * price_factor))


def terms_of(job: Job, account: AccountId, circumstances: Circumstances) -> PlacedBid:
    """Says on which terms an account works for a job: its own bid, or else the price cap.

    Checkers are drawn from everybody who does such work. Who never bid for this job cannot have
    named a price for it, so it gets the highest that the requester agreed to. Its sandbox level is
    at least the one asked for, by what it bid elsewhere.
    """
    bid = job.bid_of(account)
    if bid is not None:
        return bid
    limit_ms = paid_limit_ms(job.offer, circumstances.parameters)
    cap, level = Credits(job.offer.price_cap), job.offer.sandbox_level
    return PlacedBid(account, cap, class_of(job) or "", limit_ms, level)


def class_of(job: Job) -> str | None:
    """Names the one device class that a job's results are compared within; None for any."""
    is_fixed = is_of_one_class(job.offer.result_class) and bool(job.executors)
    return job.executors[0].device if is_fixed else None


def field_of(job: Job, bids: Iterable[PlacedBid], circumstances: Circumstances) -> Field:
    """Weighs bids as things stand now.

    Args:
        job: The job after its close; bidders of any device class before the first is called.
        bids: Who could be drawn, and on which terms.
        circumstances: Where stake and reputation are read.
    """
    candidates: list[Candidate] = []
    passed_over: list[PassedOver] = []
    for bid in bids:
        obstacle = obstacle_to(job, bid, circumstances)
        if obstacle is not None:
            passed_over.append(PassedOver(bid.account, obstacle))
            continue
        account = circumstances.account_of(bid.account)
        reputation = circumstances.reputation_of(bid.account)
        candidates.append(_candidate(bid, account, reputation, job, circumstances.parameters))
    return Field(tuple(candidates), tuple(passed_over))


def obstacle_to(job: Job, bid: PlacedBid, circumstances: Circumstances) -> Reason | None:
    """Says why a bidder cannot be drawn or called now; None when it can.

    Whoever is called first fixes the device class of a job whose results are compared within one.
    """
    fixed = class_of(job)
    if fixed is not None and bid.device != fixed:
        return Reason.OTHER_CLASS
    resting_until_ms = circumstances.reputation_of(bid.account).resting_until_ms
    if resting_until_ms > circumstances.position.ledger_ms:
        return Reason.RESTING
    free_stake = circumstances.account_of(bid.account).free_stake
    limit_ms = paid_limit_ms(job.offer, circumstances.parameters)
    exposure = exposure_of(bid.price, limit_ms, circumstances.parameters)
    if free_stake < max(exposure, CREDIT):
        return Reason.INSUFFICIENT_STAKE
    return None


def _candidate(
    bid: PlacedBid, account: Account, reputation: Reputation, job: Job, parameters: Parameters
) -> Candidate:
    standing = score(reputation)
    cap = Credits(job.offer.price_cap)
    weight = weight_of(account.free_stake, standing, bid.price, cap, parameters)
    return Candidate(bid.account, weight, account.free_stake, standing, bid.price)
