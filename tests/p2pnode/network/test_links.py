import pytest
import trio
from multiaddr import Multiaddr

from p2pnode.interfaces import Gossiped, PeerJoined, PeerLeft, Received
from p2pnode.network import LinkRule, PeerUnreachable, RequestTimedOut, limits, open_network
from p2pnode.network.limits import SILENCE_SECONDS
from tests.support.networks import (
    TOPIC,
    accept_all,
    collect,
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

pytestmark = pytest.mark.slow

OUT_OF_REACH_SECONDS = 120.0
"""Longer than any machine needs: what waits this long waits for nothing but the time."""


def connections_of(network):
    return network._parts.links._parts.swarm.get_connections()


async def test_simultaneous_dials_leave_one_connection_and_gossip_both_ways():
    duplicates = 0
    for _ in range(4):
        async with open_networks(2) as (one, other):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(one.connect, other.addresses[0])
                nursery.start_soon(other.connect, one.addresses[0])
            await wait_joined(one, other)
            await wait_until(lambda: len(connections_of(one)) == len(connections_of(other)) == 1)
            met = one.counters().get("duplicate_connections", 0)
            duplicates += met
            expected = "outbound" if one.account < other.account else "inbound"
            assert not met or one.peers()[0].direction == expected
            for sender, receiver in ((one, other), (other, one)):
                await sender.publish(TOPIC, b"both ways")
                assert await collect(receiver, Gossiped, 1) == [b"both ways"]
                assert sender.send(receiver.account, b"direct")
                assert await collect(receiver, Received, 1) == [b"direct"]
    assert duplicates, "the dials never met, so nothing was tested"


async def test_a_late_duplicate_does_not_deafen_either_direction():
    async with open_networks(2) as networks:
        low, high = sorted(networks, key=lambda network: network.account)
        # The connection that will lose is fully in use before the winner appears.
        await high.connect(low.addresses[0])
        await wait_joined(low, high)
        swarm = low._parts.links._parts.swarm
        peer_id = low._parts.links.get(high.account).peer_id
        await swarm.dial_addr(Multiaddr(high.addresses[0].partition("/p2p")[0]), peer_id)
        assert low.counters()["duplicate_connections"] == 1
        await wait_until(lambda: len(connections_of(low)) == len(connections_of(high)) == 1)
        await wait_until(lambda: all(gossip_alive(a, b) for a, b in ((low, high), (high, low))))
        for sender, receiver in ((low, high), (high, low)):
            await sender.publish(TOPIC, b"still heard")
            assert await collect(receiver, Gossiped, 1) == [b"still heard"]
        assert not [e for e in pending(low) if isinstance(e, PeerLeft)]


def gossip_alive(one, other):
    link = one._parts.links.get(other.account)
    return link is not None and one._parts.gossip.is_alive(link.peer_id)


async def test_joins_and_leaves_are_told_in_order():
    async with open_networks(1) as (one,):
        async with open_network(local_settings(), seed_of(9), accept_all) as other:
            await connect(one, other)
            account = other.account
        await wait_until(lambda: not one.peers())
        assert pending(one) == [PeerJoined(account), PeerLeft(account)]


async def test_a_peer_beyond_the_limit_learns_addresses_and_is_let_go():
    async with trio.open_nursery() as nursery, open_apart(nursery) as start:
        full = (await start(1, local_settings(target_links=0, most_links=1))).network
        friend = (await start(2, local_settings(target_links=0))).network
        newcomer = (await start(3, local_settings(target_links=0))).network
        await connect(friend, full)
        await newcomer.connect(full.addresses[0])
        await wait_until(lambda: newcomer._parts.discovery.book.get(friend.account) is not None)
        await wait_until(lambda: not newcomer.peers())
        assert not [event for event in pending(newcomer) if isinstance(event, PeerJoined)]
        assert is_joined(full, friend)


async def test_a_cut_stops_all_traffic_over_an_open_connection_and_heals():
    async with open_networks(2) as (one, other):
        await connect(one, other)
        one.link_filter = lambda account: LinkRule(cut=account == other.account)
        for sender, receiver in ((one, other), (other, one)):
            await sender.publish(TOPIC, b"lost?")
            sender.send(receiver.account, b"lost?")
            assert await collect(receiver, Gossiped, 1, seconds=0.4) == []
        with pytest.raises(RequestTimedOut):
            await one.request(other.account, "any", b"", 0.5)
        one.link_filter = None
        await one.publish(TOPIC, b"healed")
        # What was held back comes too, as it does under TCP.
        assert await collect(other, Gossiped, 2) == [b"lost?", b"healed"]


async def test_a_long_cut_ends_the_link_refuses_dials_and_is_healed_by_redialling():
    async with open_networks(2) as (one, other):
        await connect(one, other)
        for network, far in ((one, other), (other, one)):
            network.link_filter = lambda account, far=far: LinkRule(cut=account == far.account)
        await wait_until(lambda: not one.peers() and not other.peers(), SILENCE_SECONDS + 6)
        assert one.counters().get("links_dropped_silent", 0) + other.counters().get(
            "links_dropped_silent", 0
        )
        with pytest.raises(PeerUnreachable, match="cut"):
            await one.connect(other.addresses[0])
        one.link_filter = other.link_filter = None
        await wait_joined(one, other, 12)


async def test_delay_and_loss_slow_the_link_and_keep_the_order():
    async with open_networks(2) as (one, other):
        await connect(one, other)
        for network in (one, other):
            network.link_filter = lambda account: LinkRule(delay_ms=100, loss=0.05)
        began = trio.current_time()
        sent = [bytes([number]) for number in range(200)]
        for payload in sent:
            one.send(other.account, payload)
        # Longer than six retransmissions in a row; delays that added up would take twenty seconds.
        assert await collect(other, Received, 200, seconds=15) == sent
        assert trio.current_time() - began >= 0.1
        assert one.counters()["faults_lost"] > 0


async def test_closing_under_traffic_waits_for_no_limit_and_is_clean(monkeypatch):
    for name in ("CLOSE_SECONDS", "FRAME_SECONDS", "SILENCE_SECONDS", "DEAF_SECONDS"):
        monkeypatch.setattr(limits, name, OUT_OF_REACH_SECONDS)
    async with open_networks(3) as (one, other, third):
        await connect(one, other, third)

        async def chatter(network):
            while True:
                await network.publish(TOPIC, b"x" * 500)
                for peer in network.peers():
                    network.send(peer.account, b"y" * 500)
                await trio.sleep(0.02)

        async with trio.open_nursery() as nursery:
            for network in (one, third, other):
                nursery.start_soon(chatter, network)
            for number in (7, 8):
                await join_and_leave(number, other)
            nursery.cancel_scope.cancel()
        counted = [network.counters() for network in (one, other, third)]
        assert [name for each in counted for name in each if name.startswith("contained_")] == []


async def join_and_leave(number, other):
    """Joins, waits until traffic flows, and leaves, for which it must not need a limit."""
    with trio.fail_after(OUT_OF_REACH_SECONDS / 2):
        settings = local_settings(bootstrap=other.addresses)
        async with open_network(settings, seed_of(number), accept_all) as passing:
            await wait_joined(passing, other)
            assert len(await collect(passing, Gossiped, 20)) == 20
