"""Credits go only to accounts that can spend them."""

import pytest

from protocol.accounts import Accounts
from protocol.balances import Available, Move
from protocol.economy.transfers import transfer
from protocol.errors import Reason, Rejected
from protocol.messages import Transfer
from protocol.parameters import minimal
from protocol.units import AccountId, Credits
from tests.support.builders import HandLedger, account_id, make_genesis

ANN, BEA, NEW = account_id(0), account_id(1), account_id(20)
LEAST = minimal().account_minimum
ZEROS = AccountId(bytes(32))
BAD_KEYS = [ZEROS, AccountId(b"\1" + bytes(31)), AccountId(b"\xff" * 32)]


def refusal_of(recipient: AccountId, amount: int) -> Reason:
    accounts = Accounts(make_genesis(validators=2))
    with pytest.raises(Rejected) as refusal:
        transfer(accounts, ANN, Transfer(recipient, amount), minimal())
    return refusal.value.reason


def test_a_transfer_moves_its_amount() -> None:
    accounts = Accounts(make_genesis(validators=2))
    moved = transfer(accounts, ANN, Transfer(BEA, 1), minimal())
    assert moved == (Move(Available(ANN), Available(BEA), Credits(1)),)


def test_a_new_account_needs_a_minimum() -> None:
    accounts = Accounts(make_genesis(validators=2))
    assert transfer(accounts, ANN, Transfer(NEW, LEAST), minimal())
    assert refusal_of(NEW, LEAST - 1) is Reason.BELOW_MINIMUM


@pytest.mark.parametrize("key", BAD_KEYS)
def test_a_new_account_needs_a_key_that_can_sign(key: AccountId) -> None:
    assert refusal_of(key, LEAST) is Reason.BAD_KEY


def test_a_transfer_to_no_key_moves_nothing() -> None:
    ledger = HandLedger()
    assert ledger.fail(0, Transfer(ZEROS, LEAST)).reason is Reason.BAD_KEY
    assert ZEROS not in ledger.state.accounts
