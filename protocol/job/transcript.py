"""What a lottery leaves behind: from it, anyone can compute the same order again."""

from dataclasses import dataclass

from protocol.balances import NOTHING
from protocol.errors import Reason
from protocol.units import AccountId, CommitIndex, Credits, Digest, Milliseconds


@dataclass(frozen=True, slots=True)
class Candidate:
    """A worker in a draw, with everything that its weight was computed from."""

    account: AccountId
    weight: int
    free_stake: Credits
    reputation: int
    price: Credits


@dataclass(frozen=True, slots=True)
class PassedOver:
    """A worker that was not drawn or called, and why."""

    account: AccountId
    reason: Reason


@dataclass(frozen=True, slots=True)
class Draw:
    """The transcript of a lottery: from it, anyone can compute the same order."""

    index: CommitIndex
    """The commit whose beacon decided."""
    beacon: Digest
    seed: Digest
    candidates: tuple[Candidate, ...]
    order: tuple[AccountId, ...]
    passed_over: tuple[PassedOver, ...]
    outweighed: tuple[Candidate, ...] = ()
    """Who was passed over as `OTHER_CLASS` here, with the weights that their classes had."""
    absent_stake: Credits = NOTHING
    """Free stake of the workers who could have bid and did not, each up to the lottery's cap; 0
    where checkers are drawn from all of them."""

    def bidding_stake(self, cap: Credits) -> Credits:
        """Free stake of those who did bid and could be drawn, each up to a cap."""
        bidders = (*self.candidates, *self.outweighed)
        return Credits(sum(min(one.free_stake, cap) for one in bidders))


@dataclass(frozen=True, slots=True)
class Audit:
    """Whether a later beacon sent an auditor: `number / 2**64 < numerator / denominator`."""

    beacon: Digest
    number: int
    numerator: int
    denominator: int
    drawn: Draw | None
    """None when the number spared the job."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What becomes of an accepted output while payouts wait in the escrow."""

    until_ms: Milliseconds | None
    """Ledger time at which the payouts leave; None while a beacon is awaited."""
    is_over: bool = False
    """Whether they have left, be it to the workers or back to the requester."""
    is_claimed: bool = False
    """Whether the requester has said that it cannot have the output."""
    drawn: Draw | None = None
    """The workers from outside the job who try to fetch it then, in `order`."""
    missing: tuple[AccountId, ...] = ()
    """Those of them who could not."""
