"""The replicated ledger behind one door: valid blocks in, final commits out."""

from collections import deque
from dataclasses import dataclass

from protocol.ledger.block import VerifiedBlock
from protocol.ledger.commit_rule import CommitRule, PathCounts
from protocol.ledger.committee import Committee
from protocol.ledger.dag import Committed, Contradiction, Dag
from protocol.ledger.ordering import Commit, CommitSummary, Ordering
from protocol.ledger.pending import Pending
from protocol.parameters import Parameters
from protocol.units import Digest, MemberIndex, Round


@dataclass(frozen=True, slots=True)
class Acceptance:
    """What one block changed.

    Attributes:
        accepted: Blocks newly in the DAG, ancestors first; empty while the block waits.
        missing: Ancestors to fetch, of this and of all other waiting blocks.
        commits: Newly final, in order.
        equivocations: Two blocks of one author and round, the first time that they are seen.
    """

    accepted: tuple[VerifiedBlock, ...] = ()
    missing: tuple[Digest, ...] = ()
    commits: tuple[Commit, ...] = ()
    equivocations: tuple[tuple[VerifiedBlock, VerifiedBlock], ...] = ()


NOTHING = Acceptance()


class Ledger:
    """One committee's ledger as this node knows it.

    Attributes:
        committee: Who votes.
        dag: The accepted blocks.
    """

    __slots__ = (
        "_equivocations",
        "_ordering",
        "_pending",
        "_rule",
        "committee",
        "dag",
    )

    def __init__(self, committee: Committee, parameters: Parameters) -> None:
        self.committee = committee
        self.dag = Dag(committee)
        self._pending = Pending(self.dag, parameters)
        self._rule = CommitRule(self.dag)
        self._ordering = Ordering(self.dag, parameters.gc_depth_rounds)
        self._equivocations: dict[tuple[MemberIndex, Round], None] = {}

    @property
    def last_commit(self) -> CommitSummary | None:
        """The newest commit without its blocks, or None before the first."""
        return self._ordering.last

    @property
    def gc_round(self) -> Round:
        """Blocks of this round and below are dropped; nothing needs them any more."""
        return self.dag.gc_round

    @property
    def clock_round(self) -> Round:
        """The lowest round in which one may propose."""
        return self.dag.clock_round

    @property
    def next_leader_round(self) -> Round:
        """The first slot that is not yet decided."""
        return self._rule.next_round

    @property
    def paths(self) -> PathCounts:
        """How the slots so far were decided."""
        return self._rule.paths

    @property
    def broken(self) -> Contradiction | None:
        """What proved that too much weight is Byzantine; nothing is final after it."""
        return self.dag.contradiction

    def missing(self) -> tuple[Digest, ...]:
        """Lists the blocks to fetch for those that wait."""
        return self._pending.missing()

    def accept(self, block: VerifiedBlock, *, is_stored: bool = False) -> Acceptance:
        """Takes a valid block, whether its ancestors are here or not.

        A block that is known already, or lies below the horizon, changes nothing.

        Args:
            block: The block.
            is_stored: It comes from the own store, so the limits were kept when it first came.

        Raises:
            Rejected: `BAD_REFERENCE`, or an admission limit: `TOO_FAR_AHEAD`,
                `TOO_MANY_VARIANTS`, `TOO_MANY_PENDING`.
        """
        author, block_round = block.block.author, block.block.round
        digest, dag, pending = block.digest, self.dag, self._pending
        if digest in dag or digest in pending or block_round <= dag.gc_round:
            return NOTHING
        variants = dag.variants(author, block_round) + pending.variants(author, block_round)
        if not is_stored:
            pending.check(block, len(variants))
        missing = dag.add(block)
        if missing:
            pending.insert(block, missing)
        equivocations = self._equivocation(block, variants) if variants else ()
        if missing:
            return Acceptance(missing=pending.missing(), equivocations=equivocations)
        accepted, commits = self._follow(block)
        wanted = pending.missing() if pending else ()
        return Acceptance(tuple(accepted), wanted, tuple(commits), equivocations)

    def _follow(self, block: VerifiedBlock) -> tuple[list[VerifiedBlock], list[Commit]]:
        """Finalises what a block decided, and adds what waited for nothing but it."""
        accepted, commits = [block], self._finalise()
        if not self._pending:
            return accepted, commits
        ready = deque(self._pending.resolve(block))
        if commits:
            ready.extend(self._pending.release(self.gc_round))
        while ready:
            resolved = ready.popleft()
            if resolved.block.round <= self.gc_round:
                continue
            missing = self.dag.add(resolved)
            assert not missing, "a block that waits for nothing is complete"
            accepted.append(resolved)
            newly = self._finalise()
            if newly:
                commits += newly
                ready.extend(self._pending.release(self.gc_round))
        return accepted, commits

    def _finalise(self) -> list[Commit]:
        """Commits what the newest block decided, and drops what lies below the new horizon."""
        if self.dag.contradiction is not None:
            return []
        decided = self._rule.advance()
        if not decided:
            return []
        commits = [
            self._ordering.commit(slot.verdict.leader)
            for slot in decided
            if isinstance(slot.verdict, Committed)
        ]
        if commits and self._ordering.gc_round > self.dag.gc_round:
            self._drop_below(self._ordering.gc_round)
        return commits

    def _drop_below(self, gc_round: Round) -> None:
        self.dag.prune(gc_round)
        for slot in [slot for slot in self._equivocations if slot[1] <= gc_round]:
            del self._equivocations[slot]

    def _equivocation(
        self, block: VerifiedBlock, others: tuple[VerifiedBlock, ...]
    ) -> tuple[tuple[VerifiedBlock, VerifiedBlock], ...]:
        """Pairs a block with the first other one of its slot, unless that was told before."""
        slot = block.block.author, block.block.round
        if slot in self._equivocations:
            return ()
        self._equivocations[slot] = None
        return ((others[0], block),)
