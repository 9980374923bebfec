"""Gossip on the library's gossipsub, with its doors guarded and its costs cut.

The library's classes are subclassed here and nowhere else. What differs from them, and why:

* no exception of a parse, a validator, a signature or a router leaves its task;
* a stream is read in large pieces, a known message is dropped before its signature is checked, and
  messages keep the order of their link instead of each becoming a task;
* a message goes to every neighbour that subscribed, since the number of links is what bounds the
  mesh; frames that wait for the same peer travel together;
* control messages of peers are ignored: flooding needs none, and each of their handlers answers a
  few bytes with many; what a link loses, the summaries of the protocol repair;
* what waits for a peer is bounded in frames and in bytes;
* subscriptions belong to the stream they came by, so a broken outward stream forgets none of them.
"""

import time
from collections.abc import Awaitable, Callable, Sequence

import trio
from libp2p.abc import IHost, INetConn, INetStream
from libp2p.custom_types import TProtocol
from libp2p.network.exceptions import SwarmException
from libp2p.peer.id import ID
from libp2p.pubsub.gossipsub import PROTOCOL_ID_V11, GossipSub
from libp2p.pubsub.pb import rpc_pb2
from libp2p.pubsub.pubsub import Pubsub
from libp2p.pubsub.rpc_queue import PriorityQueue, RpcQueue
from libp2p.pubsub.validators import signature_validator

from p2pnode.network.counters import Counters
from p2pnode.network.events import Events
from p2pnode.network.framing import STREAM_FAILURES, FrameReader, abandon, varint_framed
from p2pnode.network.guard import Guard
from p2pnode.network.limits import (
    GOSSIP_FRAME_LIMIT_BYTES,
    GOSSIP_QUEUE_LIMIT,
    GOSSIP_QUEUE_LIMIT_BYTES,
)
from p2pnode.network.seen import SeenMessages

Gate = Callable[[str, bytes, bytes], bool]
"""Asked with topic, neighbour and payload; False drops the message and forwards it to nobody."""

_BATCH_BYTES = 64 * 1024
_SEEN_SWEEP_SECONDS = 60.0
_KEY_OFFSET = 6


def account_of_id(peer_id: ID) -> bytes:
    """The account of a library peer id; peers without an Ed25519 key never get this far."""
    return peer_id.to_bytes()[_KEY_OFFSET:]


class Router(GossipSub):
    """Gossipsub 1.1 that never prunes, floods to its few neighbours and obeys no control."""

    guard: Guard
    counters: Counters

    async def publish(self, msg_forwarder: ID, pubsub_msg: rpc_pb2.Message) -> None:
        """Pass a message on to every neighbour that subscribed, but its sender and its author."""
        assert self.pubsub is not None
        self.mcache.put(pubsub_msg)
        receivers: set[ID] = set()
        for topic in pubsub_msg.topicIDs:
            receivers |= self.pubsub.peer_topics.get(topic, set())
        receivers -= {msg_forwarder, ID(pubsub_msg.from_id)}
        frame = rpc_pb2.RPC(publish=[pubsub_msg])
        for peer_id in receivers:
            self._enqueue(peer_id, frame)

    def send_rpc(self, peer_id: ID, rpc: rpc_pb2.RPC, priority: bool = False) -> None:
        """Queue a frame without the signed address record; the first frame of a stream has it."""
        if rpc.senderRecord:
            rpc.ClearField("senderRecord")
        super().send_rpc(peer_id, rpc, priority)

    async def handle_rpc(self, rpc: rpc_pb2.RPC, sender_peer_id: ID) -> None:
        """Ignore what a peer asks of the router: one frame could ask for one message many times."""
        self.counters.add("ignored_gossip_control")

    async def on_peer_subscribed(self, peer_id: ID, topic: str) -> None:
        """Take a new subscriber into the mesh."""
        await self.guard.contain("gossip_graft", super().on_peer_subscribed, peer_id, topic)

    async def heartbeat(self) -> None:
        """Maintain the mesh each second, whatever a single round met."""
        while not await self.guard.contain("gossip_heartbeat", super().heartbeat):  # noqa: ASYNC110
            await trio.sleep(self.heartbeat_interval)

    def _enqueue(self, peer_id: ID, frame: rpc_pb2.RPC) -> None:
        assert self.pubsub is not None
        queue = self.pubsub.peer_queues.get(peer_id)
        if queue is None:
            self.counters.add("dropped_gossip_out")
        elif queue.push(frame):
            self.counters.add("gossip_out")


class WaitingFrames(PriorityQueue):
    """What waits for one peer, first control and then the rest, bounded in frames and in bytes."""

    def __init__(self, counters: Counters) -> None:
        super().__init__(GOSSIP_QUEUE_LIMIT)
        self.waiting_bytes = 0
        self._counters = counters

    def push(self, rpc: rpc_pb2.RPC, priority: bool = False) -> bool:
        """Let a frame wait; False when it has no room and is dropped, which is counted."""
        size_bytes = rpc.ByteSize()
        has_room = self.waiting_bytes + size_bytes <= GOSSIP_QUEUE_LIMIT_BYTES
        if not has_room or not super().push(rpc, priority):
            self._counters.add("dropped_gossip_out")
            return False
        self.waiting_bytes += size_bytes
        return True

    def pop(self) -> rpc_pb2.RPC | None:
        """Take the next frame, or None when none waits."""
        rpc = super().pop()
        if rpc is not None:
            self.waiting_bytes -= rpc.ByteSize()
        return rpc


class Gossip(Pubsub):
    """Publish and subscribe with a gate, an order per link and no way to be killed from outside."""

    guard: Guard
    counters: Counters
    events: Events
    gate: Gate
    settle: Callable[[ID], Awaitable[None]]
    count_frame: Callable[[bytes, int, int], None]
    reject: Callable[[bytes, str], None]
    is_leaving: Callable[[INetStream], bool]

    def prepare(self) -> None:
        """Replace the library's cache of seen messages, which has a thread and no bound."""
        self.seen_messages.stop()
        self.seen = SeenMessages()
        self.seen_messages = self.seen  # type: ignore[assignment]  # what the router asks of it
        self.inward: dict[ID, INetStream] = {}
        # Whole seconds, as the library counts, would repeat after a quick restart.
        self.counter = time.time_ns()

    def is_alive(self, peer_id: ID) -> bool:
        """Whether gossip flows both ways: our stream is open and the peer told its topics."""
        if peer_id not in self.peers or peer_id not in self.inward:
            return False
        return any(peer_id in self.peer_topics.get(topic, ()) for topic in self.topic_ids)

    def leave_connection(self, connection: INetConn, peer_id: ID) -> None:
        """Open a new stream elsewhere if ours runs over this connection, which is to close."""
        stream = self.peers.get(peer_id)
        if stream is not None and stream.muxed_conn is connection.muxed_conn:
            self._handle_dead_peer(peer_id)

    async def push_msg(self, msg_forwarder: ID, msg: rpc_pb2.Message) -> None:
        """Judge one message, cheapest question first, then deliver it and pass it on."""
        identity = msg.from_id + msg.seqno
        if self.seen.has(identity):
            self.counters.add("gossip_duplicate")
            return
        if msg_forwarder != self.my_id and not self._deliver(msg_forwarder, msg):
            return
        self.seen.add(identity)
        await self.router.publish(msg_forwarder, msg)

    async def stream_handler(self, stream: INetStream) -> None:
        """Read the gossip of one peer until its stream ends."""
        peer_id = stream.muxed_conn.peer_id
        if self.is_leaving(stream):
            await abandon(stream)
            return
        earlier = self.inward.get(peer_id)
        self.inward[peer_id] = stream
        if earlier is not None:
            await abandon(earlier)
        await self.guard.contain("gossip_stream", self.continuously_read_stream, stream)
        await abandon(stream)
        if self.inward.get(peer_id) is stream:
            del self.inward[peer_id]
            super()._forget_all_subscriptions(peer_id)

    async def continuously_read_stream(self, stream: INetStream) -> None:
        """Read frames; a stream that ends is normal, one that lies is closed and counted."""
        peer_id = stream.muxed_conn.peer_id
        account = account_of_id(peer_id)
        reader = FrameReader(stream)
        while True:
            try:
                body = await reader.varint_frame(GOSSIP_FRAME_LIMIT_BYTES)
            except STREAM_FAILURES:
                return
            frame = rpc_pb2.RPC()
            if not self.guard.decide("gossip_parse", frame.ParseFromString, 0, body) and body:
                self.reject(account, "gossip_parse")
                return
            self.count_frame(account, len(frame.publish), len(body))
            await self._obey(peer_id, frame)

    async def handle_sending_messages(
        self, peer_id: ID, stream: INetStream, queue: RpcQueue
    ) -> None:
        """Write what waits for one peer, as many frames at once as there are."""
        try:
            while (frame := await queue.pop()) is not None:
                batch = bytearray(varint_framed(frame.SerializeToString()))
                while len(queue) and len(batch) < _BATCH_BYTES:
                    following = await queue.pop()
                    assert following is not None
                    batch += varint_framed(following.SerializeToString())
                await stream.write(bytes(batch))
        except STREAM_FAILURES:
            if self.peers.get(peer_id) is stream:
                self._handle_dead_peer(peer_id)

    async def _obey(self, peer_id: ID, frame: rpc_pb2.RPC) -> None:
        if len(frame.subscriptions) <= self.max_subscriptions_per_peer:
            for change in frame.subscriptions:
                self.guard.decide(
                    "gossip_subscription", self.handle_subscription, None, peer_id, change
                )
        for message in frame.publish:
            await self.guard.contain("gossip_message", self.push_msg, peer_id, message)
        if frame.HasField("control"):
            await self.router.handle_rpc(frame, peer_id)

    def _deliver(self, forwarder: ID, msg: rpc_pb2.Message) -> bool:
        account = account_of_id(forwarder)
        topics = list(msg.topicIDs)
        if len(topics) != 1 or topics[0] not in self.topic_ids:
            return False
        if msg.from_id == self.my_id.to_bytes():
            return False
        if not self.guard.decide("gossip_signature", signature_validator, False, msg):
            self.reject(account, "gossip_signature")
            return False
        if not self.guard.decide("gate", self.gate, False, topics[0], account, msg.data):
            self.reject(account, "gate")
            return False
        self.counters.add("gossip_in")
        self.events.gossiped(topics[0], account, msg.data)
        return True

    async def _handle_new_peer(self, peer_id: ID) -> None:
        await self.settle(peer_id)
        if not self._peer_is_connected(peer_id):
            raise SwarmException("the connection was closed before gossip opened on it")
        await super()._handle_new_peer(peer_id)
        queue = self.peer_queues.get(peer_id)
        if queue is not None:
            waiting = WaitingFrames(self.counters)
            while (frame := queue._queue.pop()) is not None:
                waiting.push(frame)
            queue._queue = waiting

    def _forget_all_subscriptions(self, peer_id: ID) -> None:
        # A new stream will replay the last seconds, which the broken one may have lost.
        self._replayed_recent_topics.pop(peer_id, None)
        if peer_id not in self.inward:
            super()._forget_all_subscriptions(peer_id)


def make_router(guard: Guard, counters: Counters) -> Router:
    """A router with the parameters that were found safe: nothing adaptive, nothing pruned."""
    protocols: Sequence[TProtocol] = [PROTOCOL_ID_V11]
    router = Router(
        protocols=protocols,
        degree=12,
        degree_low=10,
        degree_high=64,
        heartbeat_interval=1,
        heartbeat_initial_delay=0.1,
        gossip_window=3,
        gossip_history=5,
        prune_back_off=1,
        unsubscribe_back_off=1,
        adaptive_gossip_enabled=False,
        spam_protection_enabled=False,
        eclipse_protection_enabled=False,
    )
    router.guard = guard
    router.counters = counters
    return router


def make_gossip(host: IHost, router: Router, **parts: object) -> Gossip:
    """Publish and subscribe on a host; the parts are the attributes that `Gossip` declares."""
    gossip = Gossip(host, router, strict_signing=True, max_subscriptions_per_peer=64)
    for name, part in parts.items():
        setattr(gossip, name, part)
    gossip.prepare()
    return gossip


async def clear_deliveries(gossip: Gossip, router: Router) -> None:
    """Each minute, forget what the router would otherwise keep for ever."""
    while True:
        await trio.sleep(_SEEN_SWEEP_SECONDS)
        router.recent_message_deliveries.clear()
        gossip.seen.forget_expired()
