"""What an operation costs that succeeds, and what one costs that fails."""

import pytest

from protocol.balances import Account, Available, Move, Reserve, Staked, Unbonding
from protocol.economy.fees import fee_of, fee_of_failure, may_send
from protocol.messages import Transfer
from protocol.parameters import minimal
from protocol.units import Credits, JobId, Milliseconds
from tests.support.builders import (
    STAKE,
    HandLedger,
    account_id,
    ledger_of_outsiders,
    make_bid,
    make_genesis,
)

TERMS = minimal()
FEE = TERMS.operation_fee
LEAST = TERMS.stake_minimum
ANN, BEA = account_id(0), account_id(1)
JOB = JobId(bytes(32))


def holding(available: int = 0, staked: int = 0, pledged: int = 0) -> Account:
    pledges = ((JOB, Credits(pledged)),) if pledged else ()
    return Account(Credits(available), Credits(staked), pledges=pledges)


def charged(account: Account) -> tuple[int, int]:
    """What a failure takes of the available credits and of the stake."""
    moves = fee_of_failure(ANN, account, TERMS)
    taken = {Available(ANN): 0, Staked(ANN): 0}
    for move in moves:
        assert isinstance(move, Move)
        assert move.target is Reserve.BURNED
        assert isinstance(move.source, Available | Staked)
        taken[move.source] += move.amount
    return taken[Available(ANN)], taken[Staked(ANN)]


def test_a_success_costs_the_whole_fee() -> None:
    assert fee_of(ANN, TERMS) == Move(Available(ANN), Reserve.BURNED, Credits(FEE))


@pytest.mark.parametrize(
    ("account", "taken"),
    [
        (holding(FEE), (FEE, 0)),
        (holding(FEE + 1, LEAST), (FEE, 0)),
        (holding(FEE - 1, LEAST), (FEE - 1, 1)),
        (holding(0, LEAST), (0, FEE)),
        (holding(0, LEAST, LEAST - 1), (0, 1)),
        (holding(0, LEAST, LEAST), (0, 0)),
        (holding(), (0, 0)),
    ],
)
def test_a_failure_costs_what_can_be_paid_and_never_a_pledge(
    account: Account, taken: tuple[int, int]
) -> None:
    assert charged(account) == taken


def test_who_can_neither_pay_nor_work_may_not_send() -> None:
    assert may_send(holding(FEE), TERMS)
    assert may_send(holding(0, LEAST), TERMS)
    assert not may_send(holding(FEE - 1), TERMS)
    assert not may_send(holding(FEE - 1, LEAST - 1), TERMS)


def test_unbonding_stake_pays_for_nothing() -> None:
    leaving = Account(unbonding=(Unbonding(Credits(LEAST), Milliseconds(1)),))
    assert charged(leaving) == (0, 0)
    assert not may_send(leaving, TERMS)


def test_failures_of_an_emptied_account_are_paid_from_its_free_stake() -> None:
    ledger = ledger_of_outsiders()
    rest = ledger.state.accounts.of(BEA).available
    ledger.do(1, Transfer(ANN, rest - FEE))
    assert ledger.state.accounts.of(BEA).available == 0
    ledger.fail(1, make_bid(JOB))
    assert ledger.state.accounts.of(BEA).staked == STAKE - FEE
    assert ledger.state.may_send(BEA)


def test_failures_of_a_member_are_paid_from_its_stake_as_anybodys_are() -> None:
    ledger = HandLedger(make_genesis(available=FEE + 1))
    ledger.fail(0, make_bid(JOB))
    ledger.fail(0, make_bid(JOB))
    ann = ledger.state.accounts.of(ANN)
    assert (ann.available, ann.staked, ann.nonce) == (0, STAKE - FEE + 1, 2)
