"""Conversations: many questions of one kind on one stream, answered one after the other, in order.

For what is large: a stream of its own for each chunk of an artefact would begin with a small window
each time. Answers are made only as fast as they are taken, so a peer needs no bound on its rate.
"""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import trio
from libp2p.abc import IHost, INetStream
from libp2p.custom_types import TProtocol

from p2pnode.network import limits
from p2pnode.network.errors import PeerUnreachable, RequestRefused, RequestTimedOut
from p2pnode.network.framing import STREAM_FAILURES, FrameReader, abandon, frame_head, framed
from p2pnode.network.gossip import account_of_id
from p2pnode.network.guard import Guard
from p2pnode.network.link import Link
from p2pnode.network.links import Links
from p2pnode.network.requests import DONE, KIND_LIMIT_BYTES, Handler, Requests

CONVERSATION_PROTOCOL = TProtocol("/p2pnode/conversation/1")


class OpenConversation:
    """One side of a conversation: asks; several tasks may ask at once, and get what they asked."""

    def __init__(self, stream: INetStream, link: Link) -> None:
        self._stream = stream
        self._link = link
        self._reader = FrameReader(stream)
        self._writing = trio.Lock()
        self._asked = 0
        self._turn = 0
        """The question whose answer comes next."""
        self._turned = trio.Event()
        self._broken = False

    async def ask(self, payload: bytes, timeout_s: float) -> bytes:
        """Ask, and wait for all answers before this one and for this one.

        Raises:
            RequestRefused: The peer said no, and why.
            RequestTimedOut: The answer did not come in time; nothing more can be asked.
            PeerUnreachable: The connection broke; nothing more can be asked.
        """
        done = False
        try:
            with trio.fail_after(timeout_s):
                verdict, answer = await self._exchange(payload, timeout_s)
            done = True
        except trio.TooSlowError as error:
            raise RequestTimedOut(f"no answer within {timeout_s} s") from error
        except STREAM_FAILURES as error:
            raise PeerUnreachable(f"the connection broke: {type(error).__name__}") from error
        finally:
            self._broken |= not done
            self._end_turn()
        self._link.bytes_in += len(answer)
        if verdict != DONE:
            raise RequestRefused(answer.decode(errors="replace"))
        return answer

    async def _exchange(self, payload: bytes, timeout_s: float) -> tuple[bytes, bytes]:
        async with self._writing:
            number = self._asked
            self._asked += 1
            await self._stream.write(framed(payload))
        while self._turn != number and not self._broken:
            await self._turned.wait()
        if self._broken:
            raise trio.BrokenResourceError
        return await self._reader.judged_frame(limits.ANSWER_LIMIT_BYTES, timeout_s)

    def _end_turn(self) -> None:
        self._turn += 1
        self._turned.set()
        self._turned = trio.Event()


class Conversations:
    """Holds conversations with peers, and answers theirs."""

    def __init__(self, host: IHost, links: Links, requests: Requests, guard: Guard) -> None:
        self._host = host
        self._links = links
        self._requests = requests
        self._guard = guard
        self._handlers: dict[str, Handler] = {}
        self._open: Counter[bytes] = Counter()

    def serve(self, kind: str, handler: Handler) -> None:
        """Answer questions of this kind; a later handler replaces an earlier one."""
        assert 0 < len(kind.encode()) <= KIND_LIMIT_BYTES, "a kind has 1 to 64 bytes"
        self._handlers[kind] = handler

    @asynccontextmanager
    async def begin(
        self, account: bytes, kind: str, timeout_s: float
    ) -> AsyncIterator[OpenConversation]:
        """Begin a conversation with a connected peer; see `Network.converse`."""
        link = self._links.get(account)
        if link is None:
            raise PeerUnreachable("not connected to the peer")
        try:
            with trio.fail_after(timeout_s):
                stream = await self._host.new_stream(link.peer_id, [CONVERSATION_PROTOCOL])
                await stream.write(framed(kind.encode()))
        except trio.TooSlowError as error:
            raise RequestTimedOut(f"no conversation within {timeout_s} s") from error
        except STREAM_FAILURES as error:
            raise PeerUnreachable(f"the connection broke: {type(error).__name__}") from error
        link.open_requests += 1
        try:
            yield OpenConversation(stream, link)
        finally:
            link.open_requests -= 1
            await abandon(stream)

    async def handle_stream(self, stream: INetStream) -> None:
        """Answer a peer's questions; nothing that it sends or causes leaves this function."""
        account = account_of_id(stream.muxed_conn.peer_id)
        self._open[account] += 1
        try:
            await self._guard.contain("conversation", self._answer, account, stream)
        finally:
            self._open[account] -= 1
            if not self._open[account]:
                del self._open[account]
            await abandon(stream)

    async def _answer(self, account: bytes, stream: INetStream) -> None:
        reader = FrameReader(stream)
        try:
            kind = await reader.frame(KIND_LIMIT_BYTES)
            handler = self._handlers.get(kind.decode(errors="replace"))
            if handler is None or self._open[account] > limits.OPEN_CONVERSATIONS:
                self._links.reject(account, "conversation")
                return
            send, receive = trio.open_memory_channel[tuple[bytes, bytes]](0)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._make_answers, account, handler, reader, send)
                await _write_answers(stream, receive)
                nursery.cancel_scope.cancel()
        except STREAM_FAILURES:
            return

    async def _make_answers(
        self,
        account: bytes,
        handler: Handler,
        reader: FrameReader,
        send: trio.MemorySendChannel[tuple[bytes, bytes]],
    ) -> None:
        """Makes one answer while the one before it is written, until nothing more is asked."""
        async with send:
            try:
                while True:
                    payload = await reader.frame(limits.CONTROL_LIMIT_BYTES, limits.QUIET_SECONDS)
                    await send.send(await self._requests.judge(handler, account, payload))
            except STREAM_FAILURES:
                return


async def _write_answers(
    stream: INetStream, receive: trio.MemoryReceiveChannel[tuple[bytes, bytes]]
) -> None:
    """Writes answers until there are no more, or the peer takes none."""
    with suppress(*STREAM_FAILURES):
        async for verdict, answer in receive:
            with trio.fail_after(limits.CONVERSATION_ANSWER_SECONDS):
                await stream.write(frame_head(1 + len(answer)) + verdict)
                await stream.write(answer)
