"""Tells a damaged write-ahead log from one that ends in an unfinished commit.

The database takes the first frame whose checksum is wrong for the end of the log. That is right
after a loss of power, when only the last commit can be unfinished: each one is synced before the
next begins. Damage in the middle would silently take back all commits from there on. So wherever a
whole commit and a frame after it lie beyond the end that the database sees, something synced is
damaged.

Source: https://www.sqlite.org/fileformat2.html#walformat
"""

import os
from collections.abc import Iterator
from pathlib import Path
from struct import Struct
from typing import Final, Literal

from p2pnode.storage.disk import disk_errors
from p2pnode.storage.errors import DamagedData

_HEADER: Final = Struct(">8I")
"""Magic number, version, page size, checkpoints, two salts, two sums."""
_FRAME: Final = Struct(">4I")
"""Page, size of the database after a commit or 0, two salts; two sums follow."""
_FRAME_HEADER_BYTES: Final = 24
_BIG_ENDIAN_SUMS: Final = 0x377F0683
_PAGE_BYTES: Final = tuple(1 << power for power in range(9, 17))
"""Every size that a page may have, in ascending order."""

Salts = tuple[int, int]


def check_log(path: Path, frames: int) -> None:
    """Refuses a write-ahead log in which a synced commit cannot be read any more.

    Args:
        path: The log; it may be missing.
        frames: How many of its frames the database accepts.

    Raises:
        DamagedData: Commits that were acknowledged are lost.
        StorageFailed: The disk refused.
    """
    with disk_errors():
        if not path.exists():
            return
        descriptor = os.open(path, os.O_RDONLY)
        try:
            beyond = list(_beyond(descriptor, frames))
        finally:
            os.close(descriptor)
    if any(beyond[:-1]):
        raise DamagedData(
            f"the last commits in the journal's write-ahead log, {sum(beyond)} or more"
        )


def _beyond(descriptor: int, frames: int) -> Iterator[bool]:
    """Whether each frame of the running log behind the accepted ones ends a commit."""
    header = os.pread(descriptor, _HEADER.size, 0)
    if len(header) < _HEADER.size:
        return
    fields = _HEADER.unpack(header)
    is_sound = _sums(header[:-8], fields[0]) == fields[-2:]
    page_bytes = fields[2] if is_sound else _page_bytes(descriptor)
    place = _HEADER.size + frames * (page_bytes + _FRAME_HEADER_BYTES)
    salts: Salts | None = (fields[4], fields[5]) if is_sound else None
    while len(frame := os.pread(descriptor, _FRAME.size, place)) == _FRAME.size:
        _, commit, *found = _FRAME.unpack(frame)
        salts = salts or (found[0], found[1])
        if (found[0], found[1]) == salts:
            yield commit != 0
        place += page_bytes + _FRAME_HEADER_BYTES


def _page_bytes(descriptor: int) -> int:
    """The page size by the distance of equal salts, where the header does not tell it."""
    first = os.pread(descriptor, _FRAME.size, _HEADER.size)[8:]
    for size in _PAGE_BYTES:
        place = _HEADER.size + size + _FRAME_HEADER_BYTES
        if os.pread(descriptor, _FRAME.size, place)[8:] == first:
            return size
    return _PAGE_BYTES[-1]


def _sums(content: bytes, magic: int) -> Salts:
    """The checksum of a header, as the database computes it."""
    order: Literal["big", "little"] = "big" if magic == _BIG_ENDIAN_SUMS else "little"
    words = [int.from_bytes(content[at : at + 4], order) for at in range(0, len(content), 4)]
    first = second = 0
    for even, odd in zip(words[::2], words[1::2], strict=True):
        first = (first + even + second) & 0xFFFFFFFF
        second = (second + odd + first) & 0xFFFFFFFF
    return first, second
