"""Going in and out of stake."""

import pytest

from protocol.balances import NOTHING, Account, Available, Move, Released, Staked, Unbonding
from protocol.economy.staking import deposit, withdraw
from protocol.errors import Reason, Rejected
from protocol.parameters import minimal
from protocol.units import CREDIT, Credits, JobId, Milliseconds
from tests.support.builders import account_id

ANN = account_id(0)
TERMS = minimal()
LEAST = Credits(TERMS.stake_minimum)
NOW = Milliseconds(77)
HOLDER = Account(staked=Credits(3 * LEAST))


def refusal_of(account: Account, amount: int, locked: Credits = NOTHING) -> Reason:
    with pytest.raises(Rejected) as refusal:
        withdraw(ANN, account, Credits(amount), locked, NOW, TERMS)
    return refusal.value.reason


def test_a_deposit_moves_available_credits_into_the_stake() -> None:
    assert deposit(ANN, Account(), LEAST, TERMS) == (Move(Available(ANN), Staked(ANN), LEAST),)


def test_a_stake_below_the_minimum_is_refused() -> None:
    with pytest.raises(Rejected) as refusal:
        deposit(ANN, Account(), Credits(LEAST - 1), TERMS)
    assert refusal.value.reason is Reason.BELOW_MINIMUM


def test_a_small_deposit_may_top_up_a_stake() -> None:
    assert deposit(ANN, HOLDER, Credits(1), TERMS)


def test_a_withdrawal_unbonds_for_the_networks_period() -> None:
    release_ms = Milliseconds(NOW + TERMS.unbonding_ms)
    expected = Move(Staked(ANN), Released(ANN, release_ms), LEAST)
    assert withdraw(ANN, HOLDER, LEAST, NOTHING, NOW, TERMS) == (expected,)


def test_a_withdrawal_leaves_the_minimum_or_nothing() -> None:
    assert withdraw(ANN, HOLDER, HOLDER.staked, NOTHING, NOW, TERMS)
    assert refusal_of(HOLDER, HOLDER.staked - 1) is Reason.BELOW_MINIMUM


def test_pledged_stake_cannot_be_withdrawn() -> None:
    pledged = Account(staked=HOLDER.staked, pledges=((JobId(bytes(32)), Credits(CREDIT)),))
    assert refusal_of(pledged, HOLDER.staked) is Reason.INSUFFICIENT_STAKE


def test_the_stake_that_a_vote_weighs_stays_to_the_last_millionth() -> None:
    locked = Credits(2 * LEAST)
    assert withdraw(ANN, HOLDER, LEAST, locked, NOW, TERMS)
    assert refusal_of(HOLDER, LEAST + 1, locked) is Reason.STAKE_LOCKED
    assert refusal_of(HOLDER, HOLDER.staked, locked) is Reason.STAKE_LOCKED


def test_a_slashed_stake_below_what_the_vote_weighs_cannot_shrink_further() -> None:
    assert refusal_of(HOLDER, 1, Credits(HOLDER.staked + 1)) is Reason.STAKE_LOCKED


def test_only_so_many_unbondings_are_pending_at_a_time() -> None:
    pending = tuple(
        Unbonding(Credits(1), Milliseconds(number)) for number in range(TERMS.unbondings_max)
    )
    full = Account(staked=HOLDER.staked, unbonding=pending)
    assert refusal_of(full, LEAST) is Reason.TOO_MANY_UNBONDINGS
