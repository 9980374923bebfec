"""What a genesis may give out: limits that hold before any account exists."""

from typing import Final

from protocol.errors import Misuse
from protocol.messages import Genesis
from protocol.units import Credits

SUPPLY_MAX: Final = 2**60
"""So that no sum of amounts outgrows the 63 bits of a message's field in decades of emission."""


def check_endowment(genesis: Genesis) -> None:
    """Refuses a genesis that gives out more than can be counted, or entrusts nothing.

    Raises:
        Misuse: The supply exceeds `SUPPLY_MAX`, or an account in custody does not exist, has two
            withdrawal keys, or itself for one.
    """
    holders = {one.account for one in genesis.validators}
    holders |= {one.account for one in genesis.allocations}
    entrusted = [one.account for one in genesis.custodies]
    if len(set(entrusted)) != len(entrusted):
        raise Misuse("an account has one withdrawal key")
    for one in genesis.custodies:
        if one.account not in holders:
            raise Misuse(f"{one.account.hex()} has a withdrawal key, but no stake and no credits")
        if one.account == one.key:
            raise Misuse(f"{one.account.hex()} is its own withdrawal key: make another one")
    if supply_of(genesis) > SUPPLY_MAX:
        raise Misuse(f"a genesis gives out at most {SUPPLY_MAX} millionths")


def supply_of(genesis: Genesis) -> Credits:
    """Every credit that a genesis gives out."""
    staked = sum(validator.stake for validator in genesis.validators)
    return Credits(staked + sum(one.amount for one in genesis.allocations))
