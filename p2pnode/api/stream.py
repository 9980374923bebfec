"""The stream of facts as server-sent events, which ends by itself when the node stops.

Serving stops only after the streams have ended, so each of them watches the same event as the
server. A reader that is too slow loses facts at the node, never the node its pace.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager

import msgspec
import trio
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

HEARTBEAT_SECONDS = 15
"""A comment line this often tells proxies and clients that the stream is alive."""
FAREWELL_SECONDS = 0.2
"""How long a stream that ends waits for its reader to take the last bytes."""

Facts = AbstractAsyncContextManager[AsyncIterator[Mapping[str, object]]]
"""An open subscription; leaving it ends it."""


class EventStream(Response):
    """A response that never ends until the reader leaves or the node stops."""

    media_type = "text/event-stream"

    def __init__(self, facts: Facts, shutdown: trio.Event, readers: trio.CapacityLimiter) -> None:
        super().__init__(headers={"cache-control": "no-store"})
        del self.headers["content-length"]
        self._facts = facts
        self._shutdown = shutdown
        self._readers = readers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send facts as they happen."""
        assert scope["type"] == "http", scope["type"]
        start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        await send(start)
        async with self._readers, self._facts as facts, trio.open_nursery() as nursery:
            write = _serialised(send)
            nursery.start_soon(_cancel_after, self._shutdown.wait, nursery.cancel_scope)
            nursery.start_soon(_cancel_after, _departure(receive), nursery.cancel_scope)
            nursery.start_soon(_beat, write)
            async for fact in facts:
                await write(b"data: " + msgspec.json.encode(fact) + b"\n\n")
            nursery.cancel_scope.cancel()
        with trio.move_on_after(FAREWELL_SECONDS):
            await send({"type": "http.response.body", "body": b"", "more_body": False})


def _serialised(send: Send) -> Callable[[bytes], Awaitable[None]]:
    lock = trio.Lock()

    async def write(chunk: bytes) -> None:
        async with lock:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})

    return write


def _departure(receive: Receive) -> Callable[[], Awaitable[None]]:
    async def departed() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    return departed


async def _cancel_after(event: Callable[[], Awaitable[None]], scope: trio.CancelScope) -> None:
    await event()
    scope.cancel()


async def _beat(write: Callable[[bytes], Awaitable[None]]) -> None:
    while True:
        await write(b": alive\n\n")
        await trio.sleep(HEARTBEAT_SECONDS)
