"""The journal as a newcomer fills it and as others are served out of it.

A snapshot is named here by the epoch that it ends; the journal names it by the first epoch that is
not in it.
"""

from collections.abc import Sequence
from typing import Final

from p2pnode.arrival.wire import NO_EPOCH, Standing
from p2pnode.snapshots import mark_of, written_note
from p2pnode.storage import Journal, JournalReader, Note, PageShelf, StoredCertificate
from protocol.ledger.certificate import Boundary
from protocol.snapshot import Snapshot
from protocol.units import Epoch

FETCHED_NOTE: Final = "fetched"
"""Under this name the journal remembers the last end at which a fetched state took over."""
LOOK_BYTES: Final = 256 * 1024
"""More than any block has: to see whether there is one."""
UNKNOWN_NONCE: Final = 0
"""No own operation is known to be in a fetched snapshot; one that is drops out when it is final."""


def is_whole(journal: JournalReader) -> bool:
    """Whether a journal has all blocks since genesis, as far as this node has come."""
    if journal.pruned():
        return False
    fetched = journal.note(FETCHED_NOTE)
    epoch = int.from_bytes(fetched or b"", "big")
    return not fetched or bool(journal.blocks_beyond(epoch, (), LOOK_BYTES))


class JournalStore:
    """What one node keeps of the ends of epochs.

    Args:
        journal: Of the node.
        shelf: For the pages of a snapshot that is on its way.

    Attributes:
        shelf: As given.
    """

    def __init__(self, journal: Journal, shelf: PageShelf) -> None:
        self.shelf = shelf
        self._journal = journal

    async def standing(self) -> Standing:
        """What there is."""
        journal = self._journal
        span = journal.certificate_span()
        marks = journal.snapshots()
        snapshots = tuple(sorted(mark.epoch - 1 for mark in marks))
        return Standing(*(span or (NO_EPOCH, NO_EPOCH)), await self._first_blocks(), snapshots)

    async def _first_blocks(self) -> int:
        """The oldest epoch from which on there are all blocks."""
        fetched = self._journal.note(FETCHED_NOTE)
        if fetched:
            epoch = int.from_bytes(fetched, "big")
            if not await self._journal.blocks_beyond(epoch, (), LOOK_BYTES):
                return epoch + 1
        block = next((one for _, one in self._journal.blocks()), None)
        return 0 if block is None else block.epoch

    async def certificates(self, first: int, count: int) -> Sequence[bytes]:
        """Certificates of consecutive epochs from this one on; none where it is not here."""
        return [one.raw for one in await self._journal.certificates(first, count)]

    async def page_count(self, epoch: int) -> int:
        """How many pages the snapshot at an epoch's end has; 0 where there is none."""
        marks = self._journal.snapshots()
        return next((mark.pages for mark in marks if mark.epoch == epoch + 1), 0)

    async def page(self, epoch: int, number: int) -> bytes | None:
        """One of its pages; None where there is none."""
        return await self._journal.snapshot_page(epoch + 1, number)

    async def keep_certificates(self, first: Epoch, raws: Sequence[bytes]) -> None:
        """Keeps certificates of consecutive epochs; one that is here already stays as it is."""
        await self._journal.append(
            [StoredCertificate(first + number, raw) for number, raw in enumerate(raws)]
        )

    async def install(self, boundary: Boundary, pages: Sequence[bytes]) -> None:
        """Makes the state at the end of an epoch durable: the next start begins there."""
        await self._journal.append([Note(FETCHED_NOTE, boundary.epoch.to_bytes(8, "big"))])
        mark = mark_of(Snapshot(boundary, pages), UNKNOWN_NONCE)
        whole = await self._journal.write_snapshot(mark, iter(pages))
        await self._journal.append([written_note(whole)])
