"""The replicated ledger behind one door: valid blocks in, final commits out."""

from collections import deque
from dataclasses import replace

from protocol.ledger.block import VerifiedBlock
from protocol.ledger.boundary import EpochClock
from protocol.ledger.commit_rule import CommitRule, PathCounts
from protocol.ledger.committee import Committee
from protocol.ledger.dag import Committed, Contradiction, Dag
from protocol.ledger.ordering import Commit, CommitSummary, Ordering
from protocol.ledger.pending import Pending
from protocol.parameters import Parameters
from protocol.struct import Struct
from protocol.units import Digest, MemberIndex, Round


class Acceptance(Struct, frozen=True):
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
    """The ledger as this node knows it: the blocks of one epoch at a time.

    Args:
        committee: The members of the epoch.
        parameters: The network's terms.
        opening: The commit that ended the epoch before, its round counted from genesis on; None
            in the first epoch.

    Attributes:
        committee: Who votes.
        dag: The accepted blocks.
        base_round: Rounds of all epochs before this one.
        is_closed: Whether the last commit ended the epoch; nothing is taken in until the next.
    """

    __slots__ = (
        "_clock",
        "_equivocations",
        "_opening",
        "_ordering",
        "_parameters",
        "_pending",
        "_rule",
        "base_round",
        "committee",
        "dag",
        "is_closed",
    )

    def __init__(
        self, committee: Committee, parameters: Parameters, opening: CommitSummary | None = None
    ) -> None:
        self._parameters = parameters
        self._start(committee, opening)

    def _start(self, committee: Committee, opening: CommitSummary | None) -> None:
        parameters = self._parameters
        self.committee = committee
        self.dag = Dag(committee)
        self.base_round = opening.leader_round if opening is not None else Round(0)
        self.is_closed = False
        self._opening = opening
        self._pending = Pending(self.dag, parameters)
        self._rule = CommitRule(self.dag)
        self._ordering = Ordering(self.dag, parameters.gc_depth_rounds, opening)
        self._clock = EpochClock(parameters, opening.time_ms if opening is not None else 0)
        self._equivocations: dict[tuple[MemberIndex, Round], None] = {}

    def begin(self, committee: Committee) -> None:
        """Begins the next epoch where the last commit ended this one.

        What of this epoch is not ordered by then is void: it would be in no node's ledger.
        """
        last = self._ordering.last
        assert self.is_closed, "an epoch ends before the next begins"
        assert last is not None, "its last commit ended it"
        self._start(committee, replace(last, leader_round=self.counted(last.leader_round)))

    @property
    def last_commit(self) -> CommitSummary | None:
        """The newest commit without its blocks, or None before the first.

        The round of one that ended the epoch before is counted from genesis on.
        """
        return self._ordering.last or self._opening

    @property
    def last_leader_round(self) -> Round:
        """Round of this epoch's newest committed leader; 0 before the first."""
        last = self._ordering.last
        return last.leader_round if last is not None else Round(0)

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

    def counted(self, block_round: Round) -> Round:
        """Counts a round of this epoch from genesis on."""
        return Round(self.base_round + block_round)

    def missing(self) -> tuple[Digest, ...]:
        """Lists the blocks to fetch for those that wait."""
        return self._pending.missing()

    def accept(self, block: VerifiedBlock, *, is_stored: bool = False) -> Acceptance:
        """Takes a valid block, whether its ancestors are here or not.

        A block that is known already, lies below the horizon or comes after the end of the epoch
        changes nothing.

        Args:
            block: The block.
            is_stored: It comes from the own store, so the limits were kept when it first came.

        Raises:
            Rejected: `BAD_REFERENCE`, or an admission limit: `TOO_FAR_AHEAD`,
                `TOO_MANY_VARIANTS`, `TOO_MANY_PENDING`.
        """
        author, block_round = block.block.author, block.block.round
        digest, dag, pending = block.digest, self.dag, self._pending
        if self.is_closed or block.block.epoch != self.committee.epoch:
            return NOTHING
        if digest in dag or block_round <= dag.gc_round:
            return NOTHING
        variants = dag.variants(author, block_round)
        if pending:
            if digest in pending:
                return NOTHING
            variants += pending.variants(author, block_round)
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
        while ready and not self.is_closed:
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
        commits = []
        for slot in decided:
            if not self.is_closed and isinstance(slot.verdict, Committed):
                commits.append(self._commit(slot.verdict.leader))
        if commits and self._ordering.gc_round > self.dag.gc_round:
            self._drop_below(self._ordering.gc_round)
        return commits

    def _commit(self, leader: Digest) -> Commit:
        """Orders a committed leader, and notes when the epoch ends with it."""
        commit = self._ordering.commit(leader)
        self.is_closed = self._clock.closes(commit.leader_round, commit.time_ms)
        return replace(commit, closes=True) if self.is_closed else commit

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
