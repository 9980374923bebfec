"""When a member proposes its next block, and what that block refers to.

Nothing here decides what is final; it only keeps rounds going at a pace that gossip can carry.
The waits follow the measured cost of each: for a leader that was seen lately, and shortly for
missing votes; both grow with the lag of commits, since no bound on the network's delay is known.
"""

from collections.abc import Callable
from dataclasses import dataclass

from protocol.ledger.block import content_of, genesis_reference, reference_to
from protocol.ledger.committee import Committee
from protocol.ledger.dag import Dag
from protocol.messages import VERSION, Block, Checkpoint, Reference
from protocol.parameters import Parameters
from protocol.units import MILLISECOND, Digest, MemberIndex, Round

LAG_STEP_ROUNDS = 8
"""Waits double for each so many rounds by which commits lag behind."""

LAG_DOUBLINGS_MAX = 6

LAG_UNSEEN_ROUNDS = 24
"""Beyond this lag even leaders that were not seen lately are waited for: the provable rule."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What a block carries besides its references."""

    operations: tuple[bytes, ...]
    checkpoint: Checkpoint | None
    proof: bytes


class Proposer:
    """The proposing rules of one member.

    Args:
        committee: The epoch's committee.
        member: This node's index in it.
        parameters: The network's pace.
        network: The network's digest.
    """

    def __init__(
        self, committee: Committee, member: MemberIndex, parameters: Parameters, network: Digest
    ) -> None:
        self._committee = committee
        self._member = member
        self._parameters = parameters
        self._network = network
        self._clock_round = 0
        self._clock_since = 0
        self._exiled: dict[MemberIndex, None] = {}
        self._referenced = [0] * len(committee.members)
        self.last_round = 0
        self._last_time: int | None = None

    def remember(self, last_round: int) -> None:
        """Continues after a restart: nothing is signed again up to this round."""
        self.last_round = max(self.last_round, last_round)

    def exile(self, member: MemberIndex) -> bool:
        """Stops referring to a member that equivocated, where a quorum allows it.

        Returns:
            False when it was exiled before.
        """
        if member in self._exiled:
            return False
        self._exiled[member] = None
        return True

    def due(
        self, dag: Dag, last_leader_round: int, is_busy: Callable[[], bool], now: int
    ) -> int | None:
        """Tells when the next block may be proposed.

        Args:
            dag: The blocks accepted so far.
            last_leader_round: Round of the last committed leader.
            is_busy: Tells whether anything awaits a position in the ledger; asked only when the
                pace of the next block hangs on it.
            now: Nanoseconds since genesis.

        Returns:
            A time, at or before `now` when the block is due; None when this node has already
            proposed in the newest round that it could.
        """
        clock = dag.clock_round
        if clock != self._clock_round:
            self._clock_round = clock
            self._clock_since = now
        if clock <= self.last_round:
            return None
        wait = self._wait_ms(dag, clock, last_leader_round)
        due = self._clock_since + wait * MILLISECOND
        if self._last_time is not None:
            parameters = self._parameters
            pace = parameters.minimum_round_ms if is_busy() else parameters.idle_round_ms
            due = max(due, self._last_time + pace * MILLISECOND)
        return due

    def compose(self, dag: Dag, contents: Contents, now: int) -> Block:
        """Makes the block of the newest round; the caller signs, keeps and sends it."""
        target = dag.clock_round
        own = dag.latest(self._member)
        if own is None:
            own_reference = genesis_reference(self._committee, self._member)
        else:
            own_reference = reference_to(own)
        parents, weak = self._references(dag, target)
        self.last_round = target
        self._last_time = now
        return Block(
            version=VERSION,
            network=self._network,
            epoch=self._committee.epoch,
            round=target,
            author=self._member,
            own=own_reference,
            parents=parents,
            weak=weak,
            content=content_of(contents.operations),
            checkpoint=contents.checkpoint,
            proof=contents.proof,
            time_ms=max(0, now // MILLISECOND),
        )

    def _wait_ms(self, dag: Dag, clock: Round, last_leader_round: int) -> int:
        """How long after the clock moved this round still waits for its leader or for votes."""
        parameters = self._parameters
        lag = max(0, clock - last_leader_round)
        growth = 1 << min(LAG_DOUBLINGS_MAX, lag // LAG_STEP_ROUNDS)
        if self._misses_leader(dag, Round(clock - 1), lag):
            return parameters.leader_timeout_ms * growth
        if dag.votes_are_missing(Round(clock - 2)):
            return parameters.vote_grace_ms * growth
        return 0

    def _misses_leader(self, dag: Dag, previous: Round, lag: int) -> bool:
        if previous < 1:
            return False
        leader = self._committee.leader(previous)
        if leader == self._member or dag.first(leader, previous) is not None:
            return False
        if lag > LAG_UNSEEN_ROUNDS:
            return True
        latest = dag.latest(leader)
        seen = latest.block.round if latest is not None else 0
        return seen >= previous - self._parameters.unseen_leader_rounds

    def _references(
        self, dag: Dag, target: Round
    ) -> tuple[tuple[Reference, ...], tuple[Reference, ...]]:
        """Chooses parents of the previous round, and older blocks not referred to before."""
        parents = self._parents(dag, target, self._exiled)
        if self._weight(parents, dag, target) < self._committee.quorum:
            parents = self._parents(dag, target, {})
        named = {reference.author for reference in parents}
        weak = []
        for index in range(len(self._committee.members)):
            author = MemberIndex(index)
            latest = dag.latest(author)
            if author == self._member or author in named or author in self._exiled:
                continue
            if latest is None or not self._referenced[author] < latest.block.round < target - 1:
                continue
            weak.append(reference_to(latest))
        for reference in (*parents, *weak):
            self._referenced[reference.author] = reference.round
        return tuple(parents), tuple(weak)

    def _parents(self, dag: Dag, target: Round, exiled: dict[MemberIndex, None]) -> list[Reference]:
        parents = []
        previous = Round(target - 1)
        for index in range(len(self._committee.members)):
            author = MemberIndex(index)
            if author == self._member or author in exiled:
                continue
            if target == 1:
                parents.append(genesis_reference(self._committee, author))
                continue
            block = dag.first(author, previous)
            if block is not None:
                parents.append(reference_to(block))
        return parents

    def _weight(self, parents: list[Reference], dag: Dag, target: Round) -> int:
        weight = sum(self._committee.weight(reference.author) for reference in parents)
        own = dag.latest(self._member)
        own_round = own.block.round if own is not None else 0
        return weight + (self._committee.weight(self._member) if own_round == target - 1 else 0)
