"""What an account's past says about it: the weight of its bids and the credibility of its results.

Two different memories. Reputation (right and wrong, fading) weighs an account in draws. Credibility
counts cross-checks passed in a row and decides how many others must agree with it. Both grow only
through checked work, and ever less through one and the same requester, so neither can be farmed by
trading with oneself.
"""

from dataclasses import dataclass, replace
from typing import Final

from protocol.balances import NOTHING
from protocol.parameters import Parameters
from protocol.units import BASIS, AccountId, Credits, Milliseconds

SCALE = 1_000
"""Thousandths in one result, so that weights below one stay integers."""
REPUTATION_MAX = 65_535
"""Fixed point: the reputation of an account that was never wrong, in the limit."""
REQUESTERS_KEPT = 32
"""Requesters remembered for each account; the one heard of longest ago is dropped first."""
DOUBLINGS_MAX = 16
"""Beyond this many misses in a row the back-off grows no further."""

GENESIS_MS: Final = Milliseconds(0)


@dataclass(frozen=True, slots=True)
class Odds:
    """How much likelier a worker is right than wrong, as a ratio of two integers."""

    right: int
    wrong: int


@dataclass(frozen=True, slots=True)
class Seen:
    """How often one requester's jobs counted for an account in one period of ledger time."""

    requester: AccountId
    period: int
    count: int


@dataclass(frozen=True, slots=True)
class Reputation:
    """One account's record as a worker."""

    right: int = 0
    """Right results, in thousandths, fading."""
    wrong: int = 0
    """Wrong results and absences, in thousandths, fading."""
    checks: int = 0
    """Cross-checks passed since the last failure."""
    burned: Credits = NOTHING
    """Its part of the fees that the jobs of these checks burned."""
    misses: int = 0
    """Deadlines missed in a row."""
    resting_until_ms: Milliseconds = GENESIS_MS
    """Ledger time before which the account is not drawn."""
    seen: tuple[Seen, ...] = ()
    """The requesters that counted lately, the latest last."""


NEWCOMER = Reputation()


def score(reputation: Reputation) -> int:
    """Weighs a record for draws: the mean of a beta distribution, from 1 to 65,535."""
    favourable = reputation.right + SCALE
    mean = REPUTATION_MAX * favourable // (reputation.right + reputation.wrong + 2 * SCALE)
    return max(1, mean)


def odds(checks: int, parameters: Parameters) -> Odds:
    """Weighs one result of a worker that passed so many cross-checks in a row.

    The chance of being wrong is `assumed_fault_share / (1 + checks)`.

    Source: Sarmenta, "Sabotage-tolerance mechanisms for volunteer computing systems", 2002.
    """
    wrong = max(1, parameters.assumed_fault_share)
    return Odds(BASIS * (1 + checks) - wrong, wrong)


def may_work_alone(reputation: Reputation, value: Credits, parameters: Parameters) -> bool:
    """Says whether a worker's record is long and dear enough for a run that nobody repeats.

    A good record that costs less than one lie brings would be bought. So the fees burned behind its
    checks must cover what the run can earn.

    Args:
        reputation: The worker's record.
        value: The most that the run can pay.
        parameters: The network's terms.
    """
    is_long = reputation.checks >= max(1, parameters.checks_before_alone)
    return is_long and reputation.burned >= value


def after_right(
    reputation: Reputation,
    requester: AccountId,
    ledger_ms: Milliseconds,
    parameters: Parameters,
    *,
    checked: bool,
    burned: Credits = NOTHING,
) -> Reputation:
    """Records an accepted result; only a checked one counts as evidence of honesty.

    Args:
        reputation: The record so far.
        requester: Whose job it was.
        ledger_ms: When it ended.
        parameters: The network's terms.
        checked: Whether somebody who could have been anybody found the same.
        burned: The worker's part of the fee that the job burned.
    """
    rested = after_answer(reputation)
    if not checked:
        return rested
    period = ledger_ms // max(1, parameters.check_period_ms)
    before = next((seen for seen in reputation.seen if seen.requester == requester), None)
    count = before.count + 1 if before is not None and before.period == period else 1
    others = tuple(seen for seen in reputation.seen if seen.requester != requester)
    kept = (*others, Seen(requester, period, count))[-REQUESTERS_KEPT:]
    raises = 1 if count <= parameters.checks_per_requester else 0
    return replace(
        rested,
        right=_faded(reputation.right) + SCALE // count,
        wrong=_faded(reputation.wrong),
        checks=reputation.checks + raises,
        burned=Credits(reputation.burned + raises * burned),
        seen=kept,
    )


def after_answer(reputation: Reputation) -> Reputation:
    """Records work that was revealed in time, whatever it is worth: silence is over."""
    return replace(reputation, misses=0)


def after_wrong(reputation: Reputation) -> Reputation:
    """Records a result that an accepted one contradicts: credibility starts anew."""
    return replace(
        reputation,
        right=_faded(reputation.right),
        wrong=_faded(reputation.wrong) + SCALE,
        checks=0,
        burned=NOTHING,
        misses=0,
    )


def after_conviction(reputation: Reputation) -> Reputation:
    """Records a proven lie: nothing good of the past counts any more."""
    wrong = reputation.wrong + 10 * SCALE
    return replace(reputation, right=0, wrong=wrong, checks=0, burned=NOTHING, seen=())


def after_miss(
    reputation: Reputation, ledger_ms: Milliseconds, parameters: Parameters
) -> Reputation:
    """Records a missed deadline: a rest that doubles with each miss in a row, and no slash."""
    doublings = min(reputation.misses, DOUBLINGS_MAX)
    rest_ms = min(parameters.back_off_max_ms, parameters.back_off_ms << doublings)
    return replace(
        reputation,
        right=_faded(reputation.right),
        wrong=_faded(reputation.wrong) + SCALE,
        misses=reputation.misses + 1,
        resting_until_ms=Milliseconds(ledger_ms + rest_ms),
    )


def _faded(amount: int) -> int:
    """Forgets a fiftieth with every new result, rounded down."""
    return amount * 49 // 50
