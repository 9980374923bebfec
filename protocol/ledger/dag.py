"""Accepted blocks, and the votes, certificates and direct decisions that they add up to.

Every tally is kept as blocks arrive, in time linear in the block's references, and counts the
weight of authors, never of blocks. A block of round `r + 1` votes for the leader block of round
`r` that it references, or blames the slot; a block of round `r + 2` certifies the leader block for
which a quorum of its parents voted. A quorum of blame skips the slot, a quorum of certificates
commits it; both verdicts are permanent.
"""

from dataclasses import dataclass, field
from typing import Final

from protocol.errors import Misuse, Reason, Rejected
from protocol.ledger.block import VerifiedBlock
from protocol.ledger.committee import Committee
from protocol.messages import Block, Reference
from protocol.struct import Struct
from protocol.units import Digest, MemberIndex, Round


@dataclass(frozen=True, slots=True)
class Committed:
    """The slot's leader block is part of the final sequence."""

    leader: Digest


@dataclass(frozen=True, slots=True)
class Skipped:
    """The slot adds nothing to the final sequence."""


Verdict = Committed | Skipped
SKIPPED: Final = Skipped()


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Two verdicts that exclude each other: more weight is Byzantine than the quorum tolerates.

    Attributes:
        round: The slot.
        first: What held so far.
        second: What came on top of it.
    """

    round: Round
    first: Verdict
    second: Verdict


@dataclass(slots=True)
class Tally:
    """Authors that did something, each counted once, and their weight."""

    members: int = 0
    weight: int = 0

    def add(self, bit: int, weight: int) -> None:
        """Counts an author, unless it was counted before."""
        if not self.members & bit:
            self.members |= bit
            self.weight += weight


@dataclass(slots=True)
class Slot:
    """What blocks say about the leader of one round.

    Attributes:
        leader: Who leads.
        votes: By leader block: authors of the next round that reference it.
        blame: Authors of the next round with a block that references none.
        certificates: By leader block: authors two rounds later that saw a quorum of votes.
        verdict: The decision, once there is one.
    """

    leader: MemberIndex
    votes: dict[Digest, Tally] = field(default_factory=dict)
    blame: Tally = field(default_factory=Tally)
    certificates: dict[Digest, Tally] = field(default_factory=dict)
    verdict: Verdict | None = None

    @property
    def committed(self) -> Digest | None:
        """The leader block in the final sequence, once that is decided."""
        return self.verdict.leader if isinstance(self.verdict, Committed) else None


class Vertex(Struct, eq=False):
    """A block in the DAG.

    Attributes:
        block: The block.
        author: Its author.
        round: Its round.
        ancestors: What it references, as far as it was not yet dropped.
        vote: The leader block of the previous round that it votes for.
        certificate: The leader block two rounds earlier that it certifies, above the horizon.
        ordered: Set by `protocol.ledger.ordering` once the block is in the final sequence.
    """

    block: VerifiedBlock
    author: MemberIndex
    round: Round
    ancestors: tuple["Vertex", ...]
    vote: Digest | None = None
    certificate: Digest | None = None
    ordered: bool = False


@dataclass(slots=True)
class _Row:
    """The blocks of one round."""

    vertices: list[Vertex] = field(default_factory=list)
    authors: dict[MemberIndex, list[VerifiedBlock]] = field(default_factory=dict)
    tally: Tally = field(default_factory=Tally)


class Dag:
    """Accepted blocks above the horizon, ancestors always included.

    Attributes:
        committee: Who may vote.
        gc_round: Blocks of this round and below are dropped and needed by nobody.
        clock_round: The lowest round in which one may propose: the previous one has a quorum.
        verdicts_count: Direct verdicts so far; the commit rule looks again when it grows.
        highest_verdict: Highest round with a direct verdict.
        contradiction: The first contradiction seen, which ends finality.
    """

    __slots__ = (
        "_latest",
        "_rows",
        "_slots",
        "_tips",
        "_vertices",
        "_weights",
        "clock_round",
        "committee",
        "contradiction",
        "gc_round",
        "highest_verdict",
        "verdicts_count",
    )

    def __init__(self, committee: Committee) -> None:
        self.committee = committee
        self.gc_round = Round(0)
        self.clock_round = Round(1)
        self.verdicts_count = 0
        self.highest_verdict = Round(0)
        self.contradiction: Contradiction | None = None
        self._weights = committee.weights
        self._vertices: dict[Digest, Vertex] = {}
        self._rows: dict[int, _Row] = {}
        self._slots: dict[int, Slot] = {}
        self._latest: list[VerifiedBlock | None] = [None] * len(committee)
        self._tips = [Round(0)] * len(committee)

    def __contains__(self, digest: Digest) -> bool:
        return digest in self._vertices

    def __len__(self) -> int:
        return len(self._vertices)

    def get(self, digest: Digest) -> VerifiedBlock | None:
        """Returns a block, or None when it is not here (any more)."""
        vertex = self._vertices.get(digest)
        return vertex.block if vertex else None

    def vertex(self, digest: Digest) -> Vertex:
        """Returns a block's place in the DAG; it must be here."""
        return self._vertices[digest]

    def add(self, verified: VerifiedBlock) -> tuple[Reference, ...]:
        """Adds a block and counts what it says, unless ancestors of it are not here.

        Returns:
            The references above the horizon to blocks that must come first; when there are none,
            the block is in the DAG.

        Raises:
            Rejected: `BAD_REFERENCE` when a reference misstates the author or round of its block.
            Misuse: The block lies below the horizon.
        """
        if verified.digest in self._vertices:
            return ()
        block = verified.block
        block_round = block.round
        if block_round <= self.gc_round:
            raise Misuse("the block lies below the horizon")
        ancestors, missing = self._resolve(block)
        if missing:
            return tuple(missing)
        vertex = Vertex(verified, block.author, block_round, tuple(ancestors))
        self._vertices[verified.digest] = vertex
        weight = self._weights[block.author]
        self._keep(vertex, weight)
        if block_round - 1 > self.gc_round:
            self._count_vote(vertex, weight)
        if block_round - 2 > self.gc_round:
            self._count_certificate(vertex, weight)
        return ()

    def first(self, author: MemberIndex, block_round: Round) -> VerifiedBlock | None:
        """Returns the first block accepted from an author in a round."""
        row = self._rows.get(block_round)
        known = row.authors.get(author) if row else None
        return known[0] if known else None

    def variants(self, author: MemberIndex, block_round: Round) -> tuple[VerifiedBlock, ...]:
        """Returns all blocks of an author in a round; more than one is an equivocation."""
        row = self._rows.get(block_round)
        return tuple(row.authors.get(author, ())) if row else ()

    def latest(self, author: MemberIndex) -> VerifiedBlock | None:
        """Returns an author's first block of its highest round, even from below the horizon."""
        return self._latest[author]

    def tips(self) -> tuple[Round, ...]:
        """Returns the highest accepted round of each member, 0 for none."""
        return tuple(self._tips)

    def blocks_of_round(self, block_round: Round) -> tuple[VerifiedBlock, ...]:
        """Returns the blocks of a round in the order in which they were added."""
        row = self._rows.get(block_round)
        return tuple(vertex.block for vertex in row.vertices) if row else ()

    def slot(self, leader_round: Round) -> Slot:
        """Returns what is known of a round's leader."""
        slot = self._slots.get(leader_round)
        if slot is None:
            slot = self._slots[leader_round] = Slot(self.committee.leader(leader_round))
        return slot

    def votes_are_missing(self, leader_round: Round) -> bool:
        """Tells whether more votes could still commit a round's leader directly.

        So it is while the slot is undecided, somebody voted for a block, no block has a quorum of
        votes, and the blame does not yet rule a quorum out.
        """
        slot = self._slots.get(leader_round)
        if slot is None or slot.verdict is not None or not slot.votes:
            return False
        quorum = self.committee.quorum
        if slot.blame.weight > self.committee.total - quorum:
            return False
        return all(tally.weight < quorum for tally in slot.votes.values())

    def settle(self, leader_round: Round, verdict: Verdict) -> None:
        """Keeps the verdict that the commit rule found indirectly; it is as permanent."""
        self.slot(leader_round).verdict = verdict

    def prune(self, gc_round: Round) -> None:
        """Drops the blocks of a round and below; their slots must be decided."""
        for dropped in range(self.gc_round + 1, gc_round + 1):
            self._slots.pop(dropped, None)
            row = self._rows.pop(dropped, None)
            for vertex in row.vertices if row else ():
                # Blocks above still hold this one; without the cut nothing would ever be freed.
                vertex.ancestors = ()
                del self._vertices[vertex.block.digest]
        self.gc_round = max(self.gc_round, gc_round)

    def contradict(self, leader_round: Round, first: Verdict, second: Verdict) -> None:
        """Records that two verdicts exclude each other; the first record stays."""
        if self.contradiction is None:
            self.contradiction = Contradiction(leader_round, first, second)

    def _resolve(self, block: Block) -> tuple[list[Vertex], list[Reference]]:
        """Follows the references above the horizon: to blocks that are here, and to others."""
        vertices, horizon = self._vertices, self.gc_round
        ancestors: list[Vertex] = []
        missing: list[Reference] = []
        for reference in (block.own, *block.parents, *block.weak):
            named_round = reference.round
            if named_round <= horizon:
                continue
            vertex = vertices.get(reference.digest)
            if vertex is None:
                missing.append(reference)
            elif vertex.round != named_round or vertex.author != reference.author:
                raise Rejected(Reason.BAD_REFERENCE, "it names a block of another slot")
            else:
                ancestors.append(vertex)
        return ancestors, missing

    def _keep(self, vertex: Vertex, weight: int) -> None:
        """Files a block under its round and author, and moves the clock."""
        author, block_round, verified = vertex.author, vertex.round, vertex.block
        row = self._rows.get(block_round)
        if row is None:
            row = self._rows[block_round] = _Row()
        row.vertices.append(vertex)
        row.authors.setdefault(author, []).append(verified)
        if block_round > self._tips[author]:
            self._latest[author], self._tips[author] = verified, block_round
        row.tally.add(1 << author, weight)
        reached = block_round + 1 if row.tally.weight >= self.committee.quorum else block_round
        if reached > self.clock_round:
            self.clock_round = Round(reached)

    def _count_vote(self, vertex: Vertex, weight: int) -> None:
        """Counts the one reference to a block of the previous round's leader, or the blame."""
        leader_round = Round(vertex.round - 1)
        slot = self.slot(leader_round)
        leader = slot.leader
        for ancestor in vertex.ancestors:
            if ancestor.author == leader and ancestor.round == leader_round:
                vertex.vote = vote = ancestor.block.digest
                tally = slot.votes.get(vote)
                if tally is None:
                    tally = slot.votes[vote] = Tally()
                tally.add(1 << vertex.author, weight)
                return
        slot.blame.add(1 << vertex.author, weight)
        if slot.blame.weight >= self.committee.quorum:
            for certified in slot.certificates:
                self.contradict(leader_round, Committed(certified), SKIPPED)
            self._decide(slot, leader_round, SKIPPED)

    def _count_certificate(self, vertex: Vertex, weight: int) -> None:
        leader_round = Round(vertex.round - 2)
        slot = self.slot(leader_round)
        certified = self._certified(slot, vertex)
        if certified is None:
            return
        vertex.certificate = certified
        tally = slot.certificates.get(certified)
        if tally is None:
            for other in slot.certificates:
                self.contradict(leader_round, Committed(other), Committed(certified))
            if slot.blame.weight >= self.committee.quorum:
                self.contradict(leader_round, SKIPPED, Committed(certified))
            tally = slot.certificates[certified] = Tally()
        tally.add(1 << vertex.author, weight)
        if tally.weight >= self.committee.quorum and slot.committed != certified:
            self._decide(slot, leader_round, Committed(certified))

    def _certified(self, slot: Slot, vertex: Vertex) -> Digest | None:
        """Finds the leader block for which a quorum of a block's parents voted, if any.

        Votes of parents are among all votes: without a quorum of those, nobody needs to look.
        """
        weights, quorum = self._weights, self.committee.quorum
        for vote, tally in slot.votes.items():
            if tally.weight < quorum:
                continue
            support = [weights[one.author] for one in vertex.ancestors if one.vote == vote]
            if sum(support) >= quorum:
                return vote
        return None

    def _decide(self, slot: Slot, leader_round: Round, verdict: Verdict) -> None:
        if slot.verdict is not None:
            if slot.verdict != verdict:
                self.contradict(leader_round, slot.verdict, verdict)
            return
        slot.verdict = verdict
        self.verdicts_count += 1
        self.highest_verdict = max(self.highest_verdict, leader_round)
