"""The node's wiring: restoring and greeting."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import pytest
import trio
import trio.testing

from p2pnode import node
from p2pnode.driver import INBOX_EVENTS
from p2pnode.greeting import GREETING_KIND, greeting_of
from p2pnode.interfaces import Gossiped, PeerJoined, PeerLeft, Received
from p2pnode.joining import Joined
from p2pnode.settings import Settings
from p2pnode.storage import (
    NodeSeeds,
    prepare_data_folder,
)
from p2pnode.world import topic_of
from protocol import effects as fx
from protocol import events as ev
from protocol.encoding import encode
from protocol.messages import Genesis, network_of
from protocol.units import Digest
from tests.p2pnode.fake_ports import (
    FakeNetwork,
    FakeWorld,
    ScriptedCore,
    lone_core,
    lone_genesis,
    scripted_driver,
)
from tests.support.builders import account_id, make_genesis

NETWORK = network_of(lone_genesis())
PEER = account_id(2)


def settings(folder: Path, **changes: object) -> Settings:
    return Settings(folder, **changes)  # type: ignore[arg-type]  # as the fields are


# Greeting


def greeted(core: ScriptedCore) -> list[ev.Event]:
    return [one for one in core.taken if not isinstance(one, ev.Tick)]


def peer_of(greeting: bytes, account: bytes = PEER) -> FakeNetwork:
    peer = FakeNetwork(account)

    async def answer(asker: bytes, payload: bytes) -> bytes:
        return greeting

    peer.serve(GREETING_KIND, answer)
    return peer


@asynccontextmanager
async def pumping(network: FakeNetwork) -> AsyncIterator[ScriptedCore]:
    core = ScriptedCore()
    driver = scripted_driver(core, FakeWorld())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(driver.run)
        nursery.start_soon(node._pump, network.port, driver, nursery, NETWORK)
        yield core
        nursery.cancel_scope.cancel()


async def test_a_peer_of_this_network_becomes_a_neighbour(
    autojump_clock: trio.testing.MockClock,
) -> None:
    network = FakeNetwork()
    network.knows(peer_of(greeting_of(NETWORK)))
    async with pumping(network) as core:
        await network.bring.send(PeerJoined(PEER))
        await network.bring.send(PeerLeft(PEER))
        await network.bring.send(PeerJoined(PEER))
        await trio.sleep(1)
        assert greeted(core)[-1] == ev.PeerJoined(PEER)


@pytest.mark.parametrize(
    "answer", [greeting_of(Digest(bytes(32))), b"", NETWORK, greeting_of(NETWORK) + b"\0"]
)
async def test_a_peer_of_another_network_is_never_a_neighbour(
    answer: bytes, autojump_clock: trio.testing.MockClock
) -> None:
    network = FakeNetwork()
    network.knows(peer_of(answer))
    async with pumping(network) as core:
        await network.bring.send(PeerJoined(PEER))
        await trio.sleep(1_000)
        assert (PEER, GREETING_KIND) in network.asked, "it was asked"
        assert greeted(core) == []


async def test_a_peer_that_is_still_starting_is_asked_again(
    autojump_clock: trio.testing.MockClock,
) -> None:
    network, peer = FakeNetwork(), FakeNetwork(PEER)
    network.knows(peer)
    async with pumping(network) as core:
        await network.bring.send(PeerJoined(PEER))
        await trio.sleep(100)
        assert greeted(core) == []
        peer.handlers = peer_of(greeting_of(NETWORK)).handlers
        await trio.sleep(10)
        assert greeted(core) == [ev.PeerJoined(PEER)]


async def test_a_peer_that_left_before_it_answered_is_no_neighbour(
    autojump_clock: trio.testing.MockClock,
) -> None:
    network, peer = FakeNetwork(), FakeNetwork(PEER)

    async def answer(asker: bytes, payload: bytes) -> bytes:
        await trio.sleep(1)
        return greeting_of(NETWORK)

    peer.serve(GREETING_KIND, answer)
    network.knows(peer)
    async with pumping(network) as core:
        await network.bring.send(PeerJoined(PEER))
        await trio.sleep(0.5)
        await network.bring.send(PeerLeft(PEER))
        await trio.sleep(100)
        assert greeted(core) == [ev.PeerLeft(PEER)]


async def test_gossip_and_messages_reach_the_core_as_what_they_are(
    autojump_clock: trio.testing.MockClock,
) -> None:
    network = FakeNetwork()
    async with pumping(network) as core:
        await network.bring.send(Gossiped(topic_of("blocks", NETWORK), PEER, b"block"))
        await network.bring.send(Gossiped(topic_of("operations", NETWORK), PEER, b"batch"))
        await network.bring.send(Received(PEER, b"message"))
        await trio.sleep(1)
        assert greeted(core) == [
            ev.BlockReceived(PEER, b"block"),
            ev.MessageReceived(PEER, b"batch"),
            ev.MessageReceived(PEER, b"message"),
        ]


async def test_a_flood_of_gossip_is_dropped_and_a_leave_is_not(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    network, core = FakeNetwork(), ScriptedCore()
    network.knows(peer_of(greeting_of(NETWORK)))
    driver = scripted_driver(core, FakeWorld())
    nursery.start_soon(node._pump, network.port, driver, nursery, NETWORK)
    await network.bring.send(PeerJoined(PEER))
    await trio.testing.wait_all_tasks_blocked()
    for _ in range(2 * INBOX_EVENTS):
        await network.bring.send(Received(PEER, b"message"))
    await network.bring.send(PeerLeft(PEER))
    await trio.testing.wait_all_tasks_blocked()
    assert driver.dropped == INBOX_EVENTS + 1
    nursery.start_soon(driver.run)
    await trio.sleep(1)
    assert core.taken[0] == ev.PeerJoined(PEER)
    assert ev.PeerLeft(PEER) in core.taken


async def test_gossip_of_another_network_does_not_pass_the_gate(tmp_path: Path) -> None:
    folder = prepare_data_folder(tmp_path)
    genesis = lone_genesis()
    seeds = NodeSeeds(b"s" * 32, b"r" * 32)
    own, foreign = await first_block(genesis), await first_block(make_genesis(1))
    gates: list[Callable[[str, bytes, bytes], bool]] = []

    @asynccontextmanager
    async def open_fake(*parts: object) -> AsyncIterator[object]:
        gates.append(cast(Callable[[str, bytes, bytes], bool], parts[-1]))
        yield FakeNetwork().port

    joined = Joined(genesis, NETWORK, False, True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(node, "open_network", open_fake)
        async with node._open(settings(tmp_path), folder, seeds, joined):
            (gate,) = gates
    topic = topic_of("blocks", NETWORK)
    assert gate(topic, PEER, own)
    assert not gate(topic, PEER, foreign)
    assert not gate(topic_of("blocks", bytes(32)), PEER, own)
    assert not gate("anything", PEER, own)
    assert not gate(topic_of("operations", NETWORK), PEER, own)


async def first_block(genesis: Genesis) -> bytes:
    """The first block of a network's only validator."""
    core = lone_core(genesis)
    core.step(ev.Restored(0, (), ()), 0)
    for now in range(10**9, 10**11, 10**9):
        for effect in core.step(ev.Tick(), now):
            if isinstance(effect, fx.GossipBlock):
                return effect.raw
    raise AssertionError(encode(genesis))


async def test_artefacts_take_what_the_operator_allows(tmp_path: Path) -> None:
    folder = prepare_data_folder(tmp_path)
    for allowed in (20, 3):
        store = await node._open_store(settings(tmp_path, artefact_store_gib=allowed), folder)
        assert store.total_limit_bytes == allowed * 2**30
