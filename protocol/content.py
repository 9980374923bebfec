"""What content consists of: the list of its chunks, from which its name is computed.

Who has the list of a name needs to trust nobody: the list is checked against the name, and each
chunk against the list.
"""

import hashlib
from dataclasses import dataclass
from typing import Self

from protocol.encoding import CHUNK_BYTES, chunk_list_digest
from protocol.units import DIGEST_BYTES, Digest

SIZE_BYTES = 8
"""Bytes that the size takes in front of a list."""


@dataclass(frozen=True, slots=True)
class ChunkList:
    """The chunks of one piece of content, in order."""

    size_bytes: int
    digests: tuple[Digest, ...]
    """One of each chunk; content of up to one chunk has one, and so has empty content."""

    @property
    def name(self) -> Digest:
        """The digest that names the content."""
        if len(self.digests) == 1:
            return self.digests[0]
        return chunk_list_digest(self.size_bytes, b"".join(self.digests))

    def length(self, index: int) -> int:
        """Bytes of one chunk."""
        return min(CHUNK_BYTES, self.size_bytes - index * CHUNK_BYTES)

    def encode(self) -> bytes:
        """Write the list: eight bytes of size, big-endian, and the digests."""
        return self.size_bytes.to_bytes(SIZE_BYTES, "big") + b"".join(self.digests)

    @classmethod
    def decode(cls, raw: bytes, name: bytes) -> Self | None:
        """Read a list from outside; None when it is not the list of this name.

        The size of content of a single chunk is the sender's word until the chunk is here.
        """
        size_bytes, joined = int.from_bytes(raw[:SIZE_BYTES], "big"), raw[SIZE_BYTES:]
        if len(joined) != DIGEST_BYTES * chunk_count(size_bytes):
            return None
        starts = range(0, len(joined), DIGEST_BYTES)
        digests = tuple(Digest(joined[at : at + DIGEST_BYTES]) for at in starts)
        found = cls(size_bytes, digests)
        return found if found.name == name else None


def chunk_count(size_bytes: int) -> int:
    """Say how many chunks content of a size has."""
    return max(1, -(-size_bytes // CHUNK_BYTES))


class ContentHasher:
    """Makes the list of content that passes by piece by piece, in bounded memory."""

    def __init__(self) -> None:
        self.size_bytes = 0
        """Bytes seen so far."""
        self._digests: list[Digest] = []
        self._chunk = _fresh()
        self._filled = 0

    def update(self, piece: bytes) -> None:
        """Take the next bytes."""
        view = memoryview(piece)
        while view:
            if self._filled == CHUNK_BYTES:
                self._end_chunk()
            part = view[: CHUNK_BYTES - self._filled]
            self._chunk.update(part)
            self._filled += len(part)
            view = view[len(part) :]
        self.size_bytes += len(piece)

    def chunks(self) -> ChunkList:
        """Give the list of all that was seen; nothing may follow."""
        self._end_chunk()
        return ChunkList(self.size_bytes, tuple(self._digests))

    def _end_chunk(self) -> None:
        self._digests.append(Digest(self._chunk.digest()))
        self._chunk, self._filled = _fresh(), 0


def _fresh() -> "hashlib.blake2b":
    return hashlib.blake2b(digest_size=DIGEST_BYTES)
