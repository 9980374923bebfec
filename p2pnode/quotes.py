"""What a job would cost, and whether it can reach its tolerated error, before it is offered.

Who will bid is not known. What is expected follows from those who bid for such jobs lately: that
all who are drawn have the record of the one in the middle.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from math import prod
from typing import Final

from protocol.economy.reputation import NEWCOMER, Odds, may_work_alone, odds
from protocol.economy.rewards import fee_on, most_pay, paid_limit_ms, pay
from protocol.job.crosscheck import MILLION, audit_chance, replicas_needed
from protocol.job.offer import smallest_budget
from protocol.messages import Offer
from protocol.parameters import Parameters
from protocol.state import State
from protocol.units import BASIS, AccountId, BasisPoints, Credits

NEWCOMERS_PAIR: Final = 2
"""Nobody works alone before its record is long."""


def quote_of(offer: Offer, requester: AccountId, state: State) -> Mapping[str, object]:
    """Says what to expect of an offer, and the most that it can cost.

    Args:
        offer: Its terms; the budget has no influence.
        requester: Who would offer it, and cannot work for itself.
        state: The ledger's state as this node knows it.
    """
    parameters = state.parameters
    able = [one for one in state.workers_of(offer) if one != requester]
    ranked = sorted((state.reputation_of(one) for one in able), key=lambda one: one.checks)
    records = [one.checks for one in ranked]
    middle = ranked[(len(ranked) - 1) // 2] if ranked else NEWCOMER
    checks = middle.checks
    needed = replicas_needed(
        [odds(checks, parameters)] * offer.replicas_max, offer.tolerated_error_ppm
    )
    replicas = max(offer.replicas, offer.replicas_max if needed is None else needed)
    value = most_pay(Credits(offer.price_cap), paid_limit_ms(offer, parameters), parameters)
    if not may_work_alone(middle, value, parameters):
        replicas = max(replicas, min(NEWCOMERS_PAIR, offer.replicas_max))
    numerator, denominator = audit_chance(checks if replicas == 1 else None, parameters)
    audit_rate_bp = -(-numerator * BASIS // denominator)
    bonus = (BasisPoints(parameters.verified_bonus),) if replicas > 1 else ()
    run = pay(Credits(offer.price_cap), paid_limit_ms(offer, parameters), bonus)
    runs = Credits(run * (replicas * BASIS + audit_rate_bp) // BASIS)
    highest = smallest_budget(offer, parameters)
    return {
        "replicas": offer.replicas,
        "replicas_max": offer.replicas_max,
        "expected_replicas": replicas,
        "known_workers": len(able),
        "reaches_tolerated_error": _reaches(offer, records, parameters),
        "smallest_budget": highest,
        "highest_price": highest,
        "expected_price": runs + fee_on(runs, parameters),
        "audit_rate_bp": audit_rate_bp,
        "jury_size": parameters.jury_size,
        "bid_window_rounds": offer.bid_window_rounds,
        "tolerated_error_ppm": offer.tolerated_error_ppm,
    }


def why_unreachable(offer: Offer, requester: AccountId, state: State) -> str | None:
    """Says why no result of an offer could be accepted, and what would help; None if one could.

    Judged by everybody who has a stake, whether or not it ever bid: only what cannot be is refused.

    Args:
        offer: Its terms.
        requester: Who would offer it, and cannot work for itself.
        state: The ledger's state as this node knows it.
    """
    least = state.parameters.stake_minimum
    able = [
        one for one in state.accounts if one != requester and state.accounts.of(one).staked >= least
    ]
    if len(able) < offer.replicas:
        return (
            f"{len(able)} accounts beside the requester's have a stake and could work, and the job "
            f"asks for {offer.replicas} replicas: ask for fewer, or wait until more workers stake"
        )
    records = sorted((state.reputation_of(one).checks for one in able), reverse=True)
    weights = [odds(checks, state.parameters) for checks in records]
    wanted_ppm = offer.tolerated_error_ppm
    if replicas_needed(weights[: offer.replicas_max], wanted_ppm) is not None:
        return None
    reached_ppm = _error_ppm(weights[: offer.replicas_max])
    enough = replicas_needed(weights[: state.parameters.replicas_max], wanted_ppm)
    more = f", or allow {enough} replicas (replicas_max)" if enough is not None else ""
    return (
        f"even if the best {min(len(weights), offer.replicas_max)} of {len(able)} workers agreed, "
        f"their result would be wrong with {_share(reached_ppm)}, and the job tolerates "
        f"{_share(wanted_ppm)}: tolerate {_share(reached_ppm)}{more}"
    )


def _error_ppm(weights: Sequence[Odds]) -> int:
    """Computes the error that workers reach who all agree, in millionths, rounded up."""
    right = prod(one.right for one in weights)
    wrong = prod(one.wrong for one in weights)
    return -(-wrong * MILLION // (right + wrong))


def _share(ppm: int) -> str:
    return f"{Decimal(ppm) / MILLION:f}"


def _reaches(offer: Offer, records: Sequence[int], parameters: Parameters) -> bool | None:
    """Whether the known workers with the longest records could bring a result; None without any."""
    if not records:
        return None
    best = sorted(records, reverse=True)[: offer.replicas_max]
    weights = [odds(checks, parameters) for checks in best]
    is_enough = len(records) >= offer.replicas
    return is_enough and replicas_needed(weights, offer.tolerated_error_ppm) is not None
