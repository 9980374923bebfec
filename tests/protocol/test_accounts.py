"""Double entry: what moves, what is refused as a whole, and that nothing is lost."""

import pytest

from protocol.accounts import Accounts
from protocol.balances import (
    EMPTY,
    Available,
    Escrow,
    Move,
    Pledge,
    Released,
    Reserve,
    Staked,
    Totals,
    Unbonding,
    burn,
)
from protocol.endowment import SUPPLY_MAX, check_endowment
from protocol.errors import Misuse, Reason, Rejected
from protocol.units import CREDIT, Credits, JobId, Milliseconds
from tests.support.builders import RICHES, STAKE, account_id, make_genesis

ANN, BEA, NEW = account_id(0), account_id(1), account_id(20)
JOB = JobId(bytes(32))


def make_accounts() -> Accounts:
    return Accounts(make_genesis(validators=2))


def amount(millionths: int) -> Credits:
    return Credits(millionths)


def test_a_genesis_validator_starts_with_its_stake_staked() -> None:
    ann = make_accounts().of(ANN)
    assert (ann.available, ann.staked, ann.free_stake, ann.nonce) == (RICHES, STAKE, STAKE, 0)


def test_an_unknown_account_owns_nothing() -> None:
    accounts = make_accounts()
    assert accounts.of(NEW) == EMPTY
    assert NEW not in accounts


def test_a_move_takes_what_it_gives() -> None:
    accounts = make_accounts()
    accounts.apply((Move(Available(ANN), Available(NEW), amount(CREDIT)),))
    assert accounts.of(ANN).available == RICHES - CREDIT
    assert accounts.of(NEW).available == CREDIT
    assert accounts.conserved()


def test_a_batch_is_refused_as_a_whole() -> None:
    accounts = make_accounts()
    before = accounts.totals
    too_much = Move(Available(BEA), Available(ANN), amount(RICHES + 1))
    with pytest.raises(Rejected) as refusal:
        accounts.apply((burn(ANN, amount(5)), too_much))
    assert refusal.value.reason is Reason.INSUFFICIENT_FUNDS
    assert accounts.totals == before == accounts.recount()
    assert accounts.of(ANN).available == RICHES


def test_checking_movements_changes_nothing() -> None:
    accounts = make_accounts()
    accounts.check((burn(ANN, amount(5)),))
    assert accounts.totals.burned == 0


def test_pledged_stake_cannot_be_taken() -> None:
    accounts = make_accounts()
    accounts.apply((Pledge(ANN, JOB, amount(STAKE)),))
    with pytest.raises(Rejected) as refusal:
        accounts.apply((Move(Staked(ANN), Available(ANN), amount(1)),))
    assert refusal.value.reason is Reason.INSUFFICIENT_STAKE


def test_no_more_stake_can_be_pledged_than_there_is() -> None:
    with pytest.raises(Rejected) as refusal:
        make_accounts().apply((Pledge(ANN, JOB, amount(STAKE + 1)),))
    assert refusal.value.reason is Reason.INSUFFICIENT_STAKE


def test_a_pledge_of_nothing_frees_the_stake() -> None:
    accounts = make_accounts()
    accounts.apply((Pledge(ANN, JOB, amount(7)),))
    assert accounts.of(ANN).pledge_for(JOB) == 7
    accounts.apply((Pledge(ANN, JOB, amount(0)),))
    assert accounts.of(ANN).pledges == ()


def test_escrow_is_counted_for_the_job_and_for_its_requester() -> None:
    accounts = make_accounts()
    escrow = Escrow(JOB, ANN)
    accounts.apply((Move(Available(ANN), escrow, amount(50)),))
    assert (accounts.escrow_of(JOB), accounts.of(ANN).escrow) == (50, 50)
    accounts.apply(
        (Move(escrow, Available(BEA), amount(20)), Move(escrow, Reserve.BURNED, amount(30)))
    )
    assert (accounts.escrow_of(JOB), accounts.of(ANN).escrow) == (0, 0)
    assert accounts.totals.burned == 30


def test_unbonding_stake_matures_when_its_time_has_come() -> None:
    accounts = make_accounts()
    late = Released(ANN, Milliseconds(200))
    accounts.apply(
        (
            Move(Staked(ANN), late, amount(10)),
            Move(Staked(ANN), Released(ANN, Milliseconds(100)), amount(5)),
            Move(Staked(ANN), late, amount(1)),
        )
    )
    assert accounts.of(ANN).unbonding == (
        Unbonding(amount(5), Milliseconds(100)),
        Unbonding(amount(11), Milliseconds(200)),
    )
    accounts.mature(Milliseconds(199))
    assert accounts.of(ANN).available == RICHES + 5
    accounts.mature(Milliseconds(200))
    assert accounts.of(ANN).unbonding == ()
    assert accounts.of(ANN).available == RICHES + 16


def test_slashed_unbonding_stake_does_not_mature() -> None:
    accounts = make_accounts()
    leaving = Released(ANN, Milliseconds(100))
    accounts.apply((Move(Staked(ANN), leaving, amount(10)),))
    accounts.apply((Move(leaving, Reserve.BURNED, amount(10)),))
    accounts.mature(Milliseconds(100))
    assert accounts.of(ANN).available == RICHES


def test_changes_are_taken_once_and_in_order() -> None:
    accounts = make_accounts()
    accounts.take_changes()
    accounts.advance_nonce(BEA)
    accounts.advance_nonce(ANN)
    assert [account for account, _ in accounts.take_changes()] == sorted((ANN, BEA))
    assert accounts.take_changes() == ()


def test_a_negative_amount_is_our_own_mistake() -> None:
    with pytest.raises(Misuse):
        make_accounts().apply((burn(ANN, amount(-1)),))


def test_a_genesis_cannot_give_out_more_than_messages_can_say() -> None:
    check_endowment(make_genesis(validators=1, stake=SUPPLY_MAX, available=0))
    for genesis in (
        make_genesis(validators=1, stake=SUPPLY_MAX, available=1),
        make_genesis(validators=1, available=2**63 - 1),
    ):
        with pytest.raises(Misuse):
            check_endowment(genesis)
        with pytest.raises(Misuse):
            Accounts(genesis)


def test_two_copies_are_equal_while_every_bucket_is() -> None:
    one, other = make_accounts(), make_accounts()
    assert one.equals(other)
    one.advance_nonce(ANN)
    assert not one.equals(other)
    other.advance_nonce(ANN)
    assert one.equals(other)
    one.apply((burn(ANN, Credits(1)),))
    assert not one.equals(other)


def test_totals_name_every_bucket() -> None:
    assert make_accounts().totals == Totals(available=2 * RICHES, staked=2 * STAKE)
    assert make_accounts().totals.all == make_accounts().genesis_supply
