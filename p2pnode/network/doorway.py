"""How connections come in: few bytes and little time for each, and always room for one more.

The library takes a place for every connection that comes in and gives it back only when the whole
node stops, so that after so many a node would answer nobody any more. And whoever never ends its
handshake takes the same places as neighbours do. Here a connection is held for as long as it lives,
and handshakes have places of their own: where all are taken, the oldest gives way to the newest.
"""

import math
from typing import cast

import trio
from libp2p.abc import IMuxedConn
from libp2p.io.abc import ReadWriteCloser
from libp2p.network.connection.raw_connection import RawConnection
from libp2p.network.swarm import Swarm
from libp2p.stream_muxer.yamux.yamux import Yamux
from multiaddr import Multiaddr

from p2pnode.network.counters import Counters
from p2pnode.network.framing import STREAM_FAILURES
from p2pnode.network.guard import Guard
from p2pnode.network.limits import HANDSHAKES


class Doorway:
    """Takes in the connections that others open to one node.

    Args:
        swarm: Does the handshakes, each within `DIAL_SECONDS`.
        counters: What came of them.
        guard: Where what strangers cause ends.

    Attributes:
        inside: How many connections that came in are alive.
    """

    def __init__(self, swarm: Swarm, counters: Counters, guard: Guard) -> None:
        self._swarm = swarm
        self._counters = counters
        self._guard = guard
        self._shaking: dict[trio.CancelScope, None] = {}
        self.inside = 0

    def open(self) -> None:
        """Takes the place of the library's own handler."""
        self._swarm._inbound_limiter = trio.CapacityLimiter(math.inf)
        taking = self._take_in
        self._swarm._handle_inbound_connection = taking  # type: ignore[assignment,method-assign]

    async def _take_in(self, stream: ReadWriteCloser, place: Multiaddr) -> None:
        """Holds a socket until its connection ends; the library closes it on return."""
        await self._guard.contain("inbound", self._hold, stream, place)

    async def _hold(self, stream: ReadWriteCloser, place: Multiaddr) -> None:
        connection = await self._shake_hands(stream, place)
        if connection is None:
            self._counters.add("handshakes_failed")
            return
        self.inside += 1
        try:
            await cast(Yamux, connection).event_closed.wait()
        finally:
            self.inside -= 1

    async def _shake_hands(self, stream: ReadWriteCloser, place: Multiaddr) -> IMuxedConn | None:
        """Returns the connection; None where it failed, took too long, or had to give way."""
        if len(self._shaking) >= HANDSHAKES:
            oldest = next(iter(self._shaking))
            del self._shaking[oldest]
            oldest.cancel()
        connection = None
        with trio.CancelScope() as scope:
            self._shaking[scope] = None
            try:
                raw = RawConnection(stream, False)
                connection = await self._swarm.upgrade_inbound_raw_conn(raw, place)
            except STREAM_FAILURES:
                connection = None
            finally:
                self._shaking.pop(scope, None)
        return connection
