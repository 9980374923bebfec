"""Writes this node's own snapshots while it runs, one page after the other."""

from itertools import islice
from time import monotonic, time_ns
from typing import Final

import structlog

from p2pnode.storage import Journal, Note, SnapshotMark, StorageError
from protocol import effects as fx
from protocol.snapshot import Snapshot, encode_boundary
from protocol.units import MILLISECOND, JobId

WRITTEN_NOTE: Final = "snapshot-written"
"""Under this name the journal remembers when the newest snapshot was whole."""
TIME_BYTES: Final = 8
SNAPSHOTS_KEPT: Final = 2
"""Whole snapshots of which a start takes the newest that is intact."""
REVEALS_DROPPED_MAX: Final = 5_000
"""Most that go after one snapshot, in one transaction: the node's own writes wait so long."""

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


def written_note(mark: SnapshotMark) -> Note:
    """Notes that a snapshot is whole now: its epoch and this machine's time."""
    now_ms = time_ns() // MILLISECOND
    value = mark.epoch.to_bytes(TIME_BYTES, "big") + now_ms.to_bytes(TIME_BYTES, "big")
    return Note(WRITTEN_NOTE, value)


def written_ms(journal: Journal, mark: SnapshotMark) -> int | None:
    """When a snapshot was whole, in milliseconds of this machine's time; None if not noted."""
    value = journal.note(WRITTEN_NOTE) or b""
    epoch, at = value[:TIME_BYTES], value[TIME_BYTES:]
    is_noted = len(value) == 2 * TIME_BYTES and int.from_bytes(epoch, "big") == mark.epoch
    return int.from_bytes(at, "big") if is_noted else None


class SnapshotKeeper:
    """Writes one snapshot at a time; of those that come meanwhile only the newest waits.

    A node that catches up passes one end after the other, and each snapshot holds on to a state.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._waiting: fx.PersistSnapshot | None = None
        self._is_writing = False
        self._spent: dict[JobId, int] = {}
        """Jobs whose reveals may go, each with the first epoch after the end that it is over in."""

    async def keep(self, effect: fx.PersistSnapshot) -> None:
        """Writes a snapshot, or leaves it to the call that is writing.

        Of the newest two, a start may begin at either: a reveal goes when its job is over in both.
        """
        self._waiting = effect
        self._spent |= dict.fromkeys(effect.spent, effect.snapshot.boundary.epoch + 1)
        if self._is_writing:
            return
        self._is_writing = True
        try:
            while (chosen := self._waiting) is not None:
                self._waiting = None
                await keep_snapshot(self._journal, chosen)
                await self._drop_reveals()
        finally:
            self._is_writing = False

    async def _drop_reveals(self) -> None:
        """Drops what no start can need; what the disk refuses now goes with a later snapshot."""
        marks = self._journal.snapshots() if self._spent else ()
        if len(marks) < SNAPSHOTS_KEPT:
            return
        over = (job for job, epoch in self._spent.items() if epoch <= marks[-1].epoch)
        jobs = tuple(islice(over, REVEALS_DROPPED_MAX))
        try:
            await self._journal.drop_reveals(jobs)
        except StorageError as error:
            consequence = "reveals of ended jobs stay until a later snapshot"
            log.warning("reveals_not_dropped", detail=str(error), consequence=consequence)
            return
        for job in jobs:
            del self._spent[job]


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
    try:
        await journal.append([written_note(whole)])
    except StorageError as error:
        consequence = "the status does not say when it was written"
        log.warning("snapshot_time_lost", detail=str(error), consequence=consequence)
    seconds = round(monotonic() - started, 3)
    log.info("snapshot_written", epoch=mark.epoch, pages=whole.pages, seconds=seconds)
