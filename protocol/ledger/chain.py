"""One account's waiting operations: a chain of positions, each with what contends for it."""

from dataclasses import dataclass, field
from typing import Final

from protocol.messages import VerifiedOperation
from protocol.units import MemberIndex

HIDING_ROUNDS: Final = 8
"""Rounds for which a block keeps others from bringing in its operations again.

An operation is final well before. If it is not, its block came too late for anybody to refer to.
"""


@dataclass(slots=True)
class Waiting:
    """One pooled operation."""

    operation: VerifiedOperation
    seen_round: int
    own: bool
    """True when this node must bring it in at once: its own, or handed in by a local program."""
    block_round: int | None = None
    """Highest round of an accepted block that holds it."""
    hidden_until: int | None = None
    """Up to this round the first block that held it speaks for it; None before there was one.

    Later blocks never raise it: else one member could keep an operation out for ever.
    """
    brought: dict[MemberIndex, int] = field(default_factory=dict)
    """Highest round in which each author brought it in; keeps a member from repeating itself."""

    def shown_from(self, member: MemberIndex) -> int:
        """The first round in which this member may bring it in."""
        own = self.brought.get(member)
        return max(self.hidden_until or 0, 0 if own is None else own + HIDING_ROUNDS)


@dataclass(slots=True)
class Chain:
    """The waiting operations of one account, by nonce."""

    next_nonce: int
    free_nonce: int
    """First position above the final ones that nothing holds."""
    slots: dict[int, list[Waiting]] = field(default_factory=dict)
    fingerprint: int = 0
    """All identifiers mixed; kept up with each change, so that a summary need not walk a chain."""

    def insert(self, waiting: Waiting) -> None:
        """Puts an operation at its position."""
        self.slots.setdefault(waiting.operation.operation.nonce, []).append(waiting)
        self.fingerprint ^= _mark(waiting)
        self._advance()

    def remove(self, nonce: int) -> list[Waiting]:
        """Empties a position and returns what it held."""
        variants = self.slots.pop(nonce, [])
        for waiting in variants:
            self.fingerprint ^= _mark(waiting)
        if variants and nonce < self.free_nonce:
            self.free_nonce = nonce
        return variants

    def settle(self, next_nonce: int) -> list[Waiting]:
        """Forgets the positions below one that is not final, and returns what they held."""
        past = range(self.next_nonce, next_nonce)
        forgotten = [waiting for nonce in past for waiting in self.remove(nonce)]
        self.next_nonce = max(self.next_nonce, next_nonce)
        self.free_nonce = max(self.free_nonce, self.next_nonce)
        self._advance()
        return forgotten

    def _advance(self) -> None:
        while self.free_nonce in self.slots:
            self.free_nonce += 1


def _mark(waiting: Waiting) -> int:
    """What an operation adds to its chain's fingerprint."""
    return int.from_bytes(waiting.operation.identifier[:8], "big")
