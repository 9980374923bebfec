"""A committee member's part: propose blocks, vote on states, and never contradict itself.

After a start it first listens, because its store may be older than what it signed: it proposes
only once it has heard from a quorum, or once the whole network stands still, and not at all in
this epoch when the network shows a block of its own that its store does not know.
"""

from collections.abc import Callable
from typing import Final

from protocol import effects as fx
from protocol.encoding import digest_of
from protocol.ledger.block import VerifiedBlock, checkpoint_digest, leader_message, sign_block
from protocol.ledger.ledger import Ledger
from protocol.ledger.pool import OperationPool
from protocol.ledger.proposing import Contents, Proposer
from protocol.messages import Checkpoint
from protocol.parameters import Parameters
from protocol.signing import CHECKPOINT, Scheme
from protocol.units import MILLISECOND, SECOND, AccountId, CommitIndex, Digest, MemberIndex, Round

FRESH_WAIT: Final = 3 * SECOND
"""In a network without any block, members that hear only some others begin after this long."""

STILL_IDLE_ROUNDS: Final = 4
"""A running network never rests for so many idle rounds: when it does, all its members wait."""

TWIN_MARGIN: Final = SECOND
"""An own block made this long after the start is not from before it, even if the clock was set."""

CHECKPOINTS_KEPT: Final = 64


class Validator:
    """The proposing side of one committee member.

    Args:
        ledger: The blocks and their order, shared with the core.
        member: This node's index in the committee.
        seeds: Signing seed and random-function seed.
        network: The network's digest.
        parameters: The network's terms.
        scheme: Signature functions.
    """

    def __init__(
        self,
        ledger: Ledger,
        member: MemberIndex,
        seeds: tuple[bytes, bytes],
        network: Digest,
        parameters: Parameters,
        scheme: Scheme,
    ) -> None:
        self.member = member
        self._ledger = ledger
        self._seed, self._vrf_seed = seeds
        self._network = network
        self._scheme = scheme
        self._proposer = Proposer(ledger.committee, member, parameters, network)
        self._heard: set[MemberIndex] = {member}
        self._started_at = 0
        self._still_ns = max(FRESH_WAIT, STILL_IDLE_ROUNDS * parameters.idle_round_ms * MILLISECOND)
        self._still: tuple[Round, int] = (Round(0), 0)
        """The newest round, and since when it is."""
        self._remembered = 0
        self._own: dict[Round, Digest] = {}
        """What was signed since the start, for the rounds above the horizon."""
        self._vote: Checkpoint | None = None
        self._heard_quorum = False
        self._heard_round = 0
        """Highest round that anybody showed while this node still listened."""
        self.sits_out = False
        self.seen_round = 0

    @property
    def last_round(self) -> int:
        """Highest round that this node knows to have signed."""
        return self._proposer.last_round

    def restore(self, last_round: int, now: int) -> None:
        """Takes in what the store knows of this node's own blocks, at the end of a start."""
        self._proposer.remember(last_round)
        self._remembered = last_round
        self._started_at = now
        self._still = (self._ledger.dag.clock_round, now)

    def was_ready_by(self, closing_round: Round) -> bool:
        """Whether this node knows all that it ever signed, in this epoch and after it.

        To have signed in the next epoch, it must have seen a quorum of members beyond the closing
        round before it stopped. Had it, the quorum that it heard since could not all have shown
        earlier rounds: the two share an honest member, which never goes back.
        """
        return self._heard_quorum and self._heard_round <= closing_round

    def trust(self) -> None:
        """Lets this node propose at once: it has signed nothing in this epoch."""
        self._heard_quorum = True

    def hear(self, account: AccountId, tips: tuple[int, ...]) -> None:
        """Takes in another member's summary.

        It counts only once this node has every block of its own that the other one knows: a
        summary arrives before the blocks that it tells of.
        """
        member = self._ledger.committee.index_of(account)
        if member is None or len(tips) <= self.member:
            return
        if not self._heard_quorum:
            self._heard_round = max(self._heard_round, *tips)
        own_tip = max(self._ledger.dag.tips()[self.member], self._proposer.last_round)
        if tips[self.member] <= own_tip:
            self._heard.add(member)

    def warnings(self, block: VerifiedBlock) -> tuple[fx.Fact, ...]:
        """What an accepted block says of this node's own memory and key."""
        if self._heard_quorum and block.block.author != self.member:
            return ()  # nearly always
        found: list[fx.Fact] = []
        if self.notice(block):
            found.append(fx.SittingOut(self.last_round, self.seen_round))
        if block.block.author == self.member and self._is_twins(block):
            found.append(fx.KeySeenElsewhere(block.block.round))
        return tuple(found)

    def notice(self, block: VerifiedBlock) -> bool:
        """Notes an accepted block; returns True when this node must sign no more.

        That is so when the block is this node's own and unknown to it: its store has forgotten
        blocks, or its key is in use elsewhere.
        """
        body = block.block
        block_round = body.round
        if not self._heard_quorum:
            self._heard_round = max(self._heard_round, block_round)
            if body.time_ms * MILLISECOND >= self._started_at:
                # Made since this node is back: its history holds all that its author knew of ours.
                self._heard.add(body.author)
        if body.author != self.member or self.sits_out:
            return False
        if block.digest == self._own.get(block_round):
            return False
        variants = self._ledger.dag.variants(self.member, block_round)
        if block_round <= self._remembered and len(variants) < 2:
            return False
        self.sits_out = True
        self.seen_round = block_round
        return True

    def _is_twins(self, block: VerifiedBlock) -> bool:
        """Whether somebody else made this accepted block of this node's key since its start.

        A block from before, which this node's store has forgotten, is nobody else's.
        """
        body = block.block
        is_new = body.time_ms * MILLISECOND >= self._started_at + TWIN_MARGIN
        return is_new and block.digest != self._own.get(body.round)

    def exile(self, member: MemberIndex) -> bool:
        """Stops referring to a member that equivocated; returns False when it was known for it.

        One proof for each member is enough: whatever else it signs twice shows in the order.
        """
        return self._proposer.exile(member)

    def vote(self, index: CommitIndex, commit_digest: Digest, state_digest: Digest) -> None:
        """Puts a vote on a state into the next block."""
        epoch = self._ledger.committee.epoch
        digest = checkpoint_digest(self._network, epoch, index, commit_digest, state_digest)
        signature = self._scheme.sign(self._seed, CHECKPOINT, digest)
        self._vote = Checkpoint(index, commit_digest, state_digest, signature)

    def due(self, is_busy: Callable[[], bool], now: int) -> int | None:
        """Tells when the next block may be proposed; None when something else must happen first."""
        if self.sits_out or not (self._heard_quorum or self._is_ready(now)):
            return None
        ledger = self._ledger
        return self._proposer.due(ledger.dag, ledger.last_leader_round, is_busy, now)

    def propose(self, pool: OperationPool, now: int) -> VerifiedBlock:
        """Composes and signs the newest round's block; the caller keeps it before sending it."""
        ledger = self._ledger
        target = ledger.dag.clock_round
        chosen = pool.select(ledger.committee, self.member, target)
        proof, output = b"", b""
        if ledger.committee.leader(target) == self.member:
            beacon = ledger.committee.beacon_at_start
            message = leader_message(self._network, ledger.committee.epoch, target, beacon)
            proof = self._scheme.prove(self._vrf_seed, message)
            vrf_key = self._scheme.vrf_key_of(self._vrf_seed)
            output = self._scheme.verify_proof(vrf_key, message, proof)
        contents = Contents(tuple(one.raw for one in chosen), self._vote, proof)
        self._vote = None
        block = self._proposer.compose(ledger.dag, contents, now)
        signed = sign_block(block, self._seed, self._scheme, output, contents.operations)
        self._own[target] = signed.digest
        for past in [past for past in self._own if past <= ledger.gc_round]:
            del self._own[past]
        return signed

    def _is_ready(self, now: int) -> bool:
        """Whether enough is known of what this node may have signed before.

        A node has few neighbours, so summaries alone seldom make a quorum; new blocks do in a
        network that runs. In one that starts, or starts again as a whole, everybody waits for
        them: then a neighbour that knows no more than this node must be enough.
        """
        committee, clock = self._ledger.committee, self._ledger.dag.clock_round
        self._heard_quorum = committee.weight_of(self._heard) >= committee.quorum
        if self._heard_quorum:
            return True
        if clock != self._still[0]:
            self._still = (clock, now)
        is_fresh = self._proposer.last_round == 0 and clock <= 1
        wait_ns = FRESH_WAIT if is_fresh else self._still_ns
        waited = now >= max(self._started_at, self._still[1]) + wait_ns
        self._heard_quorum = waited and len(self._heard) > 1
        return self._heard_quorum


class CheckpointWatch:
    """Compares the members' votes on states with this node's own.

    One differing vote may be a lie; when those that differ carry more than a faulty minority can,
    an honest member computed another state, and nothing that follows can be trusted.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._own: dict[int, Digest] = {}
        self._differing: dict[int, set[MemberIndex]] = {}

    def keep(self, index: int, commit_digest: Digest, state_digest: Digest) -> None:
        """Notes this node's own state after a commit."""
        self._own[index] = digest_of(b"vote", commit_digest, state_digest)
        if len(self._own) > CHECKPOINTS_KEPT:
            oldest = next(iter(self._own))
            del self._own[oldest]
            self._differing.pop(oldest, None)

    def contradicts(self, member: MemberIndex, vote: Checkpoint) -> bool:
        """Takes in a vote; returns True when the ledger must halt."""
        own = self._own.get(vote.index)
        if own is None or own == digest_of(b"vote", vote.commit_digest, vote.state_digest):
            return False
        differing = self._differing.setdefault(vote.index, set())
        differing.add(member)
        committee = self._ledger.committee
        weight = sum(committee.weight(one) for one in differing)
        return weight > committee.total - committee.quorum
