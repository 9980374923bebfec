"""How much new money stake earns: by ledger time, the less for each unit the more is staked.

Nothing else mints. The rate falls in a straight line from `yield_most` with nothing staked to
`yield_least` with everything staked. Whoever was up earns `yield_uptime_bonus` more. The result is
a step of an index, so that a step costs the same for ten accounts as for a million.
"""

from dataclasses import dataclass
from typing import Final

from protocol.accounts import Accounts
from protocol.balances import YIELD_SCALE
from protocol.economy.uptime import Attendance, Step
from protocol.parameters import Parameters
from protocol.units import BASIS, AccountId, BasisPoints, Credits, Milliseconds

YEAR_MS: Final = 365 * 24 * 3_600 * 1_000


@dataclass(frozen=True, slots=True)
class Emission:
    """Stake earned its yield for a step: from what it was computed, and who got more."""

    step: Step
    elapsed_ms: Milliseconds
    staked: Credits
    supply: Credits
    """Every credit that existed, without what was burned."""
    rate_bp: BasisPoints
    """Yearly yield of each staked unit, rounded down for people."""
    base: Credits
    """Minted for all stake alike."""
    bonus: Credits
    """Minted on top for whoever was up."""
    rewarded: tuple[AccountId, ...]
    """Who that was."""


def close_step(
    accounts: Accounts,
    attendance: Attendance,
    elapsed_ms: Milliseconds,
    rounds: int,
    parameters: Parameters,
) -> Emission:
    """Pays one step of yield; costs time in proportion to the members, not to all accounts.

    Args:
        accounts: Who has what at the end of the step: that is what earns.
        attendance: Who was there; begins its next step.
        elapsed_ms: Ledger time since the last step.
        rounds: Rounds that the ledger went on since then.
        parameters: The network's terms.
    """
    staked, supply = Credits(accounts.totals.staked), accounts.supply
    yield_step = step_of(staked, supply, elapsed_ms, parameters)
    base = accounts.emit(yield_step)
    step = attendance.step
    attendance.close(rounds, parameters)
    extra = yield_step * parameters.yield_uptime_bonus // BASIS
    rewarded = tuple(one for one in attendance.present if attendance.is_up(one, parameters))
    bonus = Credits(sum(accounts.reward(account, extra) for account in rewarded))
    rate_bp = rate_of(staked, supply, parameters)
    return Emission(step, elapsed_ms, staked, supply, rate_bp, base, bonus, rewarded)


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
