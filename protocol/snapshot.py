"""All entries of a state as pages of bounded size, and back.

A page is one array: key, value, key, value and so on. Keys ascend within a page and from page to
page, so equal states have equal pages, whoever writes them.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from protocol.compact import pack, unpack
from protocol.encoding import pack_plain, unpack_plain
from protocol.entries import VALUE_BYTES_MAX, Entry
from protocol.errors import Reason, Rejected
from protocol.ledger.certificate import Boundary

PAGE_BYTES: Final = 256 * 1024
"""What a page is filled up to; a single larger entry has a page of its own."""
PAGE_BYTES_MAX: Final = 1024 * 1024
"""What a page may have, and what one message between peers can carry."""
KEY_BYTES_MAX: Final = 128
ENTRIES_MAX: Final = 2**24
"""More entries than a state has in decades: a peer cannot fill the memory for ever."""
ENTRY_FRAME_BYTES: Final = 16
"""More than what an array adds to a key and a value."""
BOUNDARY_BYTES_MAX: Final = 1024
"""More than a boundary takes: five digests and two integers."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The state at the end of an epoch: all that is needed to begin the next one.

    Attributes:
        boundary: How the epoch ended; its state digest is the root of the pages.
        pages: In order. A state's own ones are made while they are walked through, once.
    """

    boundary: Boundary
    pages: Iterable[bytes] = field(repr=False)


def encode_boundary(boundary: Boundary) -> bytes:
    """Packs what a store keeps beside the pages."""
    return pack(boundary)


def decode_boundary(raw: bytes) -> Boundary:
    """Unpacks what a store kept.

    Raises:
        Rejected: `TOO_LARGE` or `MALFORMED`.
    """
    return unpack(raw, Boundary, BOUNDARY_BYTES_MAX)


def encode_pages(entries: Iterable[Entry]) -> Iterator[bytes]:
    """Packs entries, which ascend by key, into pages."""
    page: list[bytes] = []
    size_bytes = 0
    for key, value in entries:
        assert len(key) <= KEY_BYTES_MAX, "a key has a kind's number and one identifier"
        assert len(value) <= VALUE_BYTES_MAX, "every value of the state is bounded"
        added = len(key) + len(value) + ENTRY_FRAME_BYTES
        if page and size_bytes + added > PAGE_BYTES:
            yield pack_plain(page)
            page, size_bytes = [], 0
        page += (key, value)
        size_bytes += added
    if page:
        yield pack_plain(page)


def decode_pages(pages: Iterable[bytes]) -> list[Entry]:
    """Unpacks pages from anywhere; that they are a state's shows only in their root.

    Raises:
        Rejected: `TOO_LARGE` or `MALFORMED` at the first page that no state has.
    """
    entries: list[Entry] = []
    last = b""
    for raw in pages:
        for key, value in _opened(raw):
            if key <= last:
                raise Rejected(Reason.MALFORMED, "keys ascend")
            last = key
            entries.append((key, value))
        if len(entries) > ENTRIES_MAX:
            raise Rejected(Reason.TOO_LARGE, "more entries than a state has")
    return entries


def _opened(raw: bytes) -> Iterator[Entry]:
    plain = unpack_plain(raw, PAGE_BYTES_MAX)
    if not isinstance(plain, tuple) or not plain or len(plain) % 2:
        raise Rejected(Reason.MALFORMED, "a page is an array of keys and values")
    for key, value in zip(plain[::2], plain[1::2], strict=True):
        if not isinstance(key, bytes) or not isinstance(value, bytes):
            raise Rejected(Reason.MALFORMED, "keys and values are bytes")
        if len(key) > KEY_BYTES_MAX or len(value) > VALUE_BYTES_MAX:
            raise Rejected(Reason.TOO_LARGE, "no key or value of a state is so large")
        yield key, value
