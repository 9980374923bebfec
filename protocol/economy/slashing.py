"""How much a proven fault costs, and where the money goes.

Part of a slash goes to the wronged or reporting side and the rest is burned: paying it out in full
would reward accounts that collude to catch each other. Absence is never slashed.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from protocol.balances import (
    NOTHING,
    Account,
    Available,
    Bucket,
    Move,
    Movement,
    Pledge,
    Released,
    Reserve,
    Staked,
)
from protocol.parameters import Parameters
from protocol.units import (
    BASIS,
    AccountId,
    BasisPoints,
    Credits,
    Epoch,
    JobId,
    MemberIndex,
    Milliseconds,
    Round,
    Weight,
)


@dataclass(frozen=True, slots=True)
class Contradiction:
    """A member's two blocks for one round."""

    epoch: Epoch
    member: MemberIndex
    round: Round


@dataclass(frozen=True, slots=True)
class Penalties:
    """The contradictions that were punished, as long as somebody could tell of them again."""

    punished: frozenset[Contradiction] = frozenset()
    latest: tuple[tuple[AccountId, Weight, Milliseconds], ...] = ()
    """Weight and ledger time of each account's last one; a member's index is of one epoch only."""

    def including(
        self,
        contradiction: Contradiction,
        account: AccountId,
        weight: Weight,
        ledger_ms: Milliseconds,
    ) -> "Penalties":
        """These and one more, of an account that voted with this weight."""
        others = tuple(entry for entry in self.latest if entry[0] != account)
        entry = (account, weight, ledger_ms)
        return Penalties(self.punished | {contradiction}, (*others, entry))

    def since(self, epoch: Epoch, ledger_ms: Milliseconds) -> "Penalties":
        """What still matters of these.

        Args:
            epoch: The oldest of which evidence is still taken.
            ledger_ms: When the window began in which penalties add up.
        """
        return Penalties(
            frozenset(one for one in self.punished if one.epoch >= epoch),
            tuple(entry for entry in self.latest if entry[2] >= ledger_ms),
        )

    def weight_since(self, ledger_ms: Milliseconds) -> Weight:
        """The weight of the accounts punished since a ledger time, each once."""
        return Weight(sum(weight for _, weight, at_ms in self.latest if at_ms >= ledger_ms))


def equivocation_share(
    slashed_weight: Weight, total_weight: Weight, parameters: Parameters
) -> BasisPoints:
    """Decides which share of its stake an equivocator loses.

    It grows with the weight that equivocated in the same window, so that a restored backup at home
    costs little and a coalition loses everything.

    Args:
        slashed_weight: Weight of all members punished in the window, this one included.
        total_weight: Weight of the whole committee.
        parameters: The network's terms.
    """
    correlated = parameters.equivocation_slash_correlated * slashed_weight * BASIS // total_weight
    return BasisPoints(min(BASIS, max(parameters.equivocation_slash_min, correlated)))


def slash_pledge(
    identifier: AccountId,
    account: Account,
    job: JobId,
    beneficiary: AccountId,
    parameters: Parameters,
) -> tuple[tuple[Movement, ...], Credits]:
    """Takes everything that an account pledged to a job.

    Args:
        identifier: Whose pledge it is.
        account: What that account owns.
        job: What the pledge answers for.
        beneficiary: The wronged requester.
        parameters: The network's terms.

    Returns:
        The movements, and the amount that the account loses.
    """
    amount = account.pledge_for(job)
    split = _split(Staked(identifier), amount, beneficiary, parameters)
    return (Pledge(identifier, job, NOTHING), *split), amount


def slash_stake(
    identifier: AccountId,
    account: Account,
    share: BasisPoints,
    beneficiary: AccountId | None,
    parameters: Parameters,
) -> tuple[tuple[Movement, ...], Credits]:
    """Takes a share of everything slashable: free stake first, then unbonding, then pledges.

    Args:
        identifier: Whose stake it is.
        account: What that account owns.
        share: Part of stake and unbonding stake together; rounded down.
        beneficiary: Who brought the evidence; None when the ledger itself showed it.
        parameters: The network's terms.

    Returns:
        The movements, and the amount that the account loses.
    """
    amount = Credits(account.slashable * share // BASIS)
    movements: list[Movement] = []
    left = amount
    for bucket, held in _reachable(identifier, account):
        taken = Credits(min(left, held))
        movements.extend(_split(bucket, taken, beneficiary, parameters))
        left = Credits(left - taken)
    if left:
        movements.extend(_from_pledges(identifier, account, left))
        movements.extend(_split(Staked(identifier), left, beneficiary, parameters))
    return tuple(movements), amount


def _reachable(identifier: AccountId, account: Account) -> Iterator[tuple[Bucket, Credits]]:
    yield Staked(identifier), account.free_stake
    for entry in account.unbonding:
        yield Released(identifier, entry.release_ms), entry.amount


def _from_pledges(identifier: AccountId, account: Account, amount: Credits) -> Iterator[Pledge]:
    """Shrinks pledges, the oldest first, to what the remaining stake can still answer for."""
    left = amount
    for job, pledged in account.pledges:
        taken = min(left, pledged)
        if not taken:
            return
        yield Pledge(identifier, job, Credits(pledged - taken))
        left = Credits(left - taken)


def _split(
    source: Bucket, amount: Credits, beneficiary: AccountId | None, parameters: Parameters
) -> Iterator[Move]:
    """Gives the beneficiary its share, rounded down, and burns the rest."""
    given = amount * parameters.slash_reporter_share // BASIS if beneficiary is not None else 0
    if beneficiary is not None and given:
        yield Move(source, Available(beneficiary), Credits(given))
    if amount - given:
        yield Move(source, Reserve.BURNED, Credits(amount - given))
