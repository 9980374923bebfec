"""How connections come in: for as long as they live, and never as many as there ever were."""

import pytest
import trio

from p2pnode.network import doorway as module
from p2pnode.network import open_network
from p2pnode.network.doorway import Doorway
from tests.support.networks import accept_all, local_settings, open_networks, seed_of, wait_until

pytestmark = pytest.mark.slow


def door_of(network: object) -> Doorway:
    swarm = network._parts.links._parts.swarm  # type: ignore[attr-defined]  # inside of it
    door = swarm._handle_inbound_connection.__self__
    assert isinstance(door, Doorway)
    return door


async def test_a_connection_that_ended_takes_no_place() -> None:
    async with open_networks(1) as (network,):
        door = door_of(network)
        for number in range(3):
            settings = local_settings(target_links=0)
            async with open_network(settings, seed_of(9 + number), accept_all) as guest:
                await guest.connect(network.addresses[0])
                await wait_until(lambda: door.inside == 1)
            await wait_until(lambda: door.inside == 0)
        limiter = network._parts.links._parts.swarm._inbound_limiter
        assert limiter.statistics().borrowed_tokens == 0, "the library's own never come back"


async def test_the_oldest_handshake_gives_way_where_all_places_are_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "HANDSHAKES", 2)
    async with open_networks(2) as (network, honest):
        port = int(network.addresses[0].split("/")[4])
        sockets = []
        for _ in range(2):
            sockets.append(await trio.open_tcp_stream("127.0.0.1", port))
            count = len(sockets)
            await wait_until(lambda wanted=count: len(door_of(network)._shaking) == wanted)
        await honest.connect(network.addresses[0])
        await wait_until(lambda: network.counters().get("handshakes_failed", 0) >= 1)
        assert door_of(network).inside == 1
        for one in sockets:
            await one.aclose()
