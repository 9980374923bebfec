"""The available layer: signed operations that are not final yet, in one chain per account.

A node accepts and passes on operations whatever the state of the network; only their order waits
for a quorum. The pool is a set that only grows until operations become final or void, so two
nodes that exchange their sets agree on it.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from protocol.errors import Reason, Rejected
from protocol.ledger.committee import Committee
from protocol.messages import ChainTip, VerifiedOperation
from protocol.parameters import Parameters
from protocol.units import AccountId, Digest, MemberIndex

TURN_ROUNDS: Final = 4
"""Rounds that a member has to bring in an operation before the next one's turn comes."""

POOL_OPERATIONS_MAX: Final = 50_000
"""Operations in one node's pool, of all accounts together."""

FRAMING_BYTES: Final = 8
"""More than the encoding adds to each operation in a block."""

VARIANTS_MAX: Final = 2
"""Operations kept for one position of a chain: enough to show a conflict."""


@dataclass(slots=True)
class _Waiting:
    """One pooled operation."""

    operation: VerifiedOperation
    seen_round: int
    own: bool
    """True when this node must bring it in at once: its own, or handed in by a local program."""
    block_round: int | None = None
    """Highest round of an accepted block that holds it."""


@dataclass(slots=True)
class _Chain:
    """The waiting operations of one account, by nonce."""

    next_nonce: int
    slots: dict[int, list[_Waiting]] = field(default_factory=dict)


class OperationPool:
    """Operations seen and not yet final.

    Args:
        parameters: The network's limits.
        next_nonce: Tells the first nonce of an account that is not final, or None for an account
            that does not exist.
    """

    def __init__(
        self, parameters: Parameters, next_nonce: Callable[[AccountId], int | None]
    ) -> None:
        self._parameters = parameters
        self._next_nonce = next_nonce
        self._chains: dict[AccountId, _Chain] = {}
        self._index: dict[Digest, _Waiting] = {}
        self._rounds: dict[int, list[Digest]] = {}
        self._outside: dict[AccountId, None] = {}
        self._summarised: AccountId | None = None
        """Where the next summary goes on, when one cannot hold all chains."""

    def __len__(self) -> int:
        return len(self._index)

    def __contains__(self, identifier: Digest) -> bool:
        return identifier in self._index

    def add(self, operation: VerifiedOperation, seen_round: int, own: bool = False) -> bool:
        """Keeps an operation; returns False when it was here already.

        Raises:
            Rejected: `UNKNOWN_ACCOUNT`, `STALE_NONCE`, `NONCE_GAP` (too far ahead) or `POOL_FULL`.
        """
        known = self._index.get(operation.identifier)
        if known is not None:
            known.own = known.own or own
            return False
        body = operation.operation
        chain = self._chain(body.account)
        if body.nonce < chain.next_nonce:
            raise Rejected(Reason.STALE_NONCE)
        if body.nonce >= chain.next_nonce + self._parameters.chain_pool_max:
            raise Rejected(Reason.POOL_FULL, "too far ahead of the account's final operations")
        if len(chain.slots.get(body.nonce, ())) >= VARIANTS_MAX:
            raise Rejected(Reason.POOL_FULL, "two operations contend for this position")
        if len(self._index) >= POOL_OPERATIONS_MAX and not own:
            self._make_room(chain)
        waiting = _Waiting(operation, seen_round, own)
        chain.slots.setdefault(body.nonce, []).append(waiting)
        self._chains[body.account] = chain
        self._index[operation.identifier] = waiting
        self._outside[body.account] = None
        return True

    def get(self, identifier: Digest) -> VerifiedOperation | None:
        """Returns a pooled operation."""
        waiting = self._index.get(identifier)
        return waiting.operation if waiting else None

    def is_in_block(self, identifier: Digest) -> bool:
        """Whether an accepted block holds a pooled operation."""
        waiting = self._index.get(identifier)
        return waiting is not None and waiting.block_round is not None

    def in_block(self, identifier: Digest, block_round: int) -> None:
        """Notes that an accepted block holds an operation, so that no other need bring it in."""
        waiting = self._index.get(identifier)
        if waiting is None:
            return
        if waiting.block_round is None or block_round > waiting.block_round:
            waiting.block_round = block_round
            self._rounds.setdefault(block_round, []).append(identifier)

    def return_from_block(self, identifier: Digest) -> None:
        """Notes that an ordered operation did not count and must be brought in again."""
        waiting = self._index.get(identifier)
        if waiting is not None:
            waiting.block_round = None
            self._outside[waiting.operation.operation.account] = None

    def settle(self, account: AccountId, next_nonce: int) -> None:
        """Forgets the operations of an account below its first nonce that is not final."""
        chain = self._chains.get(account)
        if chain is None:
            return
        for nonce in range(chain.next_nonce, next_nonce):
            for waiting in chain.slots.pop(nonce, ()):
                del self._index[waiting.operation.identifier]
        chain.next_nonce = max(chain.next_nonce, next_nonce)
        if chain.slots:
            self._outside[account] = None  # a gap below them may just have closed
        else:
            self._drop_chain(account)

    def prune(self, gc_round: int) -> None:
        """Takes back operations of blocks so old that they can no longer be ordered."""
        for block_round in [past for past in self._rounds if past <= gc_round]:
            for identifier in self._rounds.pop(block_round):
                waiting = self._index.get(identifier)
                if waiting is not None and waiting.block_round == block_round:
                    self.return_from_block(identifier)

    def next_own_nonce(self, account: AccountId) -> int:
        """Returns the first nonce that neither the ledger nor the pool has used."""
        chain = self._chain(account)
        nonce = chain.next_nonce
        while nonce in chain.slots:
            nonce += 1
        return nonce

    @property
    def busy(self) -> bool:
        """Whether any operation could become final if rounds went on."""
        return any(chain.next_nonce in chain.slots for chain in self._chains.values())

    def select(
        self, committee: Committee, member: MemberIndex, clock_round: int
    ) -> tuple[VerifiedOperation, ...]:
        """Chooses what this member's next block brings in, each chain in its order."""
        budget_bytes = self._parameters.block_bytes_max * 3 // 4
        chosen: list[VerifiedOperation] = []
        for account in list(self._outside):
            fresh = False
            for waiting in self._ready(account):
                if waiting.block_round is not None:
                    continue
                fresh = True
                if not self._is_turn(waiting, committee, member, clock_round):
                    break
                if len(chosen) >= self._parameters.block_operations_max:
                    return tuple(chosen)
                size_bytes = len(waiting.operation.raw) + FRAMING_BYTES
                if size_bytes > budget_bytes:
                    break
                budget_bytes -= size_bytes
                chosen.append(waiting.operation)
            if not fresh:
                del self._outside[account]
        return tuple(chosen)

    def tips(self, limit: int) -> tuple[ChainTip, ...]:
        """Summarises the chains for a peer.

        When there are more than `limit`, each summary goes on where the one before ended, in the
        circle of the accounts.
        """
        accounts = sorted(self._chains)
        if len(accounts) > limit:
            first = bisect_left(accounts, self._summarised) if self._summarised else 0
            accounts = (accounts[first:] + accounts[:first])[:limit]
            self._summarised = accounts[-1]
        return tuple(self._tip(account) for account in accounts)

    def lacking(
        self, tips: tuple[ChainTip, ...], limit: int, limit_bytes: int
    ) -> tuple[bytes, ...]:
        """Returns the operations that a peer with these tips lacks, in chain order.

        Args:
            tips: The peer's summary; one of `limit` chains tells only of the accounts from its
                first to its last.
            limit: Chains in one summary.
            limit_bytes: The most to return.
        """
        theirs = {tip.account: tip for tip in tips}
        accounts = sorted(self._chains)
        if len(tips) >= limit:
            start, end = tips[0].account, tips[-1].account
            accounts = [account for account in accounts if _lies_between(start, account, end)]
        raws: list[bytes] = []
        for account in accounts:
            other, tip = theirs.get(account), self._tip(account)
            if other is not None and other.fingerprint == tip.fingerprint:
                continue
            first = other.next_nonce if other and other.next_nonce < tip.next_nonce else 0
            for waiting in self._from(account, first):
                limit_bytes -= len(waiting.operation.raw)
                if limit_bytes < 0:
                    return tuple(raws)
                raws.append(waiting.operation.raw)
        return tuple(raws)

    def _tip(self, account: AccountId) -> ChainTip:
        fingerprint = 0
        for variants in self._chains[account].slots.values():
            for waiting in variants:
                fingerprint ^= int.from_bytes(waiting.operation.identifier[:8], "big")
        nonce = self.next_own_nonce(account)
        return ChainTip(account, nonce, fingerprint.to_bytes(8, "big"))

    def conflicts(self, account: AccountId) -> tuple[int, ...]:
        """Returns the nonces for which the account signed two operations."""
        chain = self._chains.get(account)
        if chain is None:
            return ()
        return tuple(sorted(nonce for nonce, slot in chain.slots.items() if len(slot) > 1))

    def operations(self, account: AccountId) -> tuple[VerifiedOperation, ...]:
        """Returns an account's waiting operations in the order of their nonces."""
        return tuple(waiting.operation for waiting in self._from(account, 0))

    def _make_room(self, chain: _Chain) -> None:
        """Lets the last operation of the longest chain give way to one of a shorter chain.

        Nobody can keep others out of a full pool, then: a chain can crowd out only longer ones.

        Raises:
            Rejected: `POOL_FULL` when no chain is longer.
        """
        longest = max(self._chains, key=lambda account: len(self._chains[account].slots))
        slots = self._chains[longest].slots
        if len(slots) <= len(chain.slots) + 1:
            raise Rejected(Reason.POOL_FULL)
        for waiting in slots.pop(max(slots)):
            del self._index[waiting.operation.identifier]

    def _drop_chain(self, account: AccountId) -> None:
        del self._chains[account]
        self._outside.pop(account, None)

    def _chain(self, account: AccountId) -> _Chain:
        chain = self._chains.get(account)
        if chain is not None:
            return chain
        nonce = self._next_nonce(account)
        if nonce is None:
            raise Rejected(Reason.UNKNOWN_ACCOUNT)
        return _Chain(nonce)

    def _ready(self, account: AccountId) -> Iterator[_Waiting]:
        """Yields the first variant of each position, from the first that is not final on."""
        chain = self._chains.get(account)
        if chain is None:
            return
        nonce = chain.next_nonce
        while slot := chain.slots.get(nonce):
            yield slot[0]
            nonce += 1

    def _from(self, account: AccountId, first: int) -> Iterator[_Waiting]:
        chain = self._chains.get(account)
        if chain is None:
            return
        for nonce in sorted(chain.slots):
            if nonce >= first:
                yield from chain.slots[nonce]

    def _is_turn(
        self, waiting: _Waiting, committee: Committee, member: MemberIndex, clock_round: int
    ) -> bool:
        """Whether this member brings the operation in: own at once, others one after another."""
        if waiting.own:
            return True
        account = waiting.operation.operation.account
        first = committee.index_of(account)
        start = int.from_bytes(account[:8], "big") if first is None else first
        turn = start + max(0, clock_round - waiting.seen_round) // TURN_ROUNDS
        return turn % len(committee.members) == member


def _lies_between(first: AccountId, account: AccountId, last: AccountId) -> bool:
    """Whether an account lies from the first to the last in the circle of all accounts."""
    if first <= last:
        return first <= account <= last
    return account >= first or account <= last
