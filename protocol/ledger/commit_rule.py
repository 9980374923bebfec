"""Which leaders are final: a pure function of the DAG, the same for every view of it.

A slot is decided directly by the quorums that `protocol.ledger.dag` counts, or indirectly by its
anchor: the first slot from three rounds later that is not skipped. The anchor lies that far off
because every block there has a quorum of blocks two rounds after the slot in its history, and so
meets every quorum of certificates. A slot that is still undecided blocks all slots after it.

Source: Mysticeti, "Reaching the Latency Limits with Uncertified DAGs", the universal commit rule.
"""

from dataclasses import dataclass
from typing import Final

from protocol.ledger.dag import SKIPPED, Committed, Dag, Skipped, Verdict, Vertex
from protocol.units import Digest, Round

ANCHOR_DISTANCE: Final = 3
"""Rounds from a slot to the first that may decide it: leader, vote, certificate, then anchor."""


@dataclass(frozen=True, slots=True)
class DecidedSlot:
    """A slot that will never be decided otherwise.

    Attributes:
        round: The slot.
        verdict: Committed with its block, or skipped.
        direct: Whether quorums decided it, rather than an anchor.
    """

    round: Round
    verdict: Verdict
    direct: bool


@dataclass(slots=True)
class PathCounts:
    """How many slots were decided on each of the four ways; directly is fast, skips lose a slot."""

    direct_commits: int = 0
    direct_skips: int = 0
    indirect_commits: int = 0
    indirect_skips: int = 0

    def count(self, decided: DecidedSlot) -> None:
        """Counts one slot."""
        match decided.verdict, decided.direct:
            case Committed(), True:
                self.direct_commits += 1
            case Committed(), False:
                self.indirect_commits += 1
            case Skipped(), True:
                self.direct_skips += 1
            case Skipped(), False:
                self.indirect_skips += 1


class CommitRule:
    """Decides slots in order, each once.

    Attributes:
        next_round: The first slot not yet decided in order.
        paths: How the slots before it were decided.
    """

    __slots__ = ("_dag", "_indirect", "_seen_verdicts", "next_round", "paths")

    def __init__(self, dag: Dag) -> None:
        self.next_round = Round(1)
        self.paths = PathCounts()
        self._dag = dag
        self._indirect: set[Round] = set()
        self._seen_verdicts = 0

    def advance(self) -> tuple[DecidedSlot, ...]:
        """Returns the slots that can now be decided in order; nothing after an undecided one."""
        if self._dag.verdicts_count == self._seen_verdicts:
            # Anchors rest on direct verdicts, and an anchor's history never changes.
            return ()
        self._seen_verdicts = self._dag.verdicts_count
        self._decide_indirectly()
        decided: list[DecidedSlot] = []
        while (verdict := self._verdict(self.next_round)) is not None:
            direct = self.next_round not in self._indirect
            slot = DecidedSlot(self.next_round, verdict, direct)
            self.paths.count(slot)
            decided.append(slot)
            self._indirect.discard(self.next_round)
            self.next_round = Round(self.next_round + 1)
        return tuple(decided)

    def _verdict(self, leader_round: Round) -> Verdict | None:
        if leader_round > self._dag.highest_verdict:
            return None
        return self._dag.slot(leader_round).verdict

    def _decide_indirectly(self) -> None:
        """Walks down from the newest verdict, with each slot's first non-skipped successor."""
        anchors: dict[int, Committed | None] = {}
        for number in range(self._dag.highest_verdict, self.next_round - 1, -1):
            leader_round = Round(number)
            verdict = self._verdict(leader_round)
            anchor = anchors.get(number + ANCHOR_DISTANCE)
            if verdict is None and anchor is not None:
                verdict = self._indirect_verdict(leader_round, anchor)
                self._dag.settle(leader_round, verdict)
                self._indirect.add(leader_round)
            anchors[number] = self._anchor(verdict, anchors.get(number + 1))

    def _anchor(self, verdict: Verdict | None, following: Committed | None) -> Committed | None:
        """Names the first non-skipped slot from here on; None while that one is undecided."""
        if verdict is None:
            return None
        return verdict if isinstance(verdict, Committed) else following

    def _indirect_verdict(self, leader_round: Round, anchor: Committed) -> Verdict:
        certified = self._certified_before(leader_round, self._dag.vertex(anchor.leader))
        return SKIPPED if certified is None else Committed(certified)

    def _certified_before(self, leader_round: Round, anchor: Vertex) -> Digest | None:
        """Looks for a certificate of the slot in the history of its anchor, and only there."""
        if not self._dag.slot(leader_round).certificates:
            return None
        certifying_round = leader_round + 2
        seen: set[Digest] = set()
        waiting = [anchor]
        while waiting:
            vertex = waiting.pop()
            if vertex.round == certifying_round:
                if vertex.certificate is not None:
                    return vertex.certificate
                continue
            for ancestor in vertex.ancestors:
                digest = ancestor.block.digest
                if ancestor.round >= certifying_round and digest not in seen:
                    seen.add(digest)
                    waiting.append(ancestor)
        return None
