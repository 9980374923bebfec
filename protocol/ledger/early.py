"""A bounded place for blocks of the next epoch, whose committee this node does not know yet.

Nothing of them can be verified here, so each neighbour has a share of its own: one that sends
rubbish crowds out nothing but its own blocks. What has no place is fetched later.
"""

from typing import Final

from protocol.units import AccountId

EARLY_BYTES_MAX: Final = 512 * 1024
"""Bytes kept from one neighbour."""

EARLY_PEERS_MAX: Final = 64
"""Neighbours from which anything is kept."""


class EarlyBlocks:
    """Blocks as they came, by neighbour."""

    __slots__ = ("_raws", "_sizes")

    def __init__(self) -> None:
        self._raws: dict[AccountId, dict[bytes, None]] = {}
        self._sizes: dict[AccountId, int] = {}

    def keep(self, peer: AccountId, raw: bytes) -> bool:
        """Keeps a block until the next epoch begins; returns False when there is no place."""
        if peer not in self._raws and len(self._raws) >= EARLY_PEERS_MAX:
            return False
        raws = self._raws.setdefault(peer, {})
        size = self._sizes.get(peer, 0) + len(raw)
        if size > EARLY_BYTES_MAX or raw in raws:
            return False
        raws[raw] = None
        self._sizes[peer] = size
        return True

    def take(self) -> tuple[tuple[AccountId, bytes], ...]:
        """Hands out what was kept, and keeps it no longer."""
        taken = tuple((peer, raw) for peer, raws in self._raws.items() for raw in raws)
        self._raws.clear()
        self._sizes.clear()
        return taken
