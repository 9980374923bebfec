"""Which rule decides an operation about money alone."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import assert_never

from protocol.accounts import Accounts
from protocol.balances import Movement
from protocol.economy import custody, staking
from protocol.economy.transfers import transfer
from protocol.messages import (
    CustodyTerms,
    CustodyUnstaking,
    CustodyWithdrawal,
    MoneyPayload,
    StakeDeposit,
    StakeWithdrawal,
    Transfer,
)
from protocol.parameters import Parameters
from protocol.units import AccountId, Credits, Milliseconds


@dataclass(frozen=True, slots=True)
class Treasury:
    """What the rules of money look at."""

    accounts: Accounts
    ledger_ms: Milliseconds
    parameters: Parameters
    check_withdrawal: Callable[[AccountId, Credits], None]
    """Refuses to let stake of an account go without which no next committee could be formed."""


def decide(sender: AccountId, payload: MoneyPayload, treasury: Treasury) -> tuple[Movement, ...]:
    """Decides an operation about money.

    Raises:
        Rejected: see the rule of each operation.
    """
    accounts, parameters = treasury.accounts, treasury.parameters
    match payload:
        case Transfer():
            return transfer(accounts, sender, payload, parameters)
        case StakeDeposit(amount):
            return staking.deposit(sender, accounts.of(sender), Credits(amount), parameters)
        case StakeWithdrawal(amount):
            return _unstake(sender, Credits(amount), treasury)
        case CustodyTerms():
            return custody.entrust(accounts, sender, payload)
        case CustodyUnstaking(account, amount):
            custody.check_owner(accounts, sender, account)
            return _unstake(account, Credits(amount), treasury)
        case CustodyWithdrawal():
            return custody.take_out(accounts, sender, payload)
        case _:
            assert_never(payload)


def _unstake(account: AccountId, amount: Credits, treasury: Treasury) -> tuple[Movement, ...]:
    owned, parameters = treasury.accounts.of(account), treasury.parameters
    movements = staking.withdraw(account, owned, amount, treasury.ledger_ms, parameters)
    treasury.check_withdrawal(account, amount)
    return movements
