"""Two nodes with one key, introduced to each other by a peer of both."""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import cast

import pytest
import trio
import trio.testing
from libp2p.abc import INetStream
from libp2p.peer.id import ID
from multiaddr import Multiaddr

from p2pnode.interfaces import KeyInUse
from p2pnode.network import Network, limits
from p2pnode.network.addresses import peer_id_of
from p2pnode.network.counters import Counters
from p2pnode.network.events import Events
from p2pnode.network.framing import FrameReader, framed
from p2pnode.network.guard import Guard
from p2pnode.network.introductions import IntroductionParts, Introductions
from protocol.signing import account_of
from tests.support.networks import (
    PATIENCE_SECONDS,
    connect,
    is_joined,
    local_settings,
    open_apart,
    open_networks,
    pending,
    seed_of,
    wait_joined,
    wait_until,
)


def told(network: Network) -> list[KeyInUse]:
    return [event for event in pending(network) if isinstance(event, KeyInUse)]


async def wait_told(network: Network) -> KeyInUse:
    with trio.fail_after(PATIENCE_SECONDS):
        async for event in network.events:
            if isinstance(event, KeyInUse):
                return event
    raise AssertionError("the network was closed")


@pytest.mark.slow
@pytest.mark.parametrize("dials_first", ["peer", "elder"])
async def test_the_younger_of_two_nodes_with_one_key_is_told_whoever_dialled_first(
    dials_first: str,
) -> None:
    quiet = local_settings(target_links=0)
    async with trio.open_nursery() as nursery, open_apart(nursery) as start:
        peer = (await start(1, quiet)).network
        elder = (await start(2, quiet)).network
        if dials_first == "peer":
            await connect(peer, elder)
        else:
            await connect(elder, peer)
        await trio.sleep(limits.MEETING_SECONDS)
        younger = (await start(2, local_settings(peer.addresses, target_links=0))).network
        nursery.start_soon(younger.connect, peer.addresses[0])
        event = await wait_told(younger)
        assert event.running_ms >= limits.MEETING_SECONDS * 1000
        assert younger.account == elder.account
        assert peer.counters()["introductions_made"] >= 1
        assert told(elder) == []


@pytest.mark.slow
async def test_two_connections_of_one_process_are_nobody_elses() -> None:
    async with open_networks(2) as networks:
        low, high = sorted(networks, key=lambda network: network.account)
        await high.connect(low.addresses[0])
        await wait_joined(low, high)
        await trio.sleep(limits.MEETING_SECONDS)
        peer_id = low._parts.links.get(high.account).peer_id
        transport = Multiaddr(high.addresses[0].partition("/p2p")[0])
        await low._parts.links._parts.swarm.dial_addr(transport, peer_id)
        await wait_until(lambda: low.counters().get("introductions_made", 0) == 1)
        await trio.sleep(limits.INTRODUCTION_SECONDS)
        assert is_joined(low, high)
        assert is_joined(high, low)
        for network in networks:
            assert told(network) == []
            assert "twins_met" not in network.counters()


# What a go-between that lies can do, which is nothing


@dataclass
class Pipe:
    """One end of a stream in memory, as the library's streams look to an introduction."""

    raw: trio.StapledStream[trio.testing.MemorySendStream, trio.testing.MemoryReceiveStream]
    muxed_conn: SimpleNamespace

    async def read(self, n: int) -> bytes:
        return bytes(await self.raw.receive_some(n))

    async def write(self, data: bytes) -> None:
        await self.raw.send_all(data)

    async def reset(self) -> None:
        await self.raw.aclose()


@dataclass
class Introduced:
    """A node that is introduced, and what it said of it."""

    introductions: Introductions
    counters: Counters
    events: Events

    def told(self) -> list[KeyInUse]:
        found = []
        while self.events.receiver.statistics().current_buffer_used:
            found.append(cast(KeyInUse, self.events.receiver.receive_nowait()))
        return found


def introduced(topics: tuple[str, ...] = ("blocks",)) -> Introduced:
    counters = Counters()
    events = Events(counters)
    parts = IntroductionParts(seed_of(5), topics, counters, Guard(counters), events)
    return Introduced(Introductions(parts), counters, events)


class Meeting:
    """A peer's stream to a node that it introduces."""

    def __init__(self, nursery: trio.Nursery, node: Introduced, by: int = 1) -> None:
        near, far = trio.testing.memory_stream_pair()
        peer_id = ID.from_string(peer_id_of(account_of(seed_of(by))))
        self.near = near
        stream = Pipe(far, SimpleNamespace(peer_id=peer_id))
        self.reader = FrameReader(cast(INetStream, Pipe(near, stream.muxed_conn)))
        nursery.start_soon(node.introductions.handle_stream, cast(INetStream, stream))

    async def hears(self) -> bytes:
        return await self.reader.frame(64)

    async def says(self, frame: bytes) -> None:
        await self.near.send_all(framed(frame))

    async def is_over(self) -> bool:
        with trio.fail_after(2 * limits.INTRODUCTION_SECONDS):
            return await self.near.receive_some(1) == b""


async def swap(one: Meeting, other: Meeting) -> None:
    mine, theirs = await one.hears(), await other.hears()
    await one.says(theirs)
    await other.says(mine)


async def test_only_the_younger_of_two_processes_is_told(
    autojump_clock: trio.testing.MockClock,
) -> None:
    elder = introduced()
    await trio.sleep(3)
    younger = introduced()
    async with trio.open_nursery() as nursery:
        one, other = Meeting(nursery, elder), Meeting(nursery, younger)
        await swap(one, other)
        await swap(one, other)
        assert (await one.hears(), await other.hears()) == (b"", b"")
    assert elder.told() == []
    assert younger.told() == [KeyInUse(3000)]


async def test_a_process_signs_nothing_for_itself(autojump_clock: trio.testing.MockClock) -> None:
    node = introduced()
    async with trio.open_nursery() as nursery:
        one, other = Meeting(nursery, node, by=1), Meeting(nursery, node, by=2)
        await swap(one, other)
        assert await one.is_over()
        assert await other.is_over()
    assert node.told() == []


async def test_what_was_signed_in_one_introduction_proves_nothing_in_another(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """A node that was started anew is shown all that it signed before."""
    before = introduced()
    await trio.sleep(3)
    after = introduced()
    async with trio.open_nursery() as nursery:
        one = Meeting(nursery, before)
        hello = await one.hears()
        await one.says(bytes(24))
        proof = await one.hears()
        other = Meeting(nursery, after)
        await other.hears()
        await other.says(hello)
        assert len(await other.hears()) == 64
        await other.says(proof)
        assert await other.is_over()
        nursery.cancel_scope.cancel()
    assert after.told() == []
    assert after.counters.values()["rejected_introduction"] == 1


async def test_a_node_of_another_network_with_the_key_does_no_harm(
    autojump_clock: trio.testing.MockClock,
) -> None:
    elder = introduced(("another",))
    await trio.sleep(3)
    younger = introduced()
    async with trio.open_nursery() as nursery:
        one, other = Meeting(nursery, elder), Meeting(nursery, younger)
        await swap(one, other)
        await swap(one, other)
        assert await other.is_over()
    assert younger.told() == []
    assert younger.counters.values()["rejected_introduction"] == 1


async def test_a_peer_introduces_a_node_to_one_other_at_a_time(
    autojump_clock: trio.testing.MockClock,
) -> None:
    node = introduced()
    async with trio.open_nursery() as nursery:
        first = Meeting(nursery, node)
        assert len(await first.hears()) == 24
        assert await Meeting(nursery, node).is_over()
        assert await first.is_over(), "and for so long only"
