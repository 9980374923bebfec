"""RELIABILITY B13: sockets that never finish their handshake, and who still gets in meanwhile."""

import tracemalloc
from dataclasses import dataclass

import pytest
import trio

from p2pnode.network import Network, PeerUnreachable
from p2pnode.network.limits import DIAL_SECONDS, ESTABLISH_SECONDS
from tests.support.networks import (
    PATIENCE_SECONDS,
    is_joined,
    open_networks,
    wait_joined,
    wait_until,
)

pytestmark = pytest.mark.slow

SOCKETS = 200
CLOSED_SECONDS = 10.0
HELD_BYTES_MAX = 64 * 1024
GREETING = b"\x13/multistream/1.0.0\n"
NOISE = GREETING + b"\x07/noise\n"
AGAIN_SECONDS = 0.5
FLOOD = bytes(64 * 1024)


@dataclass(frozen=True, slots=True)
class Manner:
    """How a socket keeps its handshake from ending."""

    begins: bytes
    drips: bytes = b""


MANNERS = (
    Manner(b""),
    Manner(GREETING[:7]),
    Manner(GREETING),
    Manner(NOISE),
    Manner(b"GET / HTTP/1.0\r\n\r\n"),
    Manner(GREETING[:1], b"/"),
    Manner(NOISE + b"\xff\xff", b"\0"),
    Manner(b"\xff\xff\xff\x7f", FLOOD),
)
FLOODS = SOCKETS // len(MANNERS)
"""How many push data: they may be cut off sooner."""


class Siege:
    """Sockets that hold a node's door, each opened again as soon as the node has closed it."""

    def __init__(self, network: Network) -> None:
        self._port = int(network.addresses[0].split("/")[4])
        self.is_lifted = False
        self.open = 0
        self.closed = 0
        self.sent_bytes = 0

    async def hold(self, manner: Manner) -> None:
        """Holds a socket again and again, until the siege is lifted and the node has closed it."""
        while not self.is_lifted:
            stream = await trio.open_tcp_stream("127.0.0.1", self._port)
            self.open += 1
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._push, stream, manner)
                await _until_closed(stream)
                nursery.cancel_scope.cancel()
            self.open -= 1
            self.closed += 1
            await trio.aclose_forcefully(stream)
            await trio.sleep(AGAIN_SECONDS)

    async def _push(self, stream: trio.SocketStream, manner: Manner) -> None:
        try:
            await stream.send_all(manner.begins)
            while manner.drips:
                await stream.send_all(manner.drips)
                self.sent_bytes += len(manner.drips)
                await trio.sleep(AGAIN_SECONDS)
        except trio.BrokenResourceError:
            return


async def _until_closed(stream: trio.SocketStream) -> None:
    try:
        while await stream.receive_some(4096):
            pass
    except trio.BrokenResourceError:
        return


async def join(one: Network, other: Network) -> None:
    """Dials until both have joined: on a busy machine one attempt may take too long."""
    with trio.fail_after(4 * PATIENCE_SECONDS):
        while True:
            try:
                await one.connect(other.addresses[0])
                await wait_joined(one, other, ESTABLISH_SECONDS)
                return
            except (PeerUnreachable, trio.TooSlowError):
                await trio.sleep(AGAIN_SECONDS)


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
            held_bytes = tracemalloc.get_traced_memory()[0] - before
            tracemalloc.stop()
            await join(honest, besieged)
            assert siege.open > SOCKETS // 2, "the door was held all the while"
            siege.is_lifted = True
        assert siege.closed >= SOCKETS, "every one of them was closed by the node"
        assert siege.sent_bytes > FLOODS * len(FLOOD), "some pushed what they could"
        assert held_bytes / SOCKETS <= HELD_BYTES_MAX
        assert is_joined(besieged, honest), "and who was in is in"
