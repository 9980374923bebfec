"""Going in and out of stake."""

import pytest

from protocol.balances import Account, Available, Move, Released, Staked, Unbonding
from protocol.economy.staking import deposit, matured_ms, withdraw
from protocol.errors import Reason, Rejected
from protocol.parameters import minimal
from protocol.units import CREDIT, Credits, JobId, Milliseconds
from tests.support.builders import account_id

ANN = account_id(0)
TERMS = minimal()
LEAST = Credits(TERMS.stake_minimum)
NOW = Milliseconds(77)
HOLDER = Account(staked=Credits(3 * LEAST))


def refusal_of(account: Account, amount: int) -> Reason:
    with pytest.raises(Rejected) as refusal:
        withdraw(ANN, account, Credits(amount), NOW, TERMS)
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
    assert withdraw(ANN, HOLDER, LEAST, NOW, TERMS) == (expected,)


def test_a_withdrawal_leaves_the_minimum_or_nothing() -> None:
    assert withdraw(ANN, HOLDER, HOLDER.staked, NOW, TERMS)
    assert refusal_of(HOLDER, HOLDER.staked - 1) is Reason.BELOW_MINIMUM


def test_pledged_stake_cannot_be_withdrawn() -> None:
    pledged = Account(staked=HOLDER.staked, pledges=((JobId(bytes(32)), Credits(CREDIT)),))
    assert refusal_of(pledged, HOLDER.staked) is Reason.INSUFFICIENT_STAKE


def test_only_so_many_unbondings_are_pending_at_a_time() -> None:
    pending = tuple(
        Unbonding(Credits(1), Milliseconds(number)) for number in range(TERMS.unbondings_max)
    )
    full = Account(staked=HOLDER.staked, unbonding=pending)
    assert refusal_of(full, LEAST) is Reason.TOO_MANY_UNBONDINGS


def test_stake_matures_after_its_time_and_not_before_its_epochs_can_no_longer_be_judged() -> None:
    period_ms = TERMS.unbonding_ms
    assert matured_ms(Milliseconds(9), Milliseconds(0), TERMS) == 9
    late, long_ago = Milliseconds(3 * period_ms), Milliseconds(period_ms)
    assert matured_ms(late, long_ago, TERMS) == 2 * period_ms, "withdrawn since then, it waits"
    assert matured_ms(late, late, TERMS) == late
