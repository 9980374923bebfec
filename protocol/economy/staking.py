"""Rules of putting stake in and taking it out.

Anybody may withdraw stake at any time, a member of the committee included: its vote weighs less
from the next election on. Only what the present members need to form the next committee has to
stay, which `protocol.ledger.election` decides. What is withdrawn unbonds for a time during which
evidence still reaches it, and at least until nothing can be proved any more of the epochs in which
it weighed. Stake that is pledged to a job cannot be withdrawn at all. So nobody escapes a
punishment by leaving.
"""

from protocol.balances import Account, Available, Move, Movement, Released, Staked
from protocol.errors import Reason, Rejected
from protocol.parameters import Parameters
from protocol.units import AccountId, Credits, Milliseconds


def deposit(
    identifier: AccountId, account: Account, amount: Credits, parameters: Parameters
) -> tuple[Movement, ...]:
    """Decides a stake deposit.

    Raises:
        Rejected: `BELOW_MINIMUM` when the stake would stay below the network's minimum.
    """
    if account.staked + amount < parameters.stake_minimum:
        raise Rejected(Reason.BELOW_MINIMUM, "the stake would be below the minimum")
    return (Move(Available(identifier), Staked(identifier), amount),)


def withdraw(
    identifier: AccountId,
    account: Account,
    amount: Credits,
    ledger_ms: Milliseconds,
    parameters: Parameters,
) -> tuple[Movement, ...]:
    """Decides a stake withdrawal: free stake starts to unbond.

    Args:
        identifier: Who withdraws.
        account: Its balances.
        amount: What is to unbond.
        ledger_ms: Ledger time.
        parameters: The network's terms.

    Raises:
        Rejected: `INSUFFICIENT_STAKE` for more than the free stake, `BELOW_MINIMUM` when a
            remainder below the minimum would be left, `TOO_MANY_UNBONDINGS`.
    """
    if amount > account.free_stake:
        raise Rejected(Reason.INSUFFICIENT_STAKE, f"{account.free_stake} millionths are free")
    if 0 < account.staked - amount < parameters.stake_minimum:
        raise Rejected(Reason.BELOW_MINIMUM, "leave the minimum or nothing")
    release_ms = Milliseconds(ledger_ms + parameters.unbonding_ms)
    pending = {entry.release_ms for entry in account.unbonding} | {release_ms}
    if len(pending) > parameters.unbondings_max:
        raise Rejected(Reason.TOO_MANY_UNBONDINGS, f"at most {parameters.unbondings_max}")
    return (Move(Staked(identifier), Released(identifier, release_ms), amount),)


def matured_ms(
    ledger_ms: Milliseconds, provable_from_ms: Milliseconds, parameters: Parameters
) -> Milliseconds:
    """Decides up to which time of release unbonding stake has become available.

    Args:
        ledger_ms: Ledger time.
        provable_from_ms: When the oldest epoch began of which contradictions are still punished:
            what was withdrawn since then may have weighed in it.
        parameters: The network's terms.
    """
    return Milliseconds(min(ledger_ms, provable_from_ms + parameters.unbonding_ms))
