"""Rules of withdrawal keys: what is on a machine can work and vote, but not empty the account.

An account names a second key, which is kept elsewhere. From then on its own key stakes, bids, works
and votes, and spends no more than an allowance on fees and escrows. Money leaves only for the
account of the withdrawal key, which needs nobody's help to take it: its operations are its own.
`protocol.accounts` holds back every movement that would break this, whatever rule asked for it.
"""

from protocol.accounts import Accounts
from protocol.balances import Available, Custody, Entrust, Move, Movement
from protocol.errors import Reason, Rejected
from protocol.messages import CustodyTerms, CustodyWithdrawal
from protocol.signing import check_key
from protocol.units import AccountId, Credits


def entrust(accounts: Accounts, sender: AccountId, payload: CustodyTerms) -> tuple[Movement, ...]:
    """Decides the terms of a custody.

    Raises:
        Rejected: `NOT_OWNER` unless the account names its first key or its key names another,
            `BAD_TERMS` for a key that is the account's own, `BAD_KEY` for one that nobody can sign
            with.
    """
    custody = accounts.of(payload.account).custody
    if sender != (custody.key if custody is not None else payload.account):
        raise Rejected(Reason.NOT_OWNER)
    if payload.key == payload.account:
        raise Rejected(Reason.BAD_TERMS, "a withdrawal key is another key than the account's own")
    check_key(payload.key)
    terms = Custody(payload.key, Credits(payload.allowance))
    return (Entrust(payload.account, terms),)


def take_out(
    accounts: Accounts, sender: AccountId, payload: CustodyWithdrawal
) -> tuple[Movement, ...]:
    """Decides what a withdrawal key takes out of an account.

    Raises:
        Rejected: `NOT_OWNER`.
    """
    check_owner(accounts, sender, payload.account)
    amount = Credits(payload.amount)
    return (Move(Available(payload.account), Available(sender), amount),)


def check_owner(accounts: Accounts, sender: AccountId, account: AccountId) -> None:
    """Refuses everybody but the withdrawal key of an account.

    Raises:
        Rejected: `NOT_OWNER`.
    """
    custody = accounts.of(account).custody
    if custody is None or custody.key != sender:
        raise Rejected(Reason.NOT_OWNER)
