"""The unit in which each parameter of a network counts, for people who read its terms."""

from collections.abc import Mapping
from typing import Final

MILLIONTHS: Final = "millionths of a credit"
BASIS_POINTS: Final = "hundredths of a percent"

UNITS: Final[Mapping[str, str]] = {
    "account_minimum": MILLIONTHS,
    "assumed_fault_share": BASIS_POINTS,
    "audit_floor": BASIS_POINTS,
    "audited_bonus": BASIS_POINTS,
    "bids_max": "bids",
    "block_operations_max": "operations",
    "chain_pool_max": "operations",
    "checks_before_alone": "passed checks",
    "checks_per_requester": "checks",
    "churn_profile": "yes or no",
    "equivocation_slash_correlated": "times the share slashed lately",
    "equivocation_slash_min": BASIS_POINTS,
    "exposure_multiple": "times the highest pay",
    "fee_share": BASIS_POINTS,
    "fuel_per_second": "units of fuel",
    "jury_size": "workers",
    "limit_fuel_max": "units of fuel",
    "lottery_stake_cap": MILLIONTHS,
    "operation_fee": MILLIONTHS,
    "price_weight_max": "times the weight at the cap",
    "replicas_max": "workers",
    "seed_leaders": "leaders",
    "slash_reporter_share": BASIS_POINTS,
    "speed_bonus": BASIS_POINTS,
    "stake_minimum": MILLIONTHS,
    "unbondings_max": "entries",
    "uptime_bonus": BASIS_POINTS,
    "uptime_min": BASIS_POINTS,
    "uptime_rounds_min": BASIS_POINTS,
    "uptime_steps": "steps of the yield",
    "verified_bonus": BASIS_POINTS,
    "yield_least": BASIS_POINTS,
    "yield_most": BASIS_POINTS,
    "yield_uptime_bonus": BASIS_POINTS,
}
"""What a name does not say itself."""

WORDS: Final[Mapping[str, str]] = {
    "ms": "ms",
    "bytes": "bytes",
    "rounds": "rounds",
    "commits": "commits",
    "ppm": "parts in a million",
}
"""Units that stand in a name as a word of their own."""


def unit_of(parameter: str) -> str:
    """Names the unit of a parameter; empty for one that nobody described yet."""
    if parameter in UNITS:
        return UNITS[parameter]
    return next((WORDS[word] for word in parameter.split("_") if word in WORDS), "")
