"""What work is worth: base pay, bonuses, the burned fee, and the most that a job can cost.

All bonuses multiply, and one division at the end rounds down, so the order of the factors cannot
change a millionth. Every bonus is paid out of the requester's escrow; nothing is minted.
"""

from collections.abc import Iterable

from protocol.messages import Offer
from protocol.parameters import Parameters
from protocol.units import BASIS, BasisPoints, Credits, Milliseconds

SECOND_MS = 1_000
METERED_KIND = "wasm"
"""The kind whose runtime counts fuel, identically everywhere."""


def pay(price: Credits, paid_ms: Milliseconds, bonuses: Iterable[BasisPoints] = ()) -> Credits:
    """Computes the pay for one run.

    Args:
        price: Millionths of a credit per second.
        paid_ms: The time that counts.
        bonuses: Shares on top, each multiplied with the others.

    Returns:
        The amount, rounded down.
    """
    numerator = price * paid_ms
    denominator = SECOND_MS
    for bonus in bonuses:
        numerator *= BASIS + bonus
        denominator *= BASIS
    return Credits(numerator // denominator)


def half_pay(price: Credits, paid_ms: Milliseconds) -> Credits:
    """Computes the pay for a run whose job found no result: half the base, rounded down."""
    return Credits(price * paid_ms // (2 * SECOND_MS))


def bonuses_of(
    parameters: Parameters, *, checked: bool, audited: bool, in_time: bool, present: bool
) -> tuple[BasisPoints, ...]:
    """Lists the bonuses that a right result earns.

    Args:
        parameters: The network's terms.
        checked: Another executor found the same result.
        audited: A drawn auditor found the same result; replaces the bonus for `checked`.
        in_time: The commitment met the offer's speed target.
        present: The worker was up nearly all the time.
    """
    earned = (
        (present, parameters.uptime_bonus),
        (in_time, parameters.speed_bonus),
        (checked and not audited, parameters.verified_bonus),
        (audited, parameters.audited_bonus),
    )
    return tuple(BasisPoints(bonus) for holds, bonus in earned if holds)


def most_pay(price: Credits, limit_ms: Milliseconds, parameters: Parameters) -> Credits:
    """Computes the most that one run can earn: all of its time with every bonus, rounded up."""
    checked = max(parameters.verified_bonus, parameters.audited_bonus)
    factors = (BASIS + parameters.uptime_bonus) * (BASIS + parameters.speed_bonus)
    numerator = price * limit_ms * factors * (BASIS + checked)
    return Credits(-(-numerator // (SECOND_MS * BASIS**3)))


def fee_on(payouts: Credits, parameters: Parameters) -> Credits:
    """Computes the fee burned on top of a job's payouts, rounded down."""
    return Credits(payouts * parameters.fee_share // BASIS)


def most_cost(runs: int, most_for_one: Credits, parameters: Parameters) -> Credits:
    """Computes what a number of runs at the highest pay cost with the fee, rounded up."""
    numerator = runs * most_for_one * (BASIS + parameters.fee_share)
    return Credits(-(-numerator // BASIS))


def metered_ms(fuel: int, parameters: Parameters) -> Milliseconds:
    """Converts fuel to paid time at the network's rate, rounded up."""
    return Milliseconds(-(-fuel * SECOND_MS // parameters.fuel_per_second))


def paid_limit_ms(offer: Offer, parameters: Parameters) -> Milliseconds:
    """Computes the longest time that one run of an offer can be paid for."""
    limit_ms = offer.limits.time_ms
    if offer.kind == METERED_KIND:
        limit_ms = min(limit_ms, metered_ms(offer.limits.fuel, parameters))
    return Milliseconds(limit_ms)
