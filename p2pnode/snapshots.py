"""Writes this node's own snapshots while it runs, one page after the other."""

from time import monotonic

import structlog

from p2pnode.storage import Journal, SnapshotMark, StorageError
from protocol import effects as fx
from protocol.snapshot import Snapshot, encode_boundary

log = structlog.get_logger(__name__)


def mark_of(snapshot: Snapshot, own_nonce: int) -> SnapshotMark:
    """What the journal is to note of a snapshot; it counts the pages itself."""
    boundary = snapshot.boundary
    return SnapshotMark(
        boundary.epoch + 1,
        boundary.index,
        boundary.state_digest,
        own_nonce,
        pages=0,
        boundary=encode_boundary(boundary),
    )


class SnapshotKeeper:
    """Writes one snapshot at a time; of those that come meanwhile only the newest waits.

    A node that catches up passes one end after the other, and each snapshot holds on to a state.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._waiting: fx.PersistSnapshot | None = None
        self._is_writing = False

    async def keep(self, effect: fx.PersistSnapshot) -> None:
        """Writes a snapshot, or leaves it to the call that is writing."""
        self._waiting = effect
        if self._is_writing:
            return
        self._is_writing = True
        try:
            while (chosen := self._waiting) is not None:
                self._waiting = None
                await keep_snapshot(self._journal, chosen)
        finally:
            self._is_writing = False


async def keep_snapshot(journal: Journal, effect: fx.PersistSnapshot) -> None:
    """Writes a snapshot; where the disk refuses, this end has none, and the node goes on."""
    started = monotonic()
    mark = mark_of(effect.snapshot, effect.own_nonce)
    try:
        whole = await journal.write_snapshot(mark, iter(effect.snapshot.pages))
    except StorageError as error:
        consequence = "a start replays more blocks, until the next epoch's snapshot is written"
        log.error("snapshot_failed", epoch=mark.epoch, detail=str(error), consequence=consequence)
        return
    seconds = round(monotonic() - started, 3)
    log.info("snapshot_written", epoch=mark.epoch, pages=whole.pages, seconds=seconds)
