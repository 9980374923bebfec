"""The unit in which each parameter of a network counts, for people who read or set its terms."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Final

from msgspec.structs import asdict

from p2pnode.cli.endings import BadInput
from protocol.encoding import decode, encode
from protocol.errors import Rejected
from protocol.parameters import Parameters

TERMS_BYTES_MAX: Final = 64 * 1024

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
    "check_fee_min": MILLIONTHS,
    "checks_before_alone": "passed checks",
    "checks_per_requester": "checks",
    "churn_profile": "yes or no",
    "committee_max": "members",
    "committee_weight_epochs": "epochs",
    "committee_weight_min": BASIS_POINTS,
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
    "uptime_epochs": "epochs",
    "uptime_bonus": BASIS_POINTS,
    "uptime_min": BASIS_POINTS,
    "uptime_rounds_min": BASIS_POINTS,
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


def changed_terms(terms: Parameters, changes: Sequence[str]) -> Parameters:
    """Changes terms as `PARAMETER=VALUE` says; units are those of `genesis show`.

    Raises:
        BadInput: No parameter has that name, or none could have that value.
    """
    for change in changes:
        name, equals, text = change.partition("=")
        if not equals:
            raise BadInput(f"--set takes PARAMETER=VALUE, not {change!r}")
        terms = _changed(terms, name.strip(), text.strip())
    return terms


def _changed(terms: Parameters, name: str, text: str) -> Parameters:
    values = asdict(terms)
    if name not in values:
        near = get_close_matches(name, values, 1)
        hint = f"did you mean {near[0]}?" if near else "`p2pnode genesis show` lists them"
        raise BadInput(f"--set: there is no parameter {name!r}: {hint}")
    if isinstance(values[name], bool):
        if text not in ("yes", "no"):
            raise BadInput(f"--set: {name} is yes or no, not {text!r}")
        value: int = text == "yes"
    else:
        if not text.isascii() or not text.isdecimal():
            raise BadInput(f"--set: {name} is a whole number of {unit_of(name)}, not {text!r}")
        value = int(text)
    try:
        changed = Parameters(**values | {name: value})
        return decode(encode(changed), Parameters, TERMS_BYTES_MAX)
    except (Rejected, OverflowError) as refusal:
        raise BadInput(f"--set: {name} cannot be {text}: {refusal}") from refusal
