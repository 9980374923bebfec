"""Rules of the fee: what every operation costs that is not free, and every one that fails.

A place in the ledger is never a gift: whoever can pay for a refusal pays, and whoever could pay
for none at all brings nothing in.
"""

from protocol.balances import Account, Available, Move, Movement, Reserve, Staked, burn
from protocol.parameters import Parameters
from protocol.units import AccountId, Credits


def fee_of(identifier: AccountId, parameters: Parameters) -> Movement:
    """Charges an operation that succeeds, in full."""
    return burn(identifier, Credits(parameters.operation_fee))


def fee_of_failure(
    identifier: AccountId, account: Account, parameters: Parameters
) -> tuple[Movement, ...]:
    """Charges an operation that failed, as far as its account can pay.

    What may be spent comes first, then free stake; never more than there is.

    Args:
        identifier: Who sent the operation.
        account: Its balances.
        parameters: The network's terms.
    """
    paid = min(account.spendable, parameters.operation_fee)
    owed = min(account.free_stake, parameters.operation_fee - paid)
    sources = ((Available(identifier), paid), (Staked(identifier), owed))
    return tuple(Move(source, Reserve.BURNED, Credits(part)) for source, part in sources if part)


def may_send(account: Account, parameters: Parameters) -> bool:
    """Says whether an account could pay for a failure, or has a stake to work with."""
    staked = account.staked >= parameters.stake_minimum
    return staked or account.spendable >= parameters.operation_fee
