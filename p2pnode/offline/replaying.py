"""Derives every final state again from genesis and signed blocks, and stops at what is wrong.

The same `Replica` that nodes run does the work. Here it is only watched: blocks come in an order in
which ancestors come first, each commit equals what was recorded, no credit appears or vanishes, and
the members' own signed votes on states agree.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

from p2pnode.offline.export_file import NO_DIGEST, RecordedFinal
from p2pnode.offline.findings import BadEntry
from protocol.accounts import Accounts
from protocol.errors import Reason, Rejected
from protocol.facts import OperationApplied, OperationFailed, Settled, Slashed
from protocol.ledger.block import VerifiedBlock
from protocol.ledger.committee import Committee
from protocol.messages import Checkpoint, Genesis
from protocol.replica import Applied, Replica, Taken
from protocol.signing import REAL, Scheme
from protocol.snapshot import Snapshot
from protocol.units import Digest, MemberIndex

RECOUNT_COMMITS: Final = 1_000
"""Balances are added up anew after so many commits: the sums kept meanwhile could be wrong, too."""
VOTES_KEPT: Final = 64
"""Commits whose votes are compared at a time; a vote later than that says nothing new."""
ASIDE_MAX: Final = 4_096

Vote = tuple[Digest, Digest]
Kept = TypeVar("Kept")


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a ledger holds, as derived."""

    entries: int
    final_index: int
    commit_digest: Digest
    state_digest: Digest
    finals_compared: int
    votes_agreeing: int
    votes_differing: int
    counts: Mapping[str, int]
    """How often each kind of fact occurred."""


class Votes:
    """Compares the members' signed votes on states with the states derived here.

    Attributes:
        agreeing: Votes for the state derived here.
        differing: Votes for another one.
    """

    def __init__(self, committee: Committee) -> None:
        self.agreeing = 0
        self.differing = 0
        self.begin(committee)

    def begin(self, committee: Committee) -> None:
        """Compares the votes of another epoch's members; a vote is of one epoch only."""
        self._committee = committee
        self._own: dict[int, Vote] = {}
        self._early: dict[int, list[tuple[MemberIndex, Vote]]] = {}
        self._liars: dict[int, set[MemberIndex]] = {}

    def derive(self, index: int, vote: Vote) -> bool:
        """Notes the state derived here; returns False when more than a minority contradicts it."""
        self._own[index] = vote
        _forget_oldest(self._own)
        verdicts = [self._compare(index, *early) for early in self._early.pop(index, ())]
        return False not in verdicts

    def hear(self, member: MemberIndex, checkpoint: Checkpoint) -> bool:
        """Takes in a member's vote; returns False when more than a minority contradicts."""
        vote = (checkpoint.commit_digest, checkpoint.state_digest)
        if checkpoint.index in self._own:
            return self._compare(checkpoint.index, member, vote)
        if checkpoint.index > max(self._own, default=0):
            self._early.setdefault(checkpoint.index, []).append((member, vote))
            _forget_oldest(self._early)
        return True

    def _compare(self, index: int, member: MemberIndex, vote: Vote) -> bool:
        if self._own[index] == vote:
            self.agreeing += 1
            return True
        self.differing += 1
        liars = self._liars.setdefault(index, set())
        liars.add(member)
        _forget_oldest(self._liars)
        committee = self._committee
        return committee.weight_of(liars) <= committee.total - committee.quorum


class Replay:
    """One derivation from genesis on, or from the end of an epoch.

    Args:
        genesis: Where everything starts.
        recorded: The final that was recorded for an index, or None.
        scheme: Signature functions.
        snapshot: Where to begin instead; what `Replica` raises for it, this raises.

    Attributes:
        replica: The ledger and its state so far.
    """

    def __init__(
        self,
        genesis: Genesis,
        recorded: Callable[[int], RecordedFinal | None],
        scheme: Scheme = REAL,
        snapshot: Snapshot | None = None,
    ) -> None:
        self.replica = replica = Replica(genesis, scheme, snapshot)
        self._recorded = recorded
        self._votes = Votes(replica.ledger.committee)
        self._aside: dict[Digest, VerifiedBlock] = {}
        self._counts: Counter[str] = Counter()
        self._entries = 0
        self._compared = 0

    def take(self, index: int, raw: bytes) -> None:
        """Takes in the next block.

        Args:
            index: Its number, by which it is named when it is wrong.
            raw: The signed bytes.

        Raises:
            BadEntry: with the first rule that it or what follows from it breaks.
        """
        try:
            self._accept(index, self.replica.admission.block(raw))
        except Rejected as refusal:
            raise BadEntry(index, refusal.reason.name.lower(), str(refusal)) from refusal
        self._entries += 1
        broken = self.replica.ledger.broken
        if broken is not None:
            detail = f"two verdicts on the leader of round {broken.round}: too many members lie"
            raise BadEntry(index, "contradiction", detail)

    def finish(self, last: int) -> None:
        """Ends the derivation.

        Args:
            last: Index of the last recorded final, which must have been reached.

        Raises:
            BadEntry: It was not reached, or balances do not add up.
        """
        final_index = self.replica.state.index
        if final_index < last:
            detail = f"commit {last} is recorded as final, the blocks lead only to {final_index}"
            raise BadEntry(self._entries, "final_not_reached", detail)
        self._recount(self._entries)

    def summary(self) -> Replayed:
        """Says what the blocks so far lead to."""
        commit = self.replica.ledger.last_commit
        return Replayed(
            entries=self._entries,
            final_index=self.replica.state.index,
            commit_digest=commit.digest if commit else NO_DIGEST,
            state_digest=self.replica.state.digest,
            finals_compared=self._compared,
            votes_agreeing=self._votes.agreeing,
            votes_differing=self._votes.differing,
            counts=dict(self._counts),
        )

    def _accept(self, index: int, block: VerifiedBlock) -> None:
        """Adds a block, whose ancestors must have come before it.

        A third block of an author in a round is accepted by a node only when another block refers
        to it: here it lies aside until that one comes.
        """
        ledger = self.replica.ledger
        if block.digest in ledger.dag:
            raise BadEntry(index, "duplicate", "the same block came before")
        if block.block.round <= ledger.gc_round:
            detail = f"round {block.block.round} lies below the horizon: blocks are out of order"
            raise BadEntry(index, "out_of_order", detail)
        try:
            taken = self.replica.take(block)
        except Rejected as refusal:
            if refusal.reason is not Reason.TOO_MANY_VARIANTS or len(self._aside) >= ASIDE_MAX:
                raise
            self._aside[block.digest] = block
            return
        self._look_at(index, taken)
        missing = taken.missing
        while missing:
            waited = self._aside.pop(missing[0], None)
            if waited is None:
                detail = f"its ancestor {missing[0].hex()} did not come before it"
                raise BadEntry(index, "missing_ancestor", detail)
            taken = self.replica.take(waited)
            self._look_at(index, taken)
            missing = taken.missing
        self._follow_epoch(index)

    def _follow_epoch(self, index: int) -> None:
        """Goes on with the next epoch, once the running one has ended."""
        stopped = self.replica.state.epochs.stopped
        if stopped:
            raise BadEntry(index, "ledger_stopped", stopped)
        if self.replica.begin_epoch():
            self._votes.begin(self.replica.ledger.committee)
            self._aside.clear()

    def _look_at(self, index: int, taken: Taken) -> None:
        self._counts["equivocations"] += len(taken.equivocations)
        for applied in taken.applied:
            self._check_commit(index, applied)
        for block in taken.accepted:
            checkpoint = block.block.checkpoint
            if checkpoint is None:
                continue
            if not self._votes.hear(MemberIndex(block.block.author), checkpoint):
                raise _contradicted(index, checkpoint.index)

    def _check_commit(self, index: int, applied: Applied) -> None:
        commit = applied.commit
        recorded = self._recorded(commit.index)
        if recorded is not None:
            self._compared += 1
            _check_recorded(index, recorded, applied)
        accounts = self.replica.state.accounts
        if not accounts.conserved():
            raise BadEntry(
                index, "not_conserved", f"credits do not add up at commit {commit.index}"
            )
        if commit.index % RECOUNT_COMMITS == 0:
            self._recount(index)
        if commit.index % self.replica.parameters.checkpoint_commits == 0:
            vote = (commit.digest, applied.state_digest)
            if not self._votes.derive(commit.index, vote):
                raise _contradicted(index, commit.index)
        self._count(applied)

    def _count(self, applied: Applied) -> None:
        kinds = {
            OperationApplied: "operations",
            OperationFailed: "failed_operations",
            Settled: "ended_jobs",
            Slashed: "slashes",
        }
        for fact in applied.facts:
            name = kinds.get(type(fact))
            if name is not None:
                self._counts[name] += 1

    def _recount(self, index: int) -> None:
        accounts = self.replica.state.accounts
        if accounts.recount() != accounts.totals or not accounts.conserved():
            raise BadEntry(index, "not_conserved", "the balances do not add up to what was issued")
        if not _all_positive(accounts):
            raise BadEntry(index, "not_conserved", "a balance is below zero")


def _check_recorded(index: int, recorded: RecordedFinal, applied: Applied) -> None:
    commit = applied.commit
    if recorded.commit_digest != commit.digest:
        detail = f"commit {commit.index} is recorded as {recorded.commit_digest.hex()}, "
        raise BadEntry(index, "commit_differs", f"{detail}the blocks give {commit.digest.hex()}")
    if recorded.state_digest != applied.state_digest:
        detail = f"the state after commit {commit.index} is recorded as "
        found = f"{recorded.state_digest.hex()}, the rules give {applied.state_digest.hex()}"
        raise BadEntry(index, "state_differs", detail + found)


def _contradicted(index: int, commit_index: int) -> BadEntry:
    detail = f"members with more weight than may be faulty signed another state at {commit_index}"
    return BadEntry(index, "state_contradicted", detail)


def _all_positive(accounts: Accounts) -> bool:
    for identifier in accounts:
        owned = accounts.of(identifier)
        if min(owned.available, owned.staked, owned.free_stake, owned.escrow) < 0:
            return False
    return True


def _forget_oldest(kept: dict[int, Kept]) -> None:
    if len(kept) > VOTES_KEPT:
        del kept[min(kept)]
