"""Introducing two nodes that run with one key, so that the younger one stops.

A peer keeps one connection of a key, so a second node with that key may be refused by everybody
and hear nothing of the ledger. Before such a peer closes the connection that it does not keep, it
introduces the two ends: it carries frames between them and is trusted with nothing. Each end
sends a fresh number and how long it has run, and signs both ends' words. Nobody can make such a
signature who does not hold the key, and no process makes it for itself, since it knows its own
fresh numbers; so a peer that lies cannot stop a node. The end that has run for less time stops.
Durations are compared, not clocks, so the two agree whatever their clocks say.
"""

import hashlib
import secrets
from collections import deque
from dataclasses import dataclass

import trio
from libp2p.abc import INetConn, INetStream
from libp2p.custom_types import TProtocol
from libp2p.protocol_muxer.multiselect_client import MultiselectClient
from libp2p.protocol_muxer.multiselect_communicator import MultiselectCommunicator
from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey

from p2pnode.network import limits
from p2pnode.network.counters import Counters
from p2pnode.network.events import Events
from p2pnode.network.framing import STREAM_FAILURES, FrameError, FrameReader, abandon, framed
from p2pnode.network.gossip import account_of_id
from p2pnode.network.guard import Guard

INTRODUCTION_PROTOCOL = TProtocol("/p2pnode/introduction/1")

_DOMAIN = b"p2pnode introduction 1\n"
_NONCE_BYTES = 16
_DURATION_BYTES = 8
_HELLO_BYTES = _NONCE_BYTES + _DURATION_BYTES
_SIGNATURE_BYTES = 64
_NONCES_KEPT = 256
"""Far more than peers that introduce this node at one time."""
_ROUNDS = (_HELLO_BYTES, _SIGNATURE_BYTES)


@dataclass(frozen=True, slots=True)
class IntroductionParts:
    """What introductions are made with."""

    seed: bytes
    """The key's 32-byte seed."""
    topics: tuple[str, ...]
    """They name the network: a node of another one with this key does no harm."""
    counters: Counters
    guard: Guard
    events: Events


class Introductions:
    """Both parts in an introduction: the go-between, and one of the two ends."""

    def __init__(self, parts: IntroductionParts) -> None:
        self._parts = parts
        self._key = SigningKey(parts.seed)
        self._network = hashlib.sha256("\n".join(parts.topics).encode()).digest()
        self._started_at = trio.current_time()
        self._own_nonces: deque[bytes] = deque(maxlen=_NONCES_KEPT)
        self._busy: set[bytes] = set()
        """Peers that introduce this node at this moment, each at most once."""

    async def introduce(self, one: INetConn, other: INetConn) -> None:
        """Carry the words of two connections' far ends from one to the other, for a short time."""
        self._parts.counters.add("introductions_made")
        await self._parts.guard.contain("introduction", self._introduce, one, other)

    async def handle_stream(self, stream: INetStream) -> None:
        """Be introduced by a peer to whoever it met with this node's key."""
        peer = account_of_id(stream.muxed_conn.peer_id)
        if peer in self._busy:
            await abandon(stream)
            return
        self._busy.add(peer)
        try:
            await self._parts.guard.contain("introduced", self._meet, stream)
        finally:
            self._busy.discard(peer)
            await abandon(stream)

    async def _introduce(self, one: INetConn, other: INetConn) -> None:
        streams: dict[INetConn, INetStream] = {}

        async def begin(connection: INetConn) -> None:
            streams[connection] = await _open_on(connection)

        try:
            with trio.move_on_after(limits.INTRODUCTION_SECONDS):
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(begin, one)
                    nursery.start_soon(begin, other)
                await _carry(streams[one], streams[other])
        except* STREAM_FAILURES:
            # One end is gone, or is of an older program: then there is nobody to introduce.
            self._parts.counters.add("introductions_failed")
        for stream in streams.values():
            await abandon(stream)

    async def _meet(self, stream: INetStream) -> None:
        nonce = secrets.token_bytes(_NONCE_BYTES)
        self._own_nonces.append(nonce)
        try:
            with trio.move_on_after(limits.INTRODUCTION_SECONDS):
                await self._prove(stream, nonce)
        except STREAM_FAILURES:
            return

    async def _prove(self, stream: INetStream, nonce: bytes) -> None:
        reader = FrameReader(stream)
        mine = nonce + self._running_ms().to_bytes(_DURATION_BYTES, "big")
        await stream.write(framed(mine))
        theirs = await _exact(reader, _HELLO_BYTES)
        if theirs[:_NONCE_BYTES] in self._own_nonces:
            return  # two connections of this one process: nobody else has the key
        proof = self._key.sign(self._statement(mine, theirs)).signature
        await stream.write(framed(proof))
        signature = await _exact(reader, _SIGNATURE_BYTES)
        try:
            self._key.verify_key.verify(self._statement(theirs, mine), signature)
        except BadSignatureError:
            self._parts.counters.add("rejected_introduction")
            return
        await stream.write(framed())
        self._parts.counters.add("twins_met")
        if _seniority(mine) < _seniority(theirs):
            self._parts.events.key_in_use(_seniority(theirs)[0])

    def _running_ms(self) -> int:
        return int((trio.current_time() - self._started_at) * 1000)

    def _statement(self, signer: bytes, reader: bytes) -> bytes:
        return _DOMAIN + self._network + signer + reader


def _seniority(hello: bytes) -> tuple[int, bytes]:
    """How long an end has run, in milliseconds; of two equal ones the greater number decides."""
    return int.from_bytes(hello[_NONCE_BYTES:], "big"), hello[:_NONCE_BYTES]


async def _open_on(connection: INetConn) -> INetStream:
    """Open a stream on this very connection; the library's own way chooses one by itself."""
    stream = await connection.new_stream()
    communicator = MultiselectCommunicator(stream)
    await MultiselectClient().select_one_of([INTRODUCTION_PROTOCOL], communicator)
    return stream


async def _carry(one: INetStream, other: INetStream) -> None:
    """Swap the two ends' frames, and wait until both have read the last one."""
    ends = ((FrameReader(one), other), (FrameReader(other), one))
    async with trio.open_nursery() as nursery:
        for reader, target in ends:
            nursery.start_soon(_carry_to, reader, target)


async def _carry_to(reader: FrameReader, target: INetStream) -> None:
    for size_bytes in _ROUNDS:
        await target.write(framed(await _exact(reader, size_bytes)))
    await _exact(reader, 0)


async def _exact(reader: FrameReader, size_bytes: int) -> bytes:
    frame = await reader.frame(size_bytes, limits.INTRODUCTION_SECONDS)
    if len(frame) != size_bytes:
        raise FrameError("a frame of an introduction of the wrong size")
    return frame
