import resource

import pytest
import trio
from libp2p.pubsub.gossipsub import PROTOCOL_ID_V11
from libp2p.pubsub.pb import rpc_pb2
from libp2p.pubsub.pubsub import Pubsub

from p2pnode.interfaces import Gossiped
from p2pnode.network import PayloadTooLarge
from p2pnode.network.counters import Counters
from p2pnode.network.framing import varint_framed
from p2pnode.network.gossip import WaitingFrames
from p2pnode.network.limits import EVENT_LIMIT, GOSSIP_QUEUE_LIMIT, GOSSIP_QUEUE_LIMIT_BYTES
from tests.support.networks import (
    TOPIC,
    accept_all,
    collect,
    connect,
    open_networks,
    pending,
    wait_until,
)


def test_the_private_names_that_gossip_replaces_still_exist():
    for name in (
        "_handle_new_peer",
        "_handle_dead_peer",
        "_forget_all_subscriptions",
        "_peer_is_connected",
        "handle_sending_messages",
        "continuously_read_stream",
    ):
        assert callable(getattr(Pubsub, name)), name


@pytest.mark.slow
async def test_gossip_reaches_everyone_once_and_not_its_author():
    async with open_networks(5) as networks:
        await connect(*networks)
        await networks[4].connect(networks[0].addresses[0])
        await networks[0].publish(TOPIC, b"hello")
        for network in networks[1:]:
            assert await collect(network, Gossiped, 1) == [b"hello"]
        await trio.sleep(0.3)
        for network in networks:
            assert [e for e in pending(network) if isinstance(e, Gossiped)] == []


@pytest.mark.slow
async def test_what_a_gate_refuses_is_neither_delivered_nor_forwarded():
    asked = []

    def picky(topic, account, payload):
        asked.append((topic, account, payload))
        return payload != b"bad"

    async with open_networks(3, gates=[accept_all, picky, accept_all]) as networks:
        await connect(*networks)
        await networks[0].publish(TOPIC, b"bad")
        await networks[0].publish(TOPIC, b"good")
        assert await collect(networks[2], Gossiped, 1) == [b"good"]
        assert await collect(networks[1], Gossiped, 1) == [b"good"]
        assert (TOPIC, networks[0].account, b"bad") in asked
        assert networks[1].counters()["rejected_gate"] == 1
        (neighbour,) = [p for p in networks[1].peers() if p.account == networks[0].account]
        assert neighbour.rejected == 1


@pytest.mark.slow
async def test_a_raising_gate_drops_the_message_and_kills_nobody():
    def raising(topic, account, payload):
        if payload == b"bomb":
            raise ZeroDivisionError
        return True

    async with open_networks(2, gate=raising) as (one, other):
        await connect(one, other)
        await one.publish(TOPIC, b"bomb")
        await one.publish(TOPIC, b"after")
        assert await collect(other, Gossiped, 1) == [b"after"]
        assert other.counters()["contained_gate"] == 1


@pytest.mark.slow
async def test_a_burst_of_500_publishes_arrives_in_order():
    async with open_networks(2) as (one, other):
        await connect(one, other)
        sent = [number.to_bytes(2, "big") * 50 for number in range(500)]
        for payload in sent:
            await one.publish(TOPIC, payload)
        assert await collect(other, Gossiped, 500) == sent


@pytest.mark.slow
async def test_a_large_payload_travels_and_a_larger_one_is_refused_here():
    async with open_networks(2) as (one, other):
        await connect(one, other)
        await one.publish(TOPIC, b"x" * 1_000_000)
        assert await collect(other, Gossiped, 1) == [b"x" * 1_000_000]
        with pytest.raises(PayloadTooLarge):
            await one.publish(TOPIC, b"x" * 1_000_001)


@pytest.mark.slow
async def test_gossip_beyond_the_event_limit_is_dropped_and_counted_but_leaves_are_not():
    async with open_networks(2) as (one, other):
        await connect(one, other)
        waiting = other._parts.links._parts.events
        for _ in range(EVENT_LIMIT):
            waiting.gossiped(TOPIC, one.account, b"filler")
        await one.publish(TOPIC, b"too much")
        await wait_until(lambda: other.counters().get("dropped_gossip_events", 0) >= 1)
        waiting.left(b"\x09" * 32)
        assert pending(other)[-1].account == b"\x09" * 32


def forged_messages() -> dict[str, bytes]:
    """Frames that an honest gossip implementation never writes."""
    bad_key = rpc_pb2.Message(
        from_id=b"\x12\x20" + b"\1" * 32,
        seqno=b"\0" * 8,
        data=b"x",
        topicIDs=[TOPIC],
        key=b"\xff\xff\xff",
        signature=b"s",
    )
    unsigned = rpc_pb2.Message(from_id=b"", seqno=b"", data=b"x", topicIDs=[TOPIC])
    odd_control = rpc_pb2.RPC()
    odd_control.control.iwant.add().messageIDs.append(b"\xff\xfe")
    odd_control.control.ihave.add(topicID=TOPIC).messageIDs.append(b"zz")
    odd_control.control.graft.add(topicID="never heard of")
    odd_control.control.prune.add(topicID="never heard of")
    many = rpc_pb2.RPC()
    for number in range(3000):
        many.subscriptions.add(subscribe=True, topicid=f"topic {number}")
    return {
        "a bad key": varint_framed(rpc_pb2.RPC(publish=[bad_key]).SerializeToString()),
        "no signature": varint_framed(rpc_pb2.RPC(publish=[unsigned]).SerializeToString()),
        "odd control": varint_framed(odd_control.SerializeToString()),
        "many topics": varint_framed(many.SerializeToString()),
        "no protobuf": varint_framed(b"\xff" * 40),
        "a giant": b"\xff\xff\xff\x7f",
        "an endless length": b"\xff" * 12,
        "an empty frame": b"\0",
    }


@pytest.mark.slow
async def test_garbage_on_a_gossip_stream_kills_nobody():
    async with open_networks(3) as (attacker, victim, witness):
        await connect(attacker, victim, witness)
        host = attacker._parts.links._parts.host
        victim_id = attacker._parts.links.get(victim.account).peer_id
        for name, garbage in forged_messages().items():
            stream = await host.new_stream(victim_id, [PROTOCOL_ID_V11])
            await stream.write(garbage)
            await trio.sleep(0.1)
            assert victim.peers(), name
        await wait_until(lambda: met(victim, "contained_gossip_signature", 1))
        await wait_until(lambda: met(victim, "contained_gossip_parse", 1))
        await wait_until(lambda: met(victim, "rejected_gossip_signature", 2))
        await victim.publish(TOPIC, b"alive")
        assert await collect(witness, Gossiped, 1) == [b"alive"]


def met(network, counter, times):
    return network.counters().get(counter, 0) >= times


def frame_of(size_bytes: int) -> rpc_pb2.RPC:
    return rpc_pb2.RPC(publish=[rpc_pb2.Message(data=bytes(size_bytes))])


def test_what_waits_for_a_peer_is_bounded_in_bytes_and_in_frames():
    counters = Counters()
    waiting = WaitingFrames(counters)
    large = frame_of(1_000_000)
    accepted = [waiting.push(large, priority=bool(n % 2)) for n in range(20)]
    assert accepted == [True] * 8 + [False] * 12
    assert waiting.waiting_bytes == 8 * large.ByteSize() <= GOSSIP_QUEUE_LIMIT_BYTES
    assert counters.values()["dropped_gossip_out"] == 12
    while waiting.pop() is not None:
        pass
    assert waiting.waiting_bytes == 0
    small = [waiting.push(frame_of(1)) for _ in range(GOSSIP_QUEUE_LIMIT + 1)]
    assert small == [True] * GOSSIP_QUEUE_LIMIT + [False]


@pytest.mark.slow
async def test_a_frame_that_asks_for_one_message_many_times_draws_nothing():
    async with open_networks(2) as (attacker, victim):
        await connect(attacker, victim)
        await attacker.publish(TOPIC, b"x" * 1_000_000)
        assert len(await collect(victim, Gossiped, 1)) == 1
        router = victim._parts.gossip.router
        (identifier,) = router.mcache.msgs
        rpc = rpc_pb2.RPC()
        rpc.control.iwant.add().messageIDs.extend([identifier.hex().encode()] * 500)
        rpc.control.ihave.add(topicID=TOPIC).messageIDs.extend([b"00" * 40] * 500)
        theirs = attacker._parts.gossip
        peak_before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        (queue,) = theirs.peer_queues.values()
        queue.push(rpc)
        await wait_until(lambda: victim.counters().get("ignored_gossip_control", 0) >= 1)
        (answers,) = victim._parts.gossip.peer_queues.values()
        assert isinstance(answers._queue, WaitingFrames)
        for _ in range(20):
            assert answers._queue.waiting_bytes < 64 * 1024
            await trio.sleep(0.02)
        grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak_before
        assert grown_kib < 64 * 1024, "500 copies would be 500 MB"
        await attacker.publish(TOPIC, b"alive")
        assert await collect(victim, Gossiped, 1) == [b"alive"]
