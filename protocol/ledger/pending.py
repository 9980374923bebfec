"""A bounded place to wait for blocks whose ancestors are not here yet.

These limits are local and protect memory; they never make a block invalid. Whatever is refused
here is accepted later, once its ancestors have come or it is itself wanted as one.
"""

from dataclasses import dataclass
from typing import Final

from protocol.errors import Reason, Rejected
from protocol.ledger.block import VerifiedBlock
from protocol.ledger.dag import Dag
from protocol.messages import Reference
from protocol.parameters import Parameters
from protocol.units import Digest, MemberIndex, Round

VARIANTS_MAX: Final = 2
"""Blocks of one author and round taken unasked: two prove the equivocation, more prove no more."""
MISSING_MAX: Final = 512
"""Blocks that one request may name; all wishes together may be many more."""


@dataclass(slots=True, eq=False)
class _Waiter:
    """A waiting block, and how many of its references are unresolved."""

    block: VerifiedBlock
    unresolved: int


class Pending:
    """Blocks that wait for ancestors."""

    __slots__ = ("_authors", "_dag", "_limit", "_rounds_ahead_max", "_waiters", "_wanted")

    def __init__(self, dag: Dag, parameters: Parameters) -> None:
        self._dag = dag
        self._limit = 2 * len(dag.committee)
        self._rounds_ahead_max = parameters.rounds_ahead_max
        self._waiters: dict[Digest, _Waiter] = {}
        self._authors: dict[MemberIndex, list[VerifiedBlock]] = {}
        self._wanted: dict[Digest, list[tuple[_Waiter, Reference]]] = {}
        """By digest: who waits for this block, and under which reference."""

    def __contains__(self, digest: Digest) -> bool:
        return digest in self._waiters

    def __len__(self) -> int:
        return len(self._waiters)

    def check(self, block: VerifiedBlock, variants: int) -> None:
        """Refuses what would cost too much memory, whether it has to wait or not.

        Args:
            block: A block that is neither here nor in the DAG.
            variants: How many others of its author and round are.

        Raises:
            Rejected: `TOO_FAR_AHEAD` or `TOO_MANY_VARIANTS`.
        """
        block_round = block.block.round
        if block_round > self._dag.clock_round + self._rounds_ahead_max:
            raise Rejected(Reason.TOO_FAR_AHEAD, str(block_round))
        if variants >= VARIANTS_MAX and block.digest not in self._wanted:
            raise Rejected(Reason.TOO_MANY_VARIANTS)

    def insert(self, block: VerifiedBlock, missing: tuple[Reference, ...]) -> None:
        """Takes a block that is not here, and waits with it for the blocks that it refers to.

        Raises:
            Rejected: `TOO_MANY_PENDING`.
        """
        self._make_room(block)
        waiter = _Waiter(block, len(missing))
        self._waiters[block.digest] = waiter
        self._authors.setdefault(block.block.author, []).append(block)
        for reference in missing:
            self._wanted.setdefault(reference.digest, []).append((waiter, reference))

    def resolve(self, block: VerifiedBlock) -> tuple[VerifiedBlock, ...]:
        """Follows from a block in the DAG to all that waited for nothing but it.

        Returns:
            The blocks that may now be added to the DAG, ancestors first.
        """
        ready = [block]
        for resolved in ready:  # grows while it is walked
            content = resolved.block
            for waiter, reference in self._wanted.pop(resolved.digest, ()):
                if (reference.author, reference.round) == (content.author, content.round):
                    self._resolve_one(waiter, ready)
                else:
                    self._forget(waiter.block)
        return tuple(ready[1:])

    def release(self, gc_round: Round) -> tuple[VerifiedBlock, ...]:
        """Drops what lies below a new horizon, and stops waiting for ancestors there.

        Returns:
            The blocks that may now be added to the DAG, ancestors first.
        """
        for waiter in tuple(self._waiters.values()):
            if waiter.block.block.round <= gc_round:
                self._forget(waiter.block)
        ready: list[VerifiedBlock] = []
        for digest, waiters in tuple(self._wanted.items()):
            kept = []
            for waiter, reference in waiters:
                if reference.round > gc_round:
                    kept.append((waiter, reference))
                else:
                    self._resolve_one(waiter, ready)
            self._keep_wanted(digest, kept)
        return tuple(block for first in ready for block in (first, *self.resolve(first)))

    def missing(self) -> tuple[Digest, ...]:
        """Lists blocks to fetch: wanted as ancestors and not here, oldest wish first.

        Each author's waiting blocks have an equal share of the list, so that one who refers to
        blocks that do not exist cannot keep the wishes of others off it.
        """
        share = max(1, MISSING_MAX // len(self._dag.committee))
        counts: dict[int, int] = {}
        missing: list[Digest] = []
        for digest, waiters in self._wanted.items():
            if digest in self._waiters:
                continue
            for waiter, _ in waiters:
                author = waiter.block.block.author
                if counts.get(author, 0) < share:
                    counts[author] = counts.get(author, 0) + 1
                    missing.append(digest)
                    break
        return tuple(missing)

    def variants(self, author: MemberIndex, block_round: Round) -> tuple[VerifiedBlock, ...]:
        """Finds the waiting blocks of an author and round."""
        waiting = self._authors.get(author)
        if waiting is None:
            return ()
        return tuple(block for block in waiting if block.block.round == block_round)

    def _make_room(self, block: VerifiedBlock) -> None:
        """Refuses a block of an author with too many, unless one of a later round can go."""
        waiting = self._authors.get(block.block.author, ())
        if len(waiting) < self._limit:
            return
        furthest = max(waiting, key=lambda other: other.block.round)
        if furthest.block.round <= block.block.round:
            raise Rejected(Reason.TOO_MANY_PENDING)
        self._forget(furthest)

    def _resolve_one(self, waiter: _Waiter, ready: list[VerifiedBlock]) -> None:
        waiter.unresolved -= 1
        if waiter.unresolved == 0 and waiter.block.digest in self._waiters:
            self._remove(waiter.block)
            ready.append(waiter.block)

    def _forget(self, block: VerifiedBlock) -> None:
        """Stops waiting with a block; others may go on waiting for it."""
        waiter = self._waiters.get(block.digest)
        if waiter is None:
            return
        self._remove(block)
        content = block.block
        for reference in (content.own, *content.parents, *content.weak):
            waiters = self._wanted.get(reference.digest)
            if waiters is not None:
                kept = [entry for entry in waiters if entry[0] is not waiter]
                self._keep_wanted(reference.digest, kept)

    def _remove(self, block: VerifiedBlock) -> None:
        author = block.block.author
        del self._waiters[block.digest]
        self._authors[author].remove(block)
        if not self._authors[author]:
            del self._authors[author]

    def _keep_wanted(self, digest: Digest, kept: list[tuple[_Waiter, Reference]]) -> None:
        if kept:
            self._wanted[digest] = kept
        else:
            self._wanted.pop(digest, None)
