"""The file of an exported ledger: written and read as a stream, whatever its size.

A magic line, then frames: a header with genesis, the final commits that the node had recorded, all
signed blocks in the order of acceptance, the state that they lead to where the exporter was asked
for it, and a trailer. Each frame is a length of four bytes and a
canonical MessagePack array. The trailer's checksum covers every byte before it and its own claims,
so damage is noticed; that what was written is true only an audit can tell.
"""

import hashlib
from collections.abc import Iterator
from typing import Annotated, BinaryIO, Final

from msgspec import Meta, Struct

from p2pnode.offline.findings import BadEntry
from protocol.encoding import decode, encode
from protocol.errors import Rejected
from protocol.units import DIGEST_BYTES, Digest

MAGIC: Final = b"p2pnode ledger 1\n"
"""The digit is the version of the format."""
LENGTH_BYTES: Final = 4
FRAME_BYTES_MAX: Final = 16 * 1024 * 1024
"""Above any block and any genesis; a wrong length must not fill the memory."""
NO_DIGEST: Final = Digest(bytes(DIGEST_BYTES))
"""Stands where nothing is final yet."""

Hash = Annotated[Digest, Meta(min_length=DIGEST_BYTES, max_length=DIGEST_BYTES)]
Count = Annotated[int, Meta(ge=0, le=2**53)]


class Header(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=1):
    """Which network the ledger belongs to."""

    network: Hash
    genesis: bytes
    """Canonical bytes, from which everything is derived."""


class RecordedFinal(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=2):
    """A commit that the exporting node had found final, and the state after it."""

    index: Count
    commit_digest: Hash
    state_digest: Hash


class Entry(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=3):
    """One block as its author signed it."""

    raw: bytes


class RecordedPage(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=5):
    """Entries of the state after the last block, as the exporting node derived it."""

    raw: bytes
    """A page of `protocol.snapshot`."""


class Trailer(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=4):
    """What the file claims to hold."""

    entries: Count
    final: RecordedFinal
    """The last recorded final; of index 0 when there is none."""
    checksum: Hash


Frame = Header | RecordedFinal | Entry | RecordedPage | Trailer

_SUCCESSORS: Final[dict[type, tuple[type, ...]]] = {
    Header: (RecordedFinal, Entry, Trailer),
    RecordedFinal: (RecordedFinal, Entry, Trailer),
    Entry: (Entry, RecordedPage, Trailer),
    RecordedPage: (RecordedPage, Trailer),
}
"""What may follow which frame."""


class ExportWriter:
    """Writes one file, frame by frame.

    Attributes:
        entries: Blocks written so far.
        final: The last recorded final written so far.
    """

    def __init__(self, stream: BinaryIO, header: Header) -> None:
        self.entries = 0
        self.final = RecordedFinal(0, NO_DIGEST, NO_DIGEST)
        self._stream = stream
        self._sum = hashlib.blake2b(digest_size=DIGEST_BYTES)
        self._put(MAGIC)
        self._put_frame(encode(header))

    def write(self, frame: RecordedFinal | Entry | RecordedPage) -> None:
        """Writes the next frame; finals come before blocks, and blocks before pages."""
        self.entries += isinstance(frame, Entry)
        if isinstance(frame, RecordedFinal):
            self.final = frame
        self._put_frame(encode(frame))

    def finish(self) -> Trailer:
        """Writes the trailer, after which nothing may follow."""
        checksum = _checksum(self._sum, self.entries, self.final)
        trailer = Trailer(self.entries, self.final, checksum)
        self._put_frame(encode(trailer))
        return trailer

    def _put_frame(self, packed: bytes) -> None:
        self._put(len(packed).to_bytes(LENGTH_BYTES, "big"))
        self._put(packed)

    def _put(self, content: bytes) -> None:
        self._sum.update(content)
        self._stream.write(content)


def read_frames(stream: BinaryIO) -> Iterator[Frame]:
    """Reads a file from its beginning; the last frame is its trailer.

    Raises:
        BadEntry: with what is wrong with the file at the first place where anything is. A wrong
            checksum is found last, after the trailer.
    """
    total = hashlib.blake2b(digest_size=DIGEST_BYTES)
    magic = stream.read(len(MAGIC))
    if magic != MAGIC:
        raise BadEntry(0, "not_an_export", "this is no ledger export of this version")
    total.update(magic)
    entries, final = 0, RecordedFinal(0, NO_DIGEST, NO_DIGEST)
    expected: tuple[type, ...] = (Header,)
    while True:
        number = entries + 1 if entries or Entry in expected else 0
        packed = _read_packed(stream, number)
        frame = _opened(packed, number, expected)
        if isinstance(frame, Trailer):
            _check_claims(stream, frame, Trailer(entries, final, frame.checksum), number)
            yield frame
            _check_sum(frame, _checksum(total, entries, final), number)
            return
        total.update(len(packed).to_bytes(LENGTH_BYTES, "big") + packed)
        if isinstance(frame, RecordedFinal):
            _check_growth(final, frame)
            final = frame
        entries += isinstance(frame, Entry)
        expected = _SUCCESSORS[type(frame)]
        yield frame


def _read_packed(stream: BinaryIO, number: int) -> bytes:
    length = stream.read(LENGTH_BYTES)
    size_bytes = int.from_bytes(length, "big")
    if len(length) == LENGTH_BYTES and size_bytes > FRAME_BYTES_MAX:
        raise BadEntry(number, "malformed", f"a frame of {size_bytes} bytes cannot be")
    packed = stream.read(size_bytes) if len(length) == LENGTH_BYTES else b""
    if len(length) < LENGTH_BYTES or len(packed) < size_bytes:
        raise BadEntry(number, "truncated", "the file ends here, before its trailer")
    return packed


def _opened(packed: bytes, number: int, expected: tuple[type, ...]) -> Frame:
    try:
        # A union of tagged values has no type of its own that a checker could infer.
        frame: Frame = decode(packed, Frame, FRAME_BYTES_MAX)  # type: ignore[arg-type]
    except Rejected as refusal:
        raise BadEntry(number, refusal.reason.name.lower(), f"a broken frame: {refusal}") from None
    if not isinstance(frame, expected):
        kind = type(frame).__name__.lower()
        raise BadEntry(number, "malformed", f"a frame out of place: {kind}")
    return frame


def _check_growth(before: RecordedFinal, final: RecordedFinal) -> None:
    if final.index <= before.index:
        raise BadEntry(0, "malformed", f"recorded final {final.index} follows {before.index}")


def _check_claims(stream: BinaryIO, trailer: Trailer, found: Trailer, number: int) -> None:
    if stream.read(1):
        raise BadEntry(number, "trailing_bytes", "the file goes on after its trailer")
    if trailer != found:
        detail = (
            f"the trailer claims {trailer.entries} blocks and final commit {trailer.final.index}, "
            f"the file holds {found.entries} and {found.final.index}, or other digests"
        )
        raise BadEntry(number, "checksum", detail)


def _check_sum(trailer: Trailer, computed: Digest, number: int) -> None:
    if trailer.checksum != computed:
        detail = "the file's checksum does not match: it was changed or damaged"
        raise BadEntry(number, "checksum", detail)


def _checksum(total: "hashlib.blake2b", entries: int, final: RecordedFinal) -> Digest:
    """Closes the running sum with the trailer's claims."""
    closing = total.copy()
    closing.update(encode((entries, final)))
    return Digest(closing.digest())
