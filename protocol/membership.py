"""This node's standing in the committee: its seat while it has one, and its way to the next.

A seat is of one epoch, and so are the votes that it compares: both begin anew with each.
"""

from typing import Final

from protocol import effects as fx
from protocol.ledger.block import VerifiedBlock
from protocol.ledger.ordering import Commit
from protocol.messages import EpochPayload
from protocol.replica import Replica
from protocol.roles.candidate import Candidate
from protocol.roles.validator import CheckpointWatch, Validator
from protocol.signing import Scheme
from protocol.units import AccountId, Digest, Epoch, MemberIndex, Round
from protocol.wire import Summary

NO_ROUND: Final = Round(2**31)
"""Above every round: who has signed this far signs no more in its epoch."""


class Membership:
    """One account's seats, one after the other.

    Args:
        replica: The ledger and its state.
        seeds: Signing seed and random-function seed.
        scheme: Signature functions.
        validates: Whether to take seats at all.

    Attributes:
        validator: The proposing side; None without a seat in the running epoch.
        watch: Compares the members' votes on states with this node's own.
    """

    def __init__(
        self, replica: Replica, seeds: tuple[bytes, bytes], scheme: Scheme, *, validates: bool
    ) -> None:
        self._replica = replica
        self._seeds = seeds
        self._scheme = scheme
        self._account: AccountId = scheme.account_of(seeds[0])
        self._validates = validates
        self._candidate = Candidate(seeds, replica.state, scheme) if validates else None
        self._signed = (Epoch(0), 0)
        """Newest epoch in which this node is known to have signed a block, and how far."""
        self.validator = self._take_seat()
        self.watch = CheckpointWatch(replica.ledger)

    def restore(self, epoch: Epoch, last_round: int, now: int) -> None:
        """Takes in what the store knows of this node's own blocks, at the end of a start."""
        self._signed = (epoch, last_round)
        if self.validator is not None:
            self.validator.restore(self._signed_in_this_epoch(), now)

    def begin_epoch(self, closing_round: Round, now: int) -> None:
        """Takes the seat of the next epoch, if this node has one.

        Args:
            closing_round: The round with which the last epoch ended.
            now: Nanoseconds since genesis.
        """
        left = self.validator
        self.watch = CheckpointWatch(self._replica.ledger)
        self.validator = self._take_seat()
        if self.validator is None:
            return
        self.validator.restore(self._signed_in_this_epoch(), now)
        if left is not None and left.was_ready_by(closing_round):
            self.validator.trust()

    def hear(self, peer: AccountId, summary: Summary) -> None:
        """Takes in another member's summary."""
        is_of_epoch = summary.epoch == self._replica.ledger.committee.epoch
        if self.validator is not None and is_of_epoch:
            self.validator.hear(peer, summary.tips)

    def notice(self, block: VerifiedBlock) -> tuple[fx.Fact, ...]:
        """Looks at a block that joined the graph: what it says of this node's own key."""
        return self.validator.warnings(block) if self.validator is not None else ()

    def exile(self, member: MemberIndex) -> bool:
        """Stops referring to an equivocator; returns whether this node is to report it."""
        return self.validator is not None and self.validator.exile(member)

    def vote(self, commit: Commit, state_digest: Digest) -> None:
        """Notes this node's own state after a commit, and puts a vote on it into its next block."""
        self.watch.keep(commit.index, commit.digest, state_digest)
        if self.validator is not None:
            self.validator.vote(commit.index, commit.digest, state_digest)

    def duties(self, now: int) -> tuple[EpochPayload, ...]:
        """Names the operations that this account owes the ledger after the newest commit."""
        if self._candidate is None:
            return ()
        pooled = self._replica.pool.operations(self._account)
        return self._candidate.duties([one.operation.payload for one in pooled], now)

    def _signed_in_this_epoch(self) -> int:
        """How far this node has signed: beyond every round, when it was in a later epoch before."""
        epoch, last_round = self._signed
        running = self._replica.ledger.committee.epoch
        if epoch > running:
            return NO_ROUND
        return last_round if epoch == running else 0

    def _take_seat(self) -> Validator | None:
        replica = self._replica
        member = replica.ledger.committee.index_of(self._account)
        if member is None or not self._validates:
            return None
        parameters = replica.parameters
        return Validator(
            replica.ledger, member, self._seeds, replica.network, parameters, self._scheme
        )
