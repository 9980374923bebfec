"""One file as the platter has it: durable bytes, and writes that nobody has synced yet."""

from collections.abc import Callable
from dataclasses import dataclass, field

SECTOR_BYTES = 512
"""What a disk writes as a whole; anything larger may be torn."""


@dataclass(slots=True)
class Damage:
    """What a power loss did to un-synced writes."""

    dropped: int = 0
    """Writes of which nothing arrived."""
    torn: int = 0
    """Writes of which only some sectors arrived."""
    reordered: int = 0
    """Writes that arrived although an earlier one did not."""


@dataclass(frozen=True, slots=True)
class Write:
    """Bytes that were written at an offset."""

    offset: int
    content: bytes


@dataclass(frozen=True, slots=True)
class Cut:
    """A file's end that was moved."""

    size_bytes: int


@dataclass(slots=True)
class Image:
    """What is known of one file; the file itself holds what a running program sees."""

    durable: bytearray = field(default_factory=bytearray)
    pending: list[Write | Cut] = field(default_factory=list)
    """In the order in which they were asked for."""

    def sync(self) -> None:
        """Makes everything durable."""
        for change in self.pending:
            _apply(self.durable, change)
        self.pending.clear()

    def lose(self, arrives: Callable[[], bool], damage: Damage) -> None:
        """Makes of the un-synced writes what a power loss left of them.

        Args:
            arrives: Whether the next sector had reached the platter.
            damage: Counts what happened.
        """
        is_gap = False
        for change in self.pending:
            parts = [change] if isinstance(change, Cut) else _sectors(change)
            kept = [part for part in parts if arrives()]
            for part in kept:
                _apply(self.durable, part)
            damage.dropped += not kept
            damage.torn += 0 < len(kept) < len(parts)
            damage.reordered += bool(kept) and is_gap
            is_gap |= not kept
        self.pending.clear()


def _sectors(write: Write) -> list[Write | Cut]:
    parts: list[Write | Cut] = []
    begin, end = write.offset, write.offset + len(write.content)
    while begin < end:
        stop = min(end, (begin // SECTOR_BYTES + 1) * SECTOR_BYTES)
        parts.append(Write(begin, write.content[begin - write.offset : stop - write.offset]))
        begin = stop
    return parts


def _apply(content: bytearray, change: Write | Cut) -> None:
    if isinstance(change, Cut):
        del content[change.size_bytes :]
        return
    if len(content) < change.offset:
        content.extend(bytes(change.offset - len(content)))
    content[change.offset : change.offset + len(change.content)] = change.content
