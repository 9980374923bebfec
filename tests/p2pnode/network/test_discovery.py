import pytest
import trio

from p2pnode.interfaces import Gossiped
from p2pnode.network import BadAddress, PeerUnreachable, open_network
from p2pnode.network.limits import EXCHANGE_SECONDS, EXPLORE_SECONDS, SHUNNED_FIRST_SECONDS
from tests.support.networks import (
    TOPIC,
    accept_all,
    collect,
    is_joined,
    local_settings,
    open_apart,
    open_networks,
    seed_of,
    wait_joined,
    wait_until,
)


@pytest.mark.slow
async def test_a_bad_or_dead_address_is_told_apart():
    async with open_networks(1) as (one,):
        own = one.addresses[0]
        for text in ("nonsense", "/ip4/127.0.0.1/tcp/1", own, own.replace("tcp", "udp")):
            with pytest.raises(BadAddress):
                await one.connect(text)
        stranger = "/ip4/127.0.0.1/tcp/1/p2p/" + own.rpartition("/")[2][:-3]
        with pytest.raises(BadAddress):
            await one.connect(stranger)


@pytest.mark.slow
async def test_nobody_at_an_address_or_another_key_is_unreachable():
    async with open_networks(3) as (one, other, third):
        transport = other.addresses[0].partition("/p2p/")[0]
        wrong_key = third.addresses[0].rpartition("/p2p/")[2]
        with pytest.raises(PeerUnreachable):
            await one.connect(f"{transport}/p2p/{wrong_key}")
        with pytest.raises(PeerUnreachable):
            await one.connect(f"/ip4/127.0.0.1/tcp/1/p2p/{wrong_key}")
        assert await one.connect(other.addresses[0]) == other.account


@pytest.mark.slow
async def test_a_bad_bootstrap_address_is_an_error_at_once():
    with pytest.raises(BadAddress):
        async with open_network(local_settings(bootstrap=["x"]), seed_of(1), accept_all):
            raise AssertionError


def knows(one, other):
    """Whether a node has the other's own words on where to dial it."""
    entry = one._parts.discovery.book.get(other.account)
    return one is other or (entry is not None and entry.record is not None)


@pytest.mark.slow
async def test_the_network_stays_whole_without_its_bootstrap_node():
    async with trio.open_nursery() as nursery, open_apart(nursery) as start:
        first = await start(1, local_settings())
        root = first.network
        nodes = []
        for number in (2, 3, 4):
            settings = local_settings(bootstrap=root.addresses)
            nodes.append((await start(number, settings)).network)
        await wait_until(lambda: all(is_joined(node, root) for node in nodes))
        await wait_until(lambda: all(knows(node, far) for node in nodes for far in nodes))
        await first.close()
        one, other, third = nodes
        await wait_joined(one, other)
        await wait_joined(other, third)
        await wait_joined(one, third)
        await one.publish(TOPIC, b"without the first")
        assert await collect(third, Gossiped, 1) == [b"without the first"]


@pytest.mark.slow
@pytest.mark.parametrize("ends_first", ["one", "other"])
async def test_a_shunned_peer_is_not_dialled_soon_and_may_dial_itself(ends_first: str):
    async with open_networks(2) as (one, other):
        await one.connect(other.addresses[0])
        await wait_joined(one, other)
        for node, far in ((one, other), (other, one)):
            node.shun(far.account)
        first, last = (one, other) if ends_first == "one" else (other, one)
        await first.part(last.account, "another_version")
        await wait_until(lambda: not one.peers() and not other.peers())
        assert first.counters()["links_dropped_another_version"] == 1
        await first.part(last.account, "another_version")
        assert first.counters()["links_dropped_another_version"] == 1, "there is no link any more"
        entry = one._parts.discovery.book.get(other.account)
        assert entry.not_before - trio.current_time() > SHUNNED_FIRST_SECONDS / 3
        assert not entry.wanted
        await other.connect(one.addresses[0])
        await wait_joined(one, other)


@pytest.mark.slow
async def test_a_restarted_node_is_back_within_seconds_and_is_heard():
    async with open_networks(1) as (one,):
        async with open_network(local_settings(), seed_of(5), accept_all) as other:
            await one.connect(other.addresses[0])
            await wait_joined(one, other)
            port = int(other.addresses[0].split("/")[4])
        await wait_until(lambda: not one.peers())
        began = trio.current_time()
        # Nobody tells the restarted node anything: the one that lost it has to dial.
        async with open_network(local_settings(port=port), seed_of(5), accept_all) as again:
            await wait_joined(one, again, EXPLORE_SECONDS)
            # By its pauses, which begin short, and not because it looked around by chance.
            assert trio.current_time() - began < EXCHANGE_SECONDS / 2
            await again.publish(TOPIC, b"back")
            assert await collect(one, Gossiped, 1) == [b"back"]
            await one.publish(TOPIC, b"welcome")
            assert await collect(again, Gossiped, 1) == [b"welcome"]


@pytest.mark.slow
async def test_the_address_book_survives_a_restart(tmp_path):
    book = tmp_path / "book.json"
    async with open_networks(1) as (one,):
        settings = local_settings(bootstrap=one.addresses, book=book)
        async with open_network(settings, seed_of(5), accept_all) as other:
            await wait_joined(one, other)
            await wait_until(lambda: other._parts.discovery.book.get(one.account).record)
        assert book.exists()
        await trio.sleep(0.2)
        async with open_network(local_settings(book=book), seed_of(5), accept_all) as again:
            await wait_joined(one, again)
            assert again.account == other.account
