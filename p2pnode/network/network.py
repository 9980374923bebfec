"""What the node sees of the network: bytes in and out, by account."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import trio

from p2pnode.interfaces import NetworkEvent
from p2pnode.network.addresses import peer_id_of
from p2pnode.network.errors import PayloadTooLarge, PeerUnreachable, RequestTimedOut
from p2pnode.network.limits import GOSSIP_LIMIT_BYTES
from p2pnode.network.link_rules import LinkFilter

if TYPE_CHECKING:
    from p2pnode.network.conversations import Conversations
    from p2pnode.network.counters import Counters
    from p2pnode.network.discovery import Discovery
    from p2pnode.network.gossip import Gossip
    from p2pnode.network.link import Link
    from p2pnode.network.link_filter import LinkShaper
    from p2pnode.network.links import Links
    from p2pnode.network.requests import Requests

_CONNECT_POLL_SECONDS = 0.01


@dataclass(frozen=True, slots=True)
class PeerView:
    """One connected peer, for people and metrics."""

    account: bytes
    peer_id: str
    address: str
    direction: str
    """`inbound` when the peer dialled, else `outbound`."""
    joined: bool
    connected_since: float
    """Seconds of the Unix clock."""
    rtt_ms: float | None
    messages_in: int
    messages_out: int
    bytes_in: int
    bytes_out: int
    rejected: int


class Conversation(Protocol):
    """Questions to one peer on one stream; several tasks may ask at once."""

    async def ask(self, payload: bytes, timeout_s: float) -> bytes:
        """Wait for all answers before this one and for this one; raises as `Network.request`."""


@dataclass(frozen=True, slots=True)
class NetworkParts:
    """What an open network consists of."""

    account: bytes
    addresses: tuple[str, ...]
    events: trio.MemoryReceiveChannel[NetworkEvent]
    gossip: "Gossip"
    links: "Links"
    requests: "Requests"
    conversations: "Conversations"
    discovery: "Discovery"
    shaper: "LinkShaper"
    counters: "Counters"


class Network:
    """An open network; made by `open_network` and usable until its block ends."""

    def __init__(self, parts: NetworkParts) -> None:
        self._parts = parts
        self.account = parts.account
        """The node's own key, 32 bytes."""
        self.addresses = parts.addresses
        """What others can dial, each with the peer id at its end."""
        self.events = parts.events
        """Joins, leaves, gossip and messages, in the order in which they came."""

    async def publish(self, topic: str, payload: bytes) -> None:
        """Gossip a payload to all who hear the topic, without waiting for any of them.

        Raises:
            PayloadTooLarge: It would not fit into a gossip frame.
        """
        if len(payload) > GOSSIP_LIMIT_BYTES:
            raise PayloadTooLarge(f"a gossip payload of {len(payload)} bytes is above the limit")
        self._parts.counters.add("published")
        await self._parts.gossip.publish(topic, payload)

    def send(self, account: bytes, payload: bytes) -> bool:
        """Queue a message to one connected peer; False when it is not, or too much waits.

        Raises:
            PayloadTooLarge: It is above 1 MiB.
        """
        return self._parts.links.send(account, payload)

    async def request(self, account: bytes, kind: str, payload: bytes, timeout_s: float) -> bytes:
        """Ask one peer and wait for its answer; a known peer that is not connected is dialled.

        Raises:
            PeerUnreachable: No connection could be made, or it broke meanwhile.
            RequestRefused: The peer said no, and why.
            RequestTimedOut: No answer came in time.
            PayloadTooLarge: The request is above 64 KiB.
        """
        remaining_s = await self._connected_in(account, timeout_s)
        return await self._parts.requests.ask(account, kind, payload, remaining_s)

    @asynccontextmanager
    async def converse(
        self, account: bytes, kind: str, timeout_s: float
    ) -> AsyncIterator[Conversation]:
        """Ask one peer many questions on one stream; a known peer that is not connected is dialled.

        Raises:
            PeerUnreachable: No connection could be made, or it broke meanwhile.
            RequestTimedOut: It could not be begun in time.
        """
        remaining_s = await self._connected_in(account, timeout_s)
        async with self._parts.conversations.begin(account, kind, remaining_s) as conversation:
            yield conversation

    def serve_in_turn(self, kind: str, handler: Callable[[bytes, bytes], Awaitable[bytes]]) -> None:
        """Answer the questions of conversations of a kind, as `serve` does single requests."""
        self._parts.conversations.serve(kind, handler)

    def serve(self, kind: str, handler: Callable[[bytes, bytes], Awaitable[bytes]]) -> None:
        """Answer requests of a kind; the handler gets account and payload.

        The handler raises `RequestRefused` to say no. Anything else that it raises is counted and
        answered by a refusal without a reason.
        """
        self._parts.requests.serve(kind, handler)

    def peers(self) -> tuple[PeerView, ...]:
        """The connected peers, in order of account."""
        return tuple(map(_view, self._parts.links.all()))

    def counters(self) -> Mapping[str, int]:
        """Counts by name since the network was opened; what never happened is absent."""
        return self._parts.counters.values()

    async def connect(self, address: str) -> bytes:
        """Dial one address now and return the account that answered.

        Raises:
            BadAddress: It is none that this node could dial.
            PeerUnreachable: Nobody with that key answers there.
        """
        account = await self._parts.discovery.connect(address)
        await self._wait_for_link(account)
        return account

    def shun(self, account: bytes) -> None:
        """Note that a linked peer cannot be a neighbour: whoever ends the link, no dial is soon.

        It may dial this node at any time, and is linked again then.
        """
        link = self._parts.links.get(account)
        if link is not None:
            link.shunned = True

    async def part(self, account: bytes, reason: str) -> None:
        """End the link to a peer, if there is one.

        Args:
            account: Of the peer.
            reason: Counted as `links_dropped_<reason>`.
        """
        link = self._parts.links.get(account)
        if link is not None:
            await self._parts.links.drop(link, reason)

    @property
    def link_filter(self) -> LinkFilter | None:
        """Faults of single links, for a laboratory; None outside of one."""
        return self._parts.shaper.filter

    @link_filter.setter
    def link_filter(self, link_filter: LinkFilter | None) -> None:
        """Sets the faults, also for connections that are open already."""
        self._parts.shaper.filter = link_filter
        if link_filter is not None:
            self._parts.links.attach_shaper()

    @property
    def written(self) -> Mapping[bytes, tuple[int, int]]:
        """By account, writes to a peer and their bytes, since a laboratory first set its faults."""
        return dict(self._parts.shaper.written)

    async def _connected_in(self, account: bytes, timeout_s: float) -> float:
        """Makes sure of a connection, and says how much of the time is left."""
        deadline = trio.current_time() + timeout_s
        with trio.move_on_at(deadline) as scope:
            await self._connected(account)
        if scope.cancelled_caught:
            raise RequestTimedOut(f"no connection within {timeout_s} s")
        return max(0.001, deadline - trio.current_time())

    async def _connected(self, account: bytes) -> None:
        if account == self.account:
            raise PeerUnreachable("a node does not ask itself")
        await self._parts.discovery.reach(account)
        await self._wait_for_link(account)

    async def _wait_for_link(self, account: bytes) -> None:
        # The library announces a connection just after the dial returns; if it was refused as a
        # duplicate or cut, it never does.
        with trio.move_on_after(1):
            while self._parts.links.get(account) is None:  # noqa: ASYNC110
                await trio.sleep(_CONNECT_POLL_SECONDS)
            return
        raise PeerUnreachable("the connection closed at once")


def _view(link: "Link") -> PeerView:
    return PeerView(
        account=link.account,
        peer_id=peer_id_of(link.account),
        address=link.address,
        direction="inbound" if link.inbound else "outbound",
        joined=link.joined,
        connected_since=link.connected_since,
        rtt_ms=link.rtt_ms,
        messages_in=link.messages_in,
        messages_out=link.messages_out,
        bytes_in=link.bytes_in,
        bytes_out=link.bytes_out,
        rejected=link.rejected,
    )
