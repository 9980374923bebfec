"""The available layer: signed operations that are not final yet, in one chain per account.

A node accepts and passes on operations whatever the state of the network; only their order waits
for a quorum. The pool is a set that only grows until operations become final or void, so two
nodes that exchange their sets agree on it.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterator
from typing import Final

from protocol.errors import Reason, Rejected
from protocol.ledger.chain import HIDING_ROUNDS, Chain, Waiting
from protocol.ledger.committee import Committee
from protocol.messages import VerifiedOperation
from protocol.parameters import Parameters
from protocol.units import AccountId, Digest, MemberIndex
from protocol.wire import ChainTip

TURN_ROUNDS: Final = 4
"""Rounds that a member has to bring in an operation before the next one's turn comes."""

POOL_OPERATIONS_MAX: Final = 50_000
"""Operations in one node's pool, of all accounts together."""

FRAMING_BYTES: Final = 8
"""More than the encoding adds to each operation in a block."""

VARIANTS_MAX: Final = 2
"""Operations kept for one position of a chain: enough to show a conflict."""


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
        self._epoch = 0
        self._chains: dict[AccountId, Chain] = {}
        self._index: dict[Digest, Waiting] = {}
        self._rounds: dict[int, list[Digest]] = {}
        self._accounts: list[AccountId] = []
        """The accounts of all chains, in ascending order."""
        self._outside: dict[AccountId, None] = {}
        """Chains of which something may be brought in now."""
        self._hidden: dict[int, list[AccountId]] = {}
        """Chains to look at again, by the round in which the first of their operations shows."""
        self._summarised: AccountId | None = None
        """Where the next summary goes on, when one cannot hold all chains."""

    def __len__(self) -> int:
        return len(self._index)

    def __contains__(self, identifier: Digest) -> bool:
        return identifier in self._index

    def add(self, operation: VerifiedOperation, seen_round: int, own: bool = False) -> bool:
        """Keeps an operation; returns False when it was here already.

        Raises:
            Rejected: `EXPIRED`, `UNKNOWN_ACCOUNT`, `STALE_NONCE` or `POOL_FULL`.
        """
        known = self._index.get(operation.identifier)
        if known is not None:
            known.own = known.own or own
            return False
        body = operation.operation
        if body.last_epoch < self._epoch:
            raise Rejected(Reason.EXPIRED, f"void after epoch {body.last_epoch}")
        chain = self._chain(body.account)
        if body.nonce < chain.next_nonce:
            raise Rejected(Reason.STALE_NONCE)
        if body.nonce >= chain.next_nonce + self._parameters.chain_pool_max:
            raise Rejected(Reason.POOL_FULL, "too far ahead of the account's final operations")
        if len(chain.slots.get(body.nonce, ())) >= VARIANTS_MAX:
            raise Rejected(Reason.POOL_FULL, "two operations contend for this position")
        if len(self._index) >= POOL_OPERATIONS_MAX and not own:
            self._make_room(chain)
        waiting = Waiting(operation, seen_round, own)
        chain.insert(waiting)
        if body.account not in self._chains:
            self._chains[body.account] = chain
            insort(self._accounts, body.account)
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

    def in_block(self, identifier: Digest, block_round: int, author: MemberIndex) -> None:
        """Notes that an accepted block holds an operation, so that no other need bring it in now.

        Only the first such block speaks for the operation, and only for `HIDING_ROUNDS`. If it is
        not final by then, others bring it in too: the order counts it once, by its nonce.
        """
        waiting = self._index.get(identifier)
        if waiting is None:
            return
        if waiting.hidden_until is None:
            waiting.hidden_until = block_round + HIDING_ROUNDS
        waiting.brought[author] = max(block_round, waiting.brought.get(author, 0))
        if waiting.block_round is None or block_round > waiting.block_round:
            waiting.block_round = block_round
            self._rounds.setdefault(block_round, []).append(identifier)

    def return_from_block(self, identifier: Digest) -> None:
        """Notes that an ordered operation did not count and must be brought in again."""
        waiting = self._index.get(identifier)
        if waiting is not None:
            waiting.block_round = None
            waiting.hidden_until = 0
            waiting.brought.clear()
            self._outside[waiting.operation.operation.account] = None

    def settle(self, account: AccountId, next_nonce: int) -> None:
        """Forgets the operations of an account below its first nonce that is not final."""
        chain = self._chains.get(account)
        if chain is None:
            return
        for waiting in chain.settle(next_nonce):
            del self._index[waiting.operation.identifier]
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

    def begin(self, epoch: int) -> None:
        """Takes everything back for the next epoch, whose rounds begin anew.

        What the ended epoch did not order is in no ledger; what is void from now on is dropped.
        """
        self._epoch = epoch
        expired = [
            one for one in self._index.values() if one.operation.operation.last_epoch < epoch
        ]
        for waiting in expired:
            self._drop(waiting)
        for waiting in self._index.values():
            waiting.seen_round = 0
            waiting.block_round = waiting.hidden_until = None
            waiting.brought.clear()
        self._rounds.clear()
        self._hidden.clear()
        self._outside = dict.fromkeys(self._chains)

    def next_own_nonce(self, account: AccountId) -> int:
        """Returns the first nonce that neither the ledger nor the pool has used."""
        return self._chain(account).free_nonce

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
        self._show(clock_round)
        for account in list(self._outside):
            fresh = False
            for waiting in self._ready(account):
                if clock_round < waiting.shown_from(member):
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
                self._hide(account, member)
        return tuple(chosen)

    def tips(self, limit: int) -> tuple[ChainTip, ...]:
        """Summarises the chains for a peer.

        When there are more than `limit`, each summary goes on where the one before ended, in the
        circle of the accounts.
        """
        accounts = self._accounts
        if len(accounts) > limit:
            first = bisect_left(accounts, self._summarised) if self._summarised else 0
            accounts = accounts[first : first + limit]
            accounts += self._accounts[: limit - len(accounts)]
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
            limit_bytes: The most to return, but for a single operation that is larger.
        """
        theirs = {tip.account: tip for tip in tips}
        raws: list[bytes] = []
        for account in self._covered(tips, limit):
            other, tip = theirs.get(account), self._tip(account)
            if other is not None and other.fingerprint == tip.fingerprint:
                continue
            first = other.next_nonce if other and other.next_nonce < tip.next_nonce else 0
            for waiting in self._from(account, first):
                limit_bytes -= len(waiting.operation.raw)
                if raws and limit_bytes < 0:
                    return tuple(raws)
                raws.append(waiting.operation.raw)
        return tuple(raws)

    def conflicts(self, account: AccountId) -> tuple[int, ...]:
        """Returns the nonces for which the account signed two operations."""
        chain = self._chains.get(account)
        if chain is None:
            return ()
        return tuple(sorted(nonce for nonce, slot in chain.slots.items() if len(slot) > 1))

    def operations(self, account: AccountId) -> tuple[VerifiedOperation, ...]:
        """Returns an account's waiting operations in the order of their nonces."""
        return tuple(waiting.operation for waiting in self._from(account, 0))

    def _make_room(self, chain: Chain) -> None:
        """Lets the last operation of the longest chain give way to one of a shorter chain.

        Nobody can keep others out of a full pool, then: a chain can crowd out only longer ones.

        Raises:
            Rejected: `POOL_FULL` when no chain is longer.
        """
        longest = max(self._chains, key=lambda account: len(self._chains[account].slots))
        giving = self._chains[longest]
        if len(giving.slots) <= len(chain.slots) + 1:
            raise Rejected(Reason.POOL_FULL)
        for waiting in giving.remove(max(giving.slots)):
            del self._index[waiting.operation.identifier]

    def _drop(self, dropped: Waiting) -> None:
        """Forgets one operation, and keeps what contends for its position."""
        body = dropped.operation.operation
        chain = self._chains[body.account]
        others = [one for one in chain.remove(body.nonce) if one is not dropped]
        for one in others:
            chain.insert(one)
        del self._index[dropped.operation.identifier]
        if not chain.slots:
            self._drop_chain(body.account)

    def _drop_chain(self, account: AccountId) -> None:
        del self._chains[account]
        del self._accounts[bisect_left(self._accounts, account)]
        self._outside.pop(account, None)

    def _chain(self, account: AccountId) -> Chain:
        chain = self._chains.get(account)
        if chain is not None:
            return chain
        nonce = self._next_nonce(account)
        if nonce is None:
            raise Rejected(Reason.UNKNOWN_ACCOUNT)
        return Chain(nonce, nonce)

    def _hide(self, account: AccountId, member: MemberIndex) -> None:
        """Leaves a chain alone until the first of its operations may be brought in again."""
        del self._outside[account]
        shown = [waiting.shown_from(member) for waiting in self._ready(account)]
        if shown:
            self._hidden.setdefault(min(shown), []).append(account)

    def _show(self, clock_round: int) -> None:
        """Looks again at the chains that were left alone until this round."""
        for past in [past for past in self._hidden if past <= clock_round]:
            self._outside |= dict.fromkeys(self._hidden.pop(past))

    def _covered(self, tips: tuple[ChainTip, ...], limit: int) -> Iterator[AccountId]:
        """Yields the accounts that a summary tells of, whether it lists them or not."""
        accounts, count = self._accounts, len(self._accounts)
        first, end = 0, count
        if len(tips) >= limit:
            first = bisect_left(accounts, tips[0].account)
            end = bisect_right(accounts, tips[-1].account)
            if tips[0].account > tips[-1].account:
                end += count  # past the end of the circle
        for place in range(first, end):
            yield accounts[place % count]

    def _tip(self, account: AccountId) -> ChainTip:
        chain = self._chains[account]
        return ChainTip(account, chain.free_nonce, chain.fingerprint.to_bytes(8, "big"))

    def _ready(self, account: AccountId) -> Iterator[Waiting]:
        """Yields the first variant of each position, from the first that is not final on."""
        chain = self._chains.get(account)
        if chain is None:
            return
        nonce = chain.next_nonce
        while slot := chain.slots.get(nonce):
            yield slot[0]
            nonce += 1

    def _from(self, account: AccountId, first: int) -> Iterator[Waiting]:
        chain = self._chains.get(account)
        if chain is None:
            return
        for nonce in sorted(chain.slots):
            if nonce >= first:
                yield from chain.slots[nonce]

    def _is_turn(
        self, waiting: Waiting, committee: Committee, member: MemberIndex, clock_round: int
    ) -> bool:
        """Whether this member brings the operation in: own at once, others one after another."""
        if waiting.own:
            return True
        account = waiting.operation.operation.account
        first = committee.index_of(account)
        start = int.from_bytes(account[:8], "big") if first is None else first
        turn = start + max(0, clock_round - waiting.seen_round) // TURN_ROUNDS
        return turn % len(committee.members) == member
