"""The state of one link, and what links are made with; `links` says what happens to them."""

import time
from collections import deque
from dataclasses import dataclass, field

import trio
from libp2p.abc import IHost, INetStream
from libp2p.network.swarm import Swarm
from libp2p.peer.id import ID

from p2pnode.network import limits
from p2pnode.network.counters import Counters
from p2pnode.network.events import Events
from p2pnode.network.guard import Guard
from p2pnode.network.link_filter import LinkShaper


@dataclass(eq=False, slots=True)
class Link:
    """The state of one connected peer."""

    account: bytes
    peer_id: ID
    inbound: bool
    address: str
    since: float
    heard_at: float
    """When the peer was last heard on the direct stream, in trio's time."""
    opened_at: float
    """When the connection that is kept was opened."""
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    outbox: deque[bytes] = field(default_factory=deque)
    outbox_bytes: int = 0
    filled: trio.Event = field(default_factory=trio.Event)
    inward: INetStream | None = None
    ponged: bool = False
    joined: bool = False
    surplus: bool = False
    """One of the two ends has no room for this link."""
    shunned: bool = False
    """The peer cannot be a neighbour, so that the link ends soon."""
    deaf_since: float | None = None
    rtt_ms: float | None = None
    open_requests: int = 0
    next_exchange: float = 0.0
    messages_in: int = 0
    messages_out: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    rejected: int = 0
    connected_since: float = field(default_factory=time.time)

    def put(self, frame: bytes) -> bool:
        """Queue a frame; False when the peer has too much waiting already."""
        if (
            len(self.outbox) >= limits.OUTBOX_LIMIT_MESSAGES
            or self.outbox_bytes + len(frame) > limits.OUTBOX_LIMIT_BYTES
        ):
            return False
        self.outbox.append(frame)
        self.outbox_bytes += len(frame)
        self.filled.set()
        return True


@dataclass(frozen=True, slots=True)
class LinkParts:
    """What links are made with."""

    host: IHost
    swarm: Swarm
    own: bytes
    nursery: trio.Nursery
    counters: Counters
    guard: Guard
    events: Events
    shaper: LinkShaper
    most_links: int
