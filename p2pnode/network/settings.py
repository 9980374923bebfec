"""What one operator chooses about the network."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class NetworkSettings:
    """Where to listen, whom to know first and how many links to keep."""

    listen: tuple[str, ...]
    """Addresses such as `/ip4/0.0.0.0/tcp/4001`; port 0 lets the system choose."""
    bootstrap: tuple[str, ...]
    """Addresses that end in `/p2p/<peer id>`; needed only until others are known."""
    topics: tuple[str, ...]
    """The gossip topics that this node hears and forwards."""
    target_links: int = 4
    """Peers to dial for, where enough are known."""
    most_links: int = 8
    """Peers to accept; each link costs time for every gossip message."""
    announce: tuple[str, ...] = ()
    """Addresses to tell others instead of those listened on, such as a forwarded port."""
    address_book: Path | None = None
    """File that keeps the known addresses between runs."""
