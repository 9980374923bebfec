"""Requests: a stream each, kind and payload one way, verdict and answer the other way."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import trio
from libp2p.abc import IHost, INetStream
from libp2p.custom_types import TProtocol

from p2pnode.network import limits
from p2pnode.network.counters import Counters
from p2pnode.network.errors import (
    PayloadTooLarge,
    PeerUnreachable,
    RequestRefused,
    RequestTimedOut,
)
from p2pnode.network.framing import STREAM_FAILURES, FrameReader, abandon, framed
from p2pnode.network.gossip import account_of_id
from p2pnode.network.guard import Guard
from p2pnode.network.link import Link
from p2pnode.network.links import Links

REQUEST_PROTOCOL = TProtocol("/p2pnode/request/1")

Handler = Callable[[bytes, bytes], Awaitable[bytes]]
"""Answers a payload of an account; may raise `RequestRefused`."""

DONE, _REFUSED = b"\0", b"\1"
KIND_LIMIT_BYTES = 64
_REQUEST_LIMIT = limits.CONTROL_LIMIT_BYTES + KIND_LIMIT_BYTES + 1
_REFUSAL_LIMIT_BYTES = 500
_BUCKETS_KEPT = 4096
_ANSWER_SECONDS = limits.FRAME_SECONDS + limits.HANDLER_SECONDS


@dataclass(slots=True)
class _Bucket:
    """What one peer may still ask at once."""

    tokens: float
    filled_at: float


class Requests:
    """Asks peers and answers them."""

    def __init__(self, host: IHost, links: Links, counters: Counters, guard: Guard) -> None:
        self._host = host
        self._links = links
        self._counters = counters
        self._guard = guard
        self._handlers: dict[str, Handler] = {}
        self._buckets: dict[bytes, _Bucket] = {}

    def serve(self, kind: str, handler: Handler) -> None:
        """Answer requests of this kind; a later handler replaces an earlier one."""
        if not 0 < len(kind.encode()) <= KIND_LIMIT_BYTES:
            raise ValueError(f"a kind has 1 to {KIND_LIMIT_BYTES} bytes")
        self._handlers[kind] = handler

    async def ask(self, account: bytes, kind: str, payload: bytes, timeout_s: float) -> bytes:
        """Ask a connected peer; see `Network.request` for what it raises."""
        link = self._links.get(account)
        if link is None:
            raise PeerUnreachable("not connected to the peer")
        if len(payload) > limits.CONTROL_LIMIT_BYTES:
            raise PayloadTooLarge(f"a request of {len(payload)} bytes is above the limit")
        self._counters.add("requests_out")
        link.open_requests += 1
        try:
            with trio.fail_after(timeout_s):
                answer = await self._exchange(link, kind.encode(), payload, timeout_s)
        except trio.TooSlowError as error:
            self._counters.add("requests_timed_out")
            raise RequestTimedOut(f"no answer to {kind!r} within {timeout_s} s") from error
        except STREAM_FAILURES as error:
            raise PeerUnreachable(f"the connection broke: {type(error).__name__}") from error
        finally:
            link.open_requests -= 1
        if answer[:1] != DONE:
            raise RequestRefused(answer[1:].decode(errors="replace"))
        link.bytes_in += len(answer)
        return answer[1:]

    async def handle_stream(self, stream: INetStream) -> None:
        """Answer one request of a peer; nothing that it sends or causes leaves this function."""
        try:
            await self._guard.contain("request", self._answer, stream)
        finally:
            await abandon(stream)

    async def _exchange(self, link: Link, kind: bytes, payload: bytes, timeout_s: float) -> bytes:
        stream = await self._host.new_stream(link.peer_id, [REQUEST_PROTOCOL])
        try:
            await stream.write(framed(bytes([len(kind)]), kind, payload))
            answer = await FrameReader(stream).frame(limits.ANSWER_LIMIT_BYTES + 1, timeout_s)
            # The far end waits for this before it lets the stream go.
            await stream.close()
        finally:
            await abandon(stream)
        return answer

    async def _answer(self, stream: INetStream) -> None:
        account = account_of_id(stream.muxed_conn.peer_id)
        try:
            reader = FrameReader(stream)
            frame = await reader.frame(_REQUEST_LIMIT)
            self._counters.add("requests_in")
            answer = await self._verdict(account, frame)
            with trio.fail_after(_ANSWER_SECONDS):
                await stream.write(framed(*answer))
                await stream.close()
        except STREAM_FAILURES:
            self._counters.add("answers_broken")
            return
        await _wait_for_end(reader)

    async def _verdict(self, account: bytes, frame: bytes) -> tuple[bytes, bytes]:
        link = self._links.get(account)
        kind, payload = _split(frame)
        handler = self._handlers.get(kind)
        if handler is None:
            self._links.reject(account, "request")
            return _REFUSED, b"this kind of request is not served"
        if link is None or link.open_requests >= limits.OPEN_REQUESTS or not self._admit(account):
            self._links.reject(account, "request_rate")
            return _REFUSED, b"too many requests"
        link.open_requests += 1
        try:
            return await self.judge(handler, account, payload)
        finally:
            link.open_requests -= 1

    async def judge(self, handler: Handler, account: bytes, payload: bytes) -> tuple[bytes, bytes]:
        """Have a question answered, and give verdict and answer; a handler's failure is a no."""
        answers: list[tuple[bytes, bytes]] = []

        async def run() -> None:
            try:
                with trio.fail_after(limits.HANDLER_SECONDS):
                    answers.append((DONE, await handler(account, payload)))
            except RequestRefused as error:
                answers.append((_REFUSED, str(error).encode()[:_REFUSAL_LIMIT_BYTES]))

        await self._guard.contain("handler", run)
        if not answers:
            return _REFUSED, b"the peer failed to answer"
        if len(answers[0][1]) > limits.ANSWER_LIMIT_BYTES:
            self._counters.add("answers_too_large")
            return _REFUSED, b"the answer is too large"
        self._counters.add("answered")
        return answers[0]

    def _admit(self, account: bytes) -> bool:
        now = trio.current_time()
        bucket = self._buckets.pop(account, None) or _Bucket(limits.REQUEST_BURST, now)
        earned = (now - bucket.filled_at) * limits.REQUESTS_PER_SECOND
        bucket.tokens = min(limits.REQUEST_BURST, bucket.tokens + earned)
        bucket.filled_at = now
        self._buckets[account] = bucket
        if len(self._buckets) > _BUCKETS_KEPT:
            del self._buckets[next(iter(self._buckets))]
        if bucket.tokens < 1:
            return False
        bucket.tokens -= 1
        return True


async def _wait_for_end(reader: FrameReader) -> None:
    # A reset would overtake the answer's last bytes, so the asker ends the stream.
    try:
        await reader.frame(0, _ANSWER_SECONDS)
    except STREAM_FAILURES:
        return


def _split(frame: bytes) -> tuple[str, bytes]:
    if not frame:
        return "", b""
    end = 1 + frame[0]
    return frame[1:end].decode(errors="replace"), frame[end:]
