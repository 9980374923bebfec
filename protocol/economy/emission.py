"""How much new money stake earns: by ledger time, the less for each unit the more is staked.

Nothing else mints. The rate falls in a straight line from `yield_most` with nothing staked to
`yield_least` with everything staked. Whoever was up earns `yield_uptime_bonus` more. It is paid
where an epoch ends, as a step of an index: that costs the same for ten accounts as for a million.
"""

from dataclasses import dataclass
from typing import Final

from protocol.accounts import Accounts
from protocol.balances import YIELD_SCALE
from protocol.economy.uptime import Attendance
from protocol.parameters import Parameters
from protocol.units import BASIS, AccountId, BasisPoints, Credits, Epoch, Milliseconds

YEAR_MS: Final = 365 * 24 * 3_600 * 1_000


@dataclass(frozen=True, slots=True)
class Emission:
    """Stake earned its yield for an epoch: from what it was computed, and who got more."""

    epoch: Epoch
    elapsed_ms: Milliseconds
    """Ledger time that the epoch took."""
    staked: Credits
    supply: Credits
    """Every credit that existed, without what was burned."""
    rate_bp: BasisPoints
    """Yearly yield of each staked unit, rounded down for people."""
    index: int
    """What each staked unit earned in this epoch, in parts of `YIELD_SCALE`."""
    extra: int
    """What each one earned on top whose account was up."""
    base: Credits
    """Minted for all stake alike."""
    bonus: Credits
    """Minted on top for whoever was up."""
    rewarded: tuple[AccountId, ...]
    """Who that was."""


def pay_epoch(
    accounts: Accounts,
    attendance: Attendance,
    epoch: Epoch,
    elapsed_ms: Milliseconds,
    parameters: Parameters,
) -> Emission:
    """Pays the yield of an epoch; costs time in proportion to who was there, not to all accounts.

    Args:
        accounts: Who has what at the end of the epoch: that is what earns.
        attendance: Who was there, the ended epoch included.
        epoch: The one that ends.
        elapsed_ms: Ledger time that it took.
        parameters: The network's terms.
    """
    staked, supply = Credits(accounts.totals.staked), accounts.supply
    index = step_of(staked, supply, elapsed_ms, parameters)
    base = accounts.emit(index)
    extra = index * parameters.yield_uptime_bonus // BASIS
    present = attendance.present
    rewarded = tuple(one for one in present if attendance.is_up(one, epoch, parameters))
    bonus = Credits(sum(accounts.reward(account, extra) for account in rewarded))
    rate_bp = rate_of(staked, supply, parameters)
    return Emission(epoch, elapsed_ms, staked, supply, rate_bp, index, extra, base, bonus, rewarded)


def rate_of(staked: Credits, supply: Credits, parameters: Parameters) -> BasisPoints:
    """Computes the yearly yield of staked money without the bonus, rounded down."""
    most, least = parameters.yield_most, parameters.yield_least
    return BasisPoints((most * supply - (most - least) * staked) // max(1, supply))


def step_of(
    staked: Credits, supply: Credits, elapsed_ms: Milliseconds, parameters: Parameters
) -> int:
    """Computes what one staked unit earns in a time, in parts of `YIELD_SCALE`, rounded down."""
    most, least = parameters.yield_most, parameters.yield_least
    share = most * supply - (most - least) * staked
    return elapsed_ms * YIELD_SCALE * share // (YEAR_MS * BASIS * max(1, supply))
