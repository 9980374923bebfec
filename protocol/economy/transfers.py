"""The rule of a transfer: credits go only where somebody can spend them."""

from protocol.accounts import Accounts
from protocol.balances import Available, Move, Movement
from protocol.errors import Reason, Rejected
from protocol.messages import Transfer
from protocol.parameters import Parameters
from protocol.signing import check_key
from protocol.units import AccountId, Credits


def transfer(
    accounts: Accounts, sender: AccountId, payload: Transfer, parameters: Parameters
) -> tuple[Movement, ...]:
    """Decides a transfer; it creates a recipient that does not exist yet.

    Raises:
        Rejected: `BELOW_MINIMUM` for a new account that would hold too little, `BAD_KEY` for one
            whose key nobody can sign with: a slip of the pen would burn the money.
    """
    if payload.recipient not in accounts:
        if payload.amount < parameters.account_minimum:
            raise Rejected(Reason.BELOW_MINIMUM, "a new account needs a larger first transfer")
        check_key(payload.recipient)
    amount = Credits(payload.amount)
    return (Move(Available(sender), Available(payload.recipient), amount),)
