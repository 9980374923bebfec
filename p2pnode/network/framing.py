"""Frames on a stream: a length, then that many bytes, with a limit and a deadline for each."""

import struct

import trio
from libp2p.abc import INetStream
from libp2p.exceptions import BaseLibp2pError
from libp2p.io.exceptions import IOException

from p2pnode.network.limits import FRAME_SECONDS, SLOWEST_BYTES_PER_SECOND

STREAM_FAILURES = (
    BaseLibp2pError,
    trio.BrokenResourceError,
    trio.ClosedResourceError,
    trio.TooSlowError,
    OSError,
    EOFError,
    KeyError,
    ValueError,
)
"""All that reading, writing or opening a stream of the library was seen to raise."""

_LENGTH = struct.Struct(">I")
_CHUNK_BYTES = 64 * 1024
_MOST_VARINT_BYTES = 5


class FrameError(IOException):
    """The peer sent a frame that is too large or cut short."""


class FrameReader:
    """Reads a stream in large pieces and hands out frames."""

    def __init__(self, stream: INetStream) -> None:
        self._stream = stream
        self._buffer = bytearray()

    async def frame(self, limit_bytes: int, wait_s: float = FRAME_SECONDS) -> bytes:
        """The next frame with a four-byte length; waits that long for its begin.

        Raises:
            FrameError: It is larger than the limit, or the stream ended inside it.
            trio.TooSlowError: It did not begin, or did not end, in time.
        """
        with trio.fail_after(wait_s):
            header = await self._take(_LENGTH.size)
        (length,) = _LENGTH.unpack(header)
        return await self._body(length, limit_bytes)

    async def judged_frame(self, limit_bytes: int, wait_s: float) -> tuple[bytes, bytes]:
        """As `frame`, for one that begins with a byte of its own; copies large frames once only."""
        with trio.fail_after(wait_s):
            header = await self._take(_LENGTH.size)
        (length,) = _LENGTH.unpack(header)
        if not length:
            raise FrameError("a frame is empty")
        first = await self._body(1, limit_bytes)
        return first, await self._body(length - 1, limit_bytes)

    async def varint_frame(self, limit_bytes: int) -> bytes:
        """The next frame with a length as protobuf writes it; waits for its begin without end."""
        length = 0
        for position in range(_MOST_VARINT_BYTES):
            byte = (await self._take(1))[0]
            length |= (byte & 0x7F) << (7 * position)
            if byte < 0x80:
                return await self._body(length, limit_bytes)
        raise FrameError("a frame's length does not end")

    async def _body(self, length: int, limit_bytes: int) -> bytes:
        if length > limit_bytes:
            raise FrameError(f"a frame of {length} bytes is above {limit_bytes}")
        with trio.fail_after(FRAME_SECONDS + length / SLOWEST_BYTES_PER_SECOND):
            return await (self._gather(length) if length > _CHUNK_BYTES else self._take(length))

    async def _gather(self, count: int) -> bytes:
        """Take much: joined once, while a buffer that grows would be copied again and again."""
        pieces = [await self._take(min(count, len(self._buffer)))]
        missing = count - len(pieces[0])
        while missing:
            piece = await self._read()
            if len(piece) > missing:
                self._buffer += piece[missing:]
                piece = piece[:missing]
            pieces.append(piece)
            missing -= len(piece)
        return b"".join(pieces)

    async def _take(self, count: int) -> bytes:
        while len(self._buffer) < count:
            self._buffer += await self._read()
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        return taken

    async def _read(self) -> bytes:
        piece = await self._stream.read(_CHUNK_BYTES)
        if not piece:
            raise FrameError("the stream ended inside a frame")
        return piece


def frame_head(length: int) -> bytes:
    """What stands in front of a frame of this length."""
    return _LENGTH.pack(length)


def framed(*parts: bytes) -> bytes:
    """One frame with a four-byte length."""
    return frame_head(sum(map(len, parts))) + b"".join(parts)


def varint_framed(body: bytes) -> bytes:
    """One frame with a length as protobuf writes it."""
    length = len(body)
    prefix = bytearray()
    while length >= 0x80:
        prefix.append(length & 0x7F | 0x80)
        length >>= 7
    prefix.append(length)
    return bytes(prefix) + body


async def abandon(stream: INetStream) -> None:
    """Reset a stream whose fate no longer matters."""
    with trio.move_on_after(1) as scope:
        scope.shield = True
        try:
            await stream.reset()
        except STREAM_FAILURES:
            return
