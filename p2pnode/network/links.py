"""Links: one per connected peer, with its direct stream in each direction, pings and a watchdog.

A connection becomes a link at once and a joined peer once gossip flows both ways and a ping was
answered. A link ends with its last connection; it is ended from here when the peer stays silent,
when gossip is dead in one direction, or when there is no room for it.
"""

import random
import time
from collections.abc import Awaitable, Callable
from typing import Any, cast

import trio
from libp2p.abc import INetConn, INetStream
from libp2p.custom_types import TProtocol
from libp2p.network.connection.swarm_connection import SwarmConn
from libp2p.peer.id import ID
from libp2p.rcmgr import Direction
from libp2p.stream_muxer.yamux.yamux import Yamux

from p2pnode.network import limits
from p2pnode.network.errors import PayloadTooLarge
from p2pnode.network.framing import STREAM_FAILURES, FrameError, FrameReader, abandon, framed
from p2pnode.network.gossip import Gossip, account_of_id
from p2pnode.network.link import Link, LinkParts
from p2pnode.network.sessions import shield_writes

DIRECT_PROTOCOL = TProtocol("/p2pnode/direct/1")

_DATA, _PING, _PONG, _FULL = b"\0", b"\1", b"\2", b"\3"
_FRAME_LIMIT = limits.MESSAGE_LIMIT_BYTES + 1
_RETRY_SECONDS = 0.2
_POLL_SECONDS = 0.01
_WATCH_SECONDS = 0.1
_WATCH_JOINED_SECONDS = 1.0


class Links:
    """All links of one network, by account."""

    def __init__(self, parts: LinkParts) -> None:
        self._parts = parts
        self._by_account: dict[bytes, Link] = {}
        self.gossip: Gossip | None = None
        self.on_end: Callable[[Link], None] = lambda _link: None
        self.on_join: Callable[[Link], None] = lambda _link: None
        self.introduce: Callable[[INetConn, INetConn], Awaitable[None]] | None = None
        self._leaving: dict[bytes, INetConn] = {}

    def get(self, account: bytes) -> Link | None:
        """The link to a peer, joined or not."""
        return self._by_account.get(account)

    def all(self) -> tuple[Link, ...]:
        """Every link, in order of account."""
        return tuple(self._by_account[account] for account in sorted(self._by_account))

    def room(self) -> int:
        """How many more links there is room for."""
        return self._parts.most_links - sum(not link.surplus for link in self.all())

    def send(self, account: bytes, payload: bytes) -> bool:
        """Queue a message to one peer; False when it is not connected or has too much waiting."""
        if len(payload) > limits.MESSAGE_LIMIT_BYTES:
            raise PayloadTooLarge(f"a message of {len(payload)} bytes is above the limit")
        link = self._by_account.get(account)
        if link is None or not link.put(framed(_DATA, payload)):
            self._parts.counters.add("dropped_sends")
            return False
        link.messages_out += 1
        self._parts.counters.add("sent")
        self._parts.counters.add("sent_bytes", len(payload))
        return True

    def reject(self, account: bytes, reason: str) -> None:
        """Count something wrong that a peer sent."""
        self._parts.counters.add(f"rejected_{reason}")
        link = self._by_account.get(account)
        if link is not None:
            link.rejected += 1

    def count_frame(self, account: bytes, messages: int, size_bytes: int) -> None:
        """Count gossip that came over a link."""
        self._parts.counters.add("gossip_bytes_in", size_bytes)
        link = self._by_account.get(account)
        if link is not None:
            link.messages_in += messages
            link.bytes_in += size_bytes

    async def settle(self, peer_id: ID) -> None:
        """Before gossip opens: let a simultaneous connection that would win appear."""
        account = account_of_id(peer_id)
        connections = self._open_connections(peer_id)
        if all(self._dialler_is_higher(connection, account) for connection in connections):
            await trio.sleep(limits.SETTLE_SECONDS)

    async def connected(self, connection: INetConn) -> None:
        """A connection is up: refuse it, drop the duplicate, or begin a link."""
        account = account_of_id(connection.muxed_conn.peer_id)
        session = _session_of(connection)
        shield_writes(session)
        if self._parts.shaper.filter is not None:
            self._parts.shaper.attach(session, account)
        if self._parts.shaper.is_cut(account):
            self._parts.nursery.start_soon(self.close_connection, connection)
            return
        kept = self._drop_duplicates(connection, account)
        link = self._by_account.get(account)
        if link is None:
            self._begin(connection, account)
            return
        link.since = link.heard_at = trio.current_time()
        if kept is connection:
            link.opened_at = link.since
        link.deaf_since = None
        link.inbound, link.address = _is_inbound(kept), _address_of(kept)

    async def disconnected(self, connection: INetConn) -> None:
        """A connection is gone; the link ends when it was the last."""
        peer_id = connection.muxed_conn.peer_id
        if self._open_connections(peer_id):
            if self.gossip is not None:
                self.gossip.leave_connection(connection, peer_id)
            return
        link = self._by_account.pop(account_of_id(peer_id), None)
        if link is None:
            return
        link.scope.cancel()
        if link.joined:
            self._parts.events.left(link.account)
        self.on_end(link)

    def is_leaving(self, stream: INetStream) -> bool:
        """Whether a stream came over a connection that only waits for its introduction to end."""
        leaving = self._leaving.get(account_of_id(stream.muxed_conn.peer_id))
        return leaving is not None and leaving.muxed_conn is stream.muxed_conn

    async def drop(self, link: Link, reason: str) -> None:
        """Close every connection of a link."""
        self._parts.counters.add(f"links_dropped_{reason}")
        for connection in self._parts.swarm.get_connections(link.peer_id):
            self._parts.nursery.start_soon(self.close_connection, connection)

    async def close_connection(self, connection: INetConn) -> None:
        """Say goodbye, but not for long: a stalled peer would keep the connection for ever."""
        with trio.CancelScope(shield=True):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._parts.guard.contain, "close", connection.close)
                await _wait_closed(connection)
                await self._parts.guard.contain("close", _session_of(connection).close)

    def attach_shaper(self) -> None:
        """Put a filter that was just set below the connections that are open already."""
        for connection in self._parts.swarm.get_connections():
            account = account_of_id(connection.muxed_conn.peer_id)
            self._parts.shaper.attach(_session_of(connection), account)

    async def handle_stream(self, stream: INetStream) -> None:
        """Read what one peer sends to this node alone, until its stream ends."""
        if self.is_leaving(stream):
            await abandon(stream)
            return
        try:
            await self._parts.guard.contain("direct", self._read_direct, stream)
        finally:
            await abandon(stream)

    def _begin(self, connection: INetConn, account: bytes) -> None:
        now = trio.current_time()
        link = Link(
            account=account,
            peer_id=connection.muxed_conn.peer_id,
            inbound=_is_inbound(connection),
            address=_address_of(connection),
            since=now,
            heard_at=now,
            opened_at=now,
            surplus=self.room() <= 0,
        )
        self._by_account[account] = link
        self._parts.nursery.start_soon(self._run, link)

    async def _run(self, link: Link) -> None:
        with link.scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._write_outbox, link)
                nursery.start_soon(self._ping, link)
                nursery.start_soon(self._watch, link)

    async def _write_outbox(self, link: Link) -> None:
        while True:
            try:
                with trio.fail_after(limits.DIAL_SECONDS):
                    stream = await self._parts.host.new_stream(link.peer_id, [DIRECT_PROTOCOL])
            except STREAM_FAILURES:
                await trio.sleep(_RETRY_SECONDS)
                continue
            await self._write_until_broken(link, stream)
            await abandon(stream)
            await trio.sleep(_RETRY_SECONDS)

    async def _write_until_broken(self, link: Link, stream: INetStream) -> None:
        await self._say_hello(link)
        try:
            while True:
                if not link.outbox:
                    link.filled = trio.Event()
                    await link.filled.wait()
                frame = link.outbox.popleft()
                link.outbox_bytes -= len(frame)
                link.bytes_out += len(frame)
                await stream.write(frame)
        except STREAM_FAILURES:
            self._parts.counters.add("direct_streams_broken")

    async def _say_hello(self, link: Link) -> None:
        if link.surplus:
            link.put(framed(_FULL))
        link.put(_ping_frame())

    async def _read_direct(self, stream: INetStream) -> None:
        account = account_of_id(stream.muxed_conn.peer_id)
        link = await self._wait_for_link(account)
        if link is None:
            return
        earlier, link.inward = link.inward, stream
        if earlier is not None:
            await abandon(earlier)
        reader = FrameReader(stream)
        while True:
            try:
                frame = await reader.frame(_FRAME_LIMIT, limits.SILENCE_SECONDS * 2)
            except FrameError:
                self.reject(account, "frame")
                return
            except STREAM_FAILURES:
                return
            link.heard_at = trio.current_time()
            self._take(link, frame[:1], frame[1:])

    def _take(self, link: Link, kind: bytes, body: bytes) -> None:
        if kind == _DATA:
            link.messages_in += 1
            link.bytes_in += len(body)
            self._parts.counters.add("received")
            self._parts.counters.add("received_bytes", len(body))
            self._parts.events.received(link.account, body)
        elif kind == _PING and len(body) == 8:
            link.put(framed(_PONG, body))
        elif kind == _PONG and len(body) == 8:
            passed_ms = (time.monotonic_ns() - int.from_bytes(body, "big")) / 1e6
            link.ponged = True
            link.rtt_ms = max(0.0, passed_ms)
        elif kind == _FULL:
            link.surplus = True
        else:
            self.reject(link.account, "frame")

    async def _wait_for_link(self, account: bytes) -> Link | None:
        # A stream may arrive a moment before the connection that carries it is announced.
        deadline = trio.current_time() + limits.FRAME_SECONDS
        while account not in self._by_account and trio.current_time() < deadline:  # noqa: ASYNC110
            await trio.sleep(_POLL_SECONDS)
        return self._by_account.get(account)

    async def _ping(self, link: Link) -> None:
        while True:
            await trio.sleep(limits.PING_SECONDS * random.uniform(0.9, 1.1))  # noqa: S311
            if trio.current_time() - link.heard_at > limits.SILENCE_SECONDS:
                await self.drop(link, "silent")
            link.put(_ping_frame())

    async def _watch(self, link: Link) -> None:
        while True:
            await trio.sleep(_WATCH_JOINED_SECONDS if link.joined else _WATCH_SECONDS)
            reason = self._judge(link, trio.current_time())
            if reason is not None:
                await self.drop(link, reason)
                # If a new connection came meanwhile, the link lives on and is judged again.
                await trio.sleep(2 * limits.CLOSE_SECONDS)

    def _judge(self, link: Link, now: float) -> str | None:
        """Whether a link joins, stays as it is, or has to go and why."""
        assert self.gossip is not None
        if link.surplus:
            idle = now - link.since > limits.SURPLUS_SECONDS and not link.open_requests
            return "surplus" if idle else None
        if link.ponged and self.gossip.is_alive(link.peer_id):
            link.deaf_since = None
            if not link.joined:
                link.joined = True
                self._parts.events.joined(link.account)
                self.on_join(link)
            return None
        if not link.joined:
            return "unestablished" if now - link.since > limits.ESTABLISH_SECONDS else None
        if link.deaf_since is None:
            link.deaf_since = now
        return "deaf" if now - link.deaf_since >= limits.DEAF_SECONDS else None

    def _drop_duplicates(self, fresh: INetConn, account: bytes) -> INetConn:
        """Close all connections to a peer but one, which is returned."""
        connections = self._open_connections(fresh.muxed_conn.peer_id)
        if len(connections) < 2:
            return fresh
        # Both ends see the same dialler, so both keep the same connection; of several by the same
        # dialler the newest is kept, since only a dialler that lost the older one dials again.
        ranked = sorted(
            enumerate(connections),
            key=lambda pair: (self._dialler_is_higher(pair[1], account), -pair[0]),
        )
        kept = ranked[0][1]
        for _, connection in ranked[1:]:
            self._parts.counters.add("duplicate_connections")
            if self._may_be_twins(kept, connection, account):
                self._leaving[account] = connection
                # The library would else choose it for new streams.
                self._parts.swarm.remove_conn(cast(SwarmConn, connection))
                self._parts.nursery.start_soon(self._introduce, kept, connection, account)
            else:
                self._parts.nursery.start_soon(self._close_duplicate, connection)
        return kept

    def _may_be_twins(self, one: INetConn, other: INetConn, account: bytes) -> bool:
        """Whether two connections may be of two nodes that have one key.

        Of two dials that met, one came from each side, at one time.
        """
        link = self._by_account.get(account)
        if self.introduce is None or link is None or account in self._leaving:
            return False
        is_late = trio.current_time() - link.opened_at > limits.MEETING_SECONDS
        return is_late or _is_inbound(one) == _is_inbound(other)

    async def _introduce(self, kept: INetConn, leaving: INetConn, account: bytes) -> None:
        assert self.introduce is not None
        try:
            await self.introduce(kept, leaving)
        finally:
            with trio.CancelScope(shield=True):
                await self._close_duplicate(leaving)
            del self._leaving[account]

    async def _close_duplicate(self, connection: INetConn) -> None:
        await self.close_connection(connection)
        if self.gossip is not None:
            self.gossip.leave_connection(connection, connection.muxed_conn.peer_id)

    def _dialler_is_higher(self, connection: INetConn, account: bytes) -> bool:
        dialler, other = self._parts.own, account
        if _is_inbound(connection):
            dialler, other = other, dialler
        return dialler > other

    def _open_connections(self, peer_id: ID) -> list[INetConn]:
        connections = self._parts.swarm.get_connections(peer_id)
        return [connection for connection in connections if not connection.is_closed]


def _session_of(connection: INetConn) -> Any:  # noqa: ANN401 - its methods are replaced
    """The encrypted session under a connection; every connection of ours is one of yamux."""
    return cast(Yamux, connection.muxed_conn).secured_conn


def _address_of(connection: INetConn) -> str:
    addresses = connection.get_transport_addresses()
    return str(addresses[0]) if addresses else ""


async def _wait_closed(connection: INetConn) -> None:
    with trio.move_on_after(limits.CLOSE_SECONDS):
        while not connection.muxed_conn.is_closed:  # noqa: ASYNC110  the library tells nobody
            await trio.sleep(0.02)


def _is_inbound(connection: INetConn) -> bool:
    return getattr(connection, "direction", None) == Direction.INBOUND


def _ping_frame() -> bytes:
    return framed(_PING, time.monotonic_ns().to_bytes(8, "big"))
