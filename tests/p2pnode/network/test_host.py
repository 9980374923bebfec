"""RELIABILITY B13: sockets that never finish their handshake, and who still gets in meanwhile."""

import tracemalloc
from dataclasses import dataclass

import pytest
import trio

from p2pnode.network import Network
from p2pnode.network.limits import DIAL_SECONDS
from tests.support.networks import connect, is_joined, open_networks, wait_until

pytestmark = pytest.mark.slow

SOCKETS = 200
CLOSED_SECONDS = 10.0
HELD_BYTES_MAX = 64 * 1024
GREETING = b"\x13/multistream/1.0.0\n"
NOISE = GREETING + b"\x07/noise\n"
DRIP_SECONDS = 0.5
FLOOD = bytes(64 * 1024)


@dataclass(frozen=True, slots=True)
class Manner:
    """How a socket keeps its handshake from ending."""

    begins: bytes
    goes_on: bytes = b""
    pause_s: float = DRIP_SECONDS


MANNERS = (
    Manner(b""),
    Manner(GREETING[:7]),
    Manner(GREETING),
    Manner(NOISE),
    Manner(b"GET / HTTP/1.0\r\n\r\n"),
    Manner(GREETING[:1], b"/"),
    Manner(NOISE + b"\xff\xff", b"\0"),
    Manner(b"\xff\xff\xff\x7f", FLOOD, 0),
)


FLOODS = SOCKETS // len(MANNERS)
"""How many push data: they may be cut off sooner."""


class Siege:
    """Sockets that hold a node's door, and what became of them."""

    def __init__(self, network: Network) -> None:
        self._port = int(network.addresses[0].split("/")[4])
        self.open = 0
        self.held_s: list[float] = []
        self.sent_bytes = 0

    async def hold(self, manner: Manner) -> None:
        """Holds one socket until the node closes it."""
        stream = await trio.open_tcp_stream("127.0.0.1", self._port)
        self.open += 1
        begun = trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._push, stream, manner)
            await self._until_closed(stream)
            self.held_s.append(trio.current_time() - begun)
            nursery.cancel_scope.cancel()
        self.open -= 1
        await trio.aclose_forcefully(stream)

    async def _push(self, stream: trio.SocketStream, manner: Manner) -> None:
        try:
            await stream.send_all(manner.begins)
            while manner.goes_on:
                await trio.sleep(manner.pause_s)
                await stream.send_all(manner.goes_on)
                self.sent_bytes += len(manner.goes_on)
        except trio.BrokenResourceError:
            return

    async def _until_closed(self, stream: trio.SocketStream) -> None:
        try:
            while await stream.receive_some(4096):
                pass
        except trio.BrokenResourceError:
            return


async def test_b13_half_open_sockets_are_closed_and_keep_no_honest_peer_out() -> None:
    assert 2 * DIAL_SECONDS <= CLOSED_SECONDS, "the limit of a handshake leaves room for load"
    async with open_networks(2) as (besieged, honest):
        siege = Siege(besieged)
        tracemalloc.start()
        before, _ = tracemalloc.get_traced_memory()
        async with trio.open_nursery() as nursery:
            for number in range(SOCKETS):
                nursery.start_soon(siege.hold, MANNERS[number % len(MANNERS)])
            await wait_until(lambda: siege.open >= SOCKETS - FLOODS)
            await connect(honest, besieged)
            assert is_joined(besieged, honest)
            assert siege.open >= SOCKETS - FLOODS, "the slow ones held the door meanwhile"
            held_bytes = tracemalloc.get_traced_memory()[0] - before
            tracemalloc.stop()
        assert len(siege.held_s) == SOCKETS
        assert max(siege.held_s) <= CLOSED_SECONDS
        assert sorted(siege.held_s)[FLOODS] >= DIAL_SECONDS / 2, "held, until time was up"
        assert siege.sent_bytes > FLOODS * len(FLOOD), "some pushed what they could"
        assert held_bytes / SOCKETS <= HELD_BYTES_MAX
        assert is_joined(besieged, honest), "and who was in is in"
