"""What a proven fault costs, wherever its author put the stake."""

import pytest

from protocol.accounts import Accounts
from protocol.balances import Available, Move, Movement, Pledge, Released, Staked
from protocol.economy.slashing import (
    Contradiction,
    Penalties,
    equivocation_share,
    slash_pledge,
    slash_stake,
)
from protocol.parameters import live
from protocol.units import (
    BASIS,
    CREDIT,
    BasisPoints,
    Credits,
    Epoch,
    JobId,
    MemberIndex,
    Milliseconds,
    Round,
    Weight,
)
from tests.support.builders import RICHES, STAKE, account_id, make_genesis

ANN, BEA = account_id(0), account_id(1)
JOB, OTHER = JobId(b"j" * 32), JobId(b"o" * 32)
TERMS = live()


def accounts_after(*movements: Movement) -> Accounts:
    accounts = Accounts(make_genesis(validators=2))
    accounts.apply(movements)
    return accounts


def test_a_single_small_equivocator_loses_the_least_share() -> None:
    assert equivocation_share(Weight(1), Weight(1_000), TERMS) == TERMS.equivocation_slash_min


@pytest.mark.parametrize(("slashed", "share"), [(10, 3_000), (20, 6_000), (34, BASIS)])
def test_a_coalition_loses_three_times_its_share_of_the_weight(slashed: int, share: int) -> None:
    assert equivocation_share(Weight(slashed), Weight(100), TERMS) == share


def test_a_pledge_goes_partly_to_the_wronged_side_and_is_burned_otherwise() -> None:
    accounts = accounts_after(Pledge(ANN, JOB, Credits(100)), Pledge(ANN, OTHER, Credits(7)))
    movements, amount = slash_pledge(ANN, accounts.of(ANN), JOB, BEA, TERMS)
    accounts.apply(movements)
    assert amount == 100
    assert accounts.of(ANN).pledges == ((OTHER, 7),)
    assert accounts.of(ANN).staked == STAKE - 100
    assert accounts.of(BEA).available == RICHES + 5
    assert accounts.totals.burned == 95


def test_nothing_is_taken_where_nothing_is_pledged() -> None:
    accounts = accounts_after()
    movements, amount = slash_pledge(ANN, accounts.of(ANN), JOB, BEA, TERMS)
    accounts.apply(movements)
    assert (amount, accounts.of(ANN).staked) == (0, STAKE)


def test_unbonding_stake_is_reached() -> None:
    accounts = accounts_after(Move(Staked(ANN), Released(ANN, Milliseconds(9)), Credits(STAKE)))
    movements, amount = slash_stake(ANN, accounts.of(ANN), BasisPoints(2_000), BEA, TERMS)
    accounts.apply(movements)
    assert amount == STAKE // 5
    assert accounts.of(ANN).slashable == STAKE - amount
    assert accounts.of(BEA).available == RICHES + amount // 20


def test_stake_that_the_ledger_itself_takes_is_burned() -> None:
    accounts = accounts_after()
    movements, amount = slash_stake(ANN, accounts.of(ANN), BasisPoints(BASIS), None, TERMS)
    accounts.apply(movements)
    assert accounts.of(ANN).slashable == 0
    assert accounts.totals.burned == amount == STAKE


def test_pledges_shrink_to_what_the_stake_can_still_answer_for() -> None:
    half = Credits(STAKE // 2)
    accounts = accounts_after(Pledge(ANN, JOB, half), Pledge(ANN, OTHER, half))
    movements, _ = slash_stake(ANN, accounts.of(ANN), BasisPoints(7_500), None, TERMS)
    accounts.apply(movements)
    assert accounts.of(ANN).staked == STAKE // 4
    assert accounts.of(ANN).pledges == ((OTHER, STAKE // 4),)


def test_available_credits_are_out_of_reach() -> None:
    accounts = accounts_after(Move(Available(BEA), Available(ANN), Credits(CREDIT)))
    movements, _ = slash_stake(ANN, accounts.of(ANN), BasisPoints(BASIS), BEA, TERMS)
    accounts.apply(movements)
    assert accounts.of(ANN).available == RICHES + CREDIT


def test_a_member_counts_once_in_the_window_however_often_it_was_punished() -> None:
    penalties = Penalties()
    for at_round, at_ms in ((1, 10), (2, 30)):
        found = Contradiction(Epoch(0), MemberIndex(4), Round(at_round))
        penalties = penalties.including(found, ANN, Weight(7), Milliseconds(at_ms))
    assert penalties.weight_since(Milliseconds(20)) == 7
    assert penalties.weight_since(Milliseconds(31)) == 0
    assert len(penalties.punished) == 2


def test_what_lies_before_an_epoch_and_a_time_is_forgotten() -> None:
    penalties = Penalties()
    for epoch, account in ((3, ANN), (4, BEA)):
        found = Contradiction(Epoch(epoch), MemberIndex(0), Round(1))
        penalties = penalties.including(found, account, Weight(7), Milliseconds(10 * epoch))
    left = penalties.since(Epoch(4), Milliseconds(30))
    assert [one.epoch for one in left.punished] == [4]
    assert left.weight_since(Milliseconds(0)) == 14
    assert penalties.since(Epoch(5), Milliseconds(41)) == Penalties()
