"""A committed leader becomes a `Commit`: everything it newly orders, its time and its beacon.

All of it is a function of the committed sequence alone, never of what else this node has seen.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from protocol.encoding import digest_of
from protocol.ledger.beacon import INTEGER_BYTES, next_beacon
from protocol.ledger.block import VerifiedBlock
from protocol.ledger.committee import Committee
from protocol.ledger.dag import Dag, Vertex
from protocol.units import CommitIndex, Digest, Epoch, MemberIndex, Round

HORIZON_DISTANCE_MIN: Final = 3
"""Undecided slots, which begin after the leader, still need blocks this near to it."""

FIRST_EPOCH: Final = Epoch(0)
NO_ROUNDS: Final = Round(0)


@dataclass(frozen=True, slots=True)
class Commit:
    """One committed leader and everything that it newly orders.

    Attributes:
        index: Position in the final sequence; the first is 1.
        leader_round: The leader's round.
        leader: The leader block.
        digest: Chained over everything ordered so far.
        time_ms: Milliseconds since genesis: weighted median over the leader's parents, growing.
        beacon: The random value after this leader.
        blocks: By round, author and digest; only the first block of an author in a round counts.
        equivocations: Author and round of which this commit holds the second block.
    """

    index: CommitIndex
    leader_round: Round
    leader: Digest
    digest: Digest
    time_ms: int
    beacon: Digest
    blocks: tuple[VerifiedBlock, ...]
    equivocations: tuple[tuple[MemberIndex, Round], ...]
    epoch: Epoch = FIRST_EPOCH
    base_round: Round = NO_ROUNDS
    """Rounds of all epochs before this one."""
    closes: bool = False
    """Whether it ends its epoch."""

    @property
    def ledger_round(self) -> Round:
        """The leader's round counted from genesis on, which never starts again."""
        return Round(self.base_round + self.leader_round)


@dataclass(frozen=True, slots=True)
class CommitSummary:
    """A commit without its blocks; the fields are those of `Commit`."""

    index: CommitIndex
    leader_round: Round
    digest: Digest
    time_ms: int
    beacon: Digest


class Ordering:
    """Turns committed leaders, one after the other, into commits.

    Args:
        dag: The accepted blocks.
        gc_depth_rounds: How far below a leader the horizon lies.
        opening: The commit that ended the epoch before, its round counted from genesis on.

    Attributes:
        last: The newest commit, or None before the first.
        gc_round: The horizon: blocks of this round and below will never be ordered.
    """

    __slots__ = (
        "_base_round",
        "_committee",
        "_dag",
        "_delivered",
        "_depth",
        "_origin",
        "gc_round",
        "last",
    )

    def __init__(
        self, dag: Dag, gc_depth_rounds: int, opening: CommitSummary | None = None
    ) -> None:
        self.last: CommitSummary | None = None
        self.gc_round = Round(0)
        self._dag = dag
        self._committee = dag.committee
        self._depth = max(HORIZON_DISTANCE_MIN, gc_depth_rounds)
        self._delivered: dict[int, dict[MemberIndex, bool]] = {}
        """By round: authors with an ordered block; True once a second one was met."""
        self._origin = opening or _origin(dag.committee)
        self._base_round = opening.leader_round if opening is not None else NO_ROUNDS

    def commit(self, leader: Digest) -> Commit:
        """Orders a committed leader and its history above the horizon."""
        vertex = self._dag.vertex(leader)
        self._move_horizon(vertex.round)
        ordered, equivocations = self._deliver(self._history(vertex))
        previous = self.last or self._origin
        index = CommitIndex(previous.index + 1)
        digests = [block.digest for block in ordered]
        summary = CommitSummary(
            index,
            vertex.round,
            commit_digest(previous.digest, index, leader, digests),
            max(previous.time_ms + 1, self._median_time_ms(vertex)),
            next_beacon(previous.beacon, vertex.block.output, vertex.round),
        )
        self.last = summary
        return Commit(
            index,
            vertex.round,
            leader,
            summary.digest,
            summary.time_ms,
            summary.beacon,
            ordered,
            equivocations,
            self._committee.epoch,
            self._base_round,
        )

    def _move_horizon(self, leader_round: Round) -> None:
        horizon = Round(max(self.gc_round, leader_round - self._depth))
        for dropped in range(self.gc_round + 1, horizon + 1):
            self._delivered.pop(dropped, None)
        self.gc_round = horizon

    def _history(self, leader: Vertex) -> list[Vertex]:
        """Collects what the leader newly orders: unordered ancestors above the horizon."""
        horizon = self.gc_round
        leader.ordered = True
        found = [leader]
        for vertex in found:  # grows while it is walked
            for ancestor in vertex.ancestors:
                if not ancestor.ordered and ancestor.round > horizon:
                    ancestor.ordered = True
                    found.append(ancestor)
        found.sort(key=_position)
        return found

    def _deliver(
        self, history: Sequence[Vertex]
    ) -> tuple[tuple[VerifiedBlock, ...], tuple[tuple[MemberIndex, Round], ...]]:
        """Keeps the first block of each author and round; a further one is void, and noted once."""
        ordered: list[VerifiedBlock] = []
        equivocations: list[tuple[MemberIndex, Round]] = []
        for vertex in history:
            authors = self._delivered.get(vertex.round)
            if authors is None:
                authors = self._delivered[vertex.round] = {}
            noted = authors.get(vertex.author)
            if noted is None:
                authors[vertex.author] = False
                ordered.append(vertex.block)
            elif not noted:
                authors[vertex.author] = True
                equivocations.append((vertex.author, vertex.round))
        return tuple(ordered), tuple(equivocations)

    def _median_time_ms(self, leader: Vertex) -> int:
        """Takes the lower weighted median over the leader's parents; genesis has time 0.

        With a quorum of parents it lies between times of honest members.
        """
        previous = leader.round - 1
        times = [
            (parent.block.block.time_ms, self._committee.weights[parent.author])
            for parent in leader.ancestors
            if parent.round == previous
        ]
        half = (sum(weight for _, weight in times) + 1) // 2
        passed = 0
        for time_ms, weight in sorted(times):
            passed += weight
            if passed >= half:
                return time_ms
        return 0


def commit_digest(
    previous: Digest, index: CommitIndex, leader: Digest, blocks: Sequence[Digest]
) -> Digest:
    """Chains a commit to all before it."""
    return digest_of(b"commit", previous, index.to_bytes(INTEGER_BYTES, "big"), leader, *blocks)


def _origin(committee: Committee) -> CommitSummary:
    """Stands for the commit before the first."""
    epoch = committee.epoch.to_bytes(INTEGER_BYTES, "big")
    digest = digest_of(b"genesis-commit", committee.network, epoch)
    return CommitSummary(CommitIndex(0), Round(0), digest, 0, committee.beacon_at_start)


def _position(vertex: Vertex) -> tuple[int, int, bytes]:
    return vertex.round, vertex.author, vertex.block.digest
