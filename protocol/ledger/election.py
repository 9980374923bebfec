"""Who sits in the next committee: the heaviest of those who were there.

A weight is what was staked both one epoch ago and now: stake that has just come does not vote yet,
and stake that has gone does not vote any more.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from protocol.errors import Reason, Rejected
from protocol.ledger.committee import CommitteeMember
from protocol.units import CREDIT, AccountId, Credits, Weight


@dataclass(frozen=True, slots=True)
class Candidate:
    """Somebody who was there.

    Attributes:
        account: Key that signs its blocks.
        vrf_key: Key that proves its random values.
        recorded: Its stake at the last boundary.
        stake: Its stake now.
    """

    account: AccountId
    vrf_key: bytes
    recorded: Credits
    stake: Credits

    @property
    def weight(self) -> Weight:
        """What its vote would weigh: whole credits, at least 1 while anything is staked."""
        counted = min(self.recorded, self.stake)
        return Weight(max(1, counted // CREDIT) if counted else 0)


def elect(candidates: Iterable[Candidate], seats: int) -> tuple[CommitteeMember, ...]:
    """Fills the seats with the heaviest candidates; of equals, the lower key wins."""
    eligible = [candidate for candidate in candidates if candidate.weight]
    eligible.sort(key=lambda candidate: (-candidate.weight, candidate.account))
    return tuple(
        CommitteeMember(candidate.account, candidate.vrf_key, candidate.weight)
        for candidate in eligible[:seats]
    )


def check_rest(
    standing: Iterable[Candidate], account: AccountId, amount: Credits, needed: Weight
) -> None:
    """Keeps withdrawals from leaving a ledger without a next committee.

    Only the present members count: whoever is to take over has to have a seat before. Who will be
    absent at the end of the epoch cannot be known yet, and counts as there.

    Args:
        standing: The members that may be elected again, with all that they have at stake.
        account: Whose stake is to go.
        amount: How much of it; no more than it has.
        needed: The least that the next committee may weigh.

    Raises:
        Rejected: `SEAT_NEEDED`.
    """
    before = after = 0
    for one in standing:
        left = replace(one, stake=Credits(one.stake - amount)) if one.account == account else one
        before, after = before + one.weight, after + left.weight
    if after < needed and after < before:
        told = f"the members would weigh {after}, and at least {needed} must"
        raise Rejected(Reason.SEAT_NEEDED, told)


def is_in_second_half(last_round: int, closing_round: int) -> bool:
    """Whether a member whose last ordered block has this round counts as present.

    The leaders of the second half have a quorum of such blocks in their history, so one epoch
    evicts at most what a quorum can do without.
    """
    return 2 * last_round > closing_round
