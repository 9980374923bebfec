"""The durable log of one node: what is acknowledged here survives a crash of node or machine.

The driver appends everything that one step of the protocol core asks to persist, waits, and only
then performs the effects that depend on it. After a restart the core is rebuilt from here.
"""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import apsw
import trio

from p2pnode.storage.compaction import compact
from p2pnode.storage.database import (
    JOURNAL_FILE,
    Identity,
    check_identity,
    check_structure,
    connect_reader,
    connect_writer,
    create_tables,
    has_tables,
    translated,
)
from p2pnode.storage.disk import sync_folder
from p2pnode.storage.journal_pruning import Prune
from p2pnode.storage.journal_reader import JournalReader
from p2pnode.storage.journal_rows import WrittenRecord
from p2pnode.storage.journal_sizes import JournalSizes
from p2pnode.storage.journal_snapshots import DropPages
from p2pnode.storage.journal_writer import Batch, JournalWriter
from p2pnode.storage.log_check import check_log
from p2pnode.storage.migrations import migrate
from p2pnode.storage.records import (
    FinalCommit,
    ForgottenBlock,
    JournalRecord,
    JournalStatistics,
    OwnOperation,
    OwnSlot,
    PreparedReveal,
    SnapshotMark,
    SnapshotPage,
    SpentReveals,
    StoredBlock,
    StoredCertificate,
)

PENDING_BATCHES = 1_024
"""Most batches that wait for the disk; further callers of `append` wait for a place."""


@dataclass(frozen=True, slots=True)
class _Parts:
    writer: JournalWriter
    near: JournalReader
    """Used in the event loop's thread."""
    far: JournalReader
    """Used in worker threads, one at a time."""
    prepared: "_Prepared"


@dataclass(frozen=True, slots=True)
class _Prepared:
    """What was done to the file before anybody reads it."""

    backup: Path | None
    freed_bytes: int


class Journal:
    """The open journal; belongs to one event loop. Made by `open_journal`.

    Attributes:
        backup: The copy that was made before this start changed the schema, or None.
        freed_bytes: What this start gave back to the disk.
    """

    def __init__(self, parts: _Parts) -> None:
        self.backup = parts.prepared.backup
        self.freed_bytes = parts.prepared.freed_bytes
        self._writer = parts.writer
        self._near = parts.near
        self._far = parts.far
        self._far_lock = trio.Lock()
        self._snapshot_lock = trio.Lock()
        self._places = trio.Semaphore(PENDING_BATCHES)
        self._token = trio.lowlevel.current_trio_token()

    async def append(self, records: Sequence[JournalRecord]) -> None:
        """Makes the records durable, all or none; returns when they are synced to the disk.

        Records that are already stored are skipped. Batches become durable in the order of the
        calls. If the wait is cancelled, the records may or may not become durable.

        Raises:
            Contradiction: A slot, final index or reveal already holds something else.
            StorageFailed: The disk refused; repeat when it has space again.
            DamagedData: What the records had to be compared with is damaged.
        """
        await self._write(tuple(records))

    async def forget_damaged(self, digest: bytes) -> None:
        """Drops the bytes of a damaged block, so that it can be fetched from peers again.

        A fresh copy that is appended later takes the old place in the order of acceptance.

        Raises:
            StorageFailed: The disk refused.
            DamagedData: The damage goes beyond the block.
        """
        await self._write((ForgottenBlock(digest),))

    async def drop_reveals(self, jobs: Sequence[bytes]) -> None:
        """Drops the reveals of jobs that are over, whatever a later start begins with.

        Raises:
            StorageFailed: The disk refused.
        """
        await self._write((SpentReveals(tuple(jobs)),))

    async def prune(self, keep_epochs: int | None, keep_chain: int | None = None) -> bool:
        """Drops some of what the newest durable snapshot makes superfluous.

        Args:
            keep_epochs: Whole epochs before that snapshot that stay all the same; None for all.
            keep_chain: Certificates that stay before the one of its end; None for all.

        Returns:
            Whether anything was dropped: then there may be more.

        Raises:
            StorageFailed: The disk refused.
            DamagedData: How far pruning may go cannot be trusted.
        """
        before = self._near.statistics().rows
        await self._write((Prune(keep_epochs, keep_chain),))
        return self._near.statistics().rows < before

    async def write_snapshot(
        self,
        mark: SnapshotMark,
        pages: Iterator[bytes],
        certificates: Sequence[StoredCertificate] = (),
    ) -> SnapshotMark:
        """Writes a snapshot page by page while other records are written between them.

        It counts once it is whole: whoever stops before has the earlier ones. Afterwards the pages
        of all but the newest two are dropped.

        Args:
            mark: What to note of it; `pages` is counted here.
            pages: In order. Each is made in a worker thread when its turn comes.
            certificates: To be kept beside it.

        Returns:
            The mark as it was written.

        Raises:
            Contradiction: There is one of another state at this place.
            StorageFailed: The disk refused.
        """
        async with self._snapshot_lock:
            await self._write(tuple(certificates))
            count = 0
            while (raw := await trio.to_thread.run_sync(next, pages, None)) is not None:
                await self._write((SnapshotPage(mark.epoch, count, raw),))
                count += 1
            whole = replace(mark, pages=count)
            await self._write((whole,))
            while self._near.has_old_pages():
                await self._write((DropPages(),))
        return whole

    async def _write(self, records: tuple[WrittenRecord, ...]) -> None:
        if not records:
            await trio.lowlevel.checkpoint()
            return
        async with self._places:
            settled = trio.Event()
            batch = Batch(records, lambda: self._wake(settled))
            self._writer.submit(batch)
            await settled.wait()
        if batch.failure is not None:
            raise batch.failure

    def _wake(self, settled: trio.Event) -> None:
        with suppress(trio.RunFinishedError):
            self._token.run_sync_soon(settled.set)

    def blocks(self, after_sequence: int = 0) -> Iterator[tuple[int, StoredBlock]]:
        """Blocks with their sequence numbers, in the order in which they were accepted.

        Reads in the caller's thread: meant for the start, before the node serves anybody.

        Raises:
            DamagedData: A block is damaged; its digest is named and the walk can be taken up
                again after its sequence number.
        """
        return self._near.blocks(after_sequence)

    async def block(self, digest: bytes) -> StoredBlock | None:
        """The block with this digest, or None if it is not stored or was forgotten.

        Raises:
            DamagedData: It is damaged.
        """
        async with self._far_lock:
            return await trio.to_thread.run_sync(self._far.block, digest)

    async def blocks_beyond(
        self, epoch: int, have: Sequence[int], limit_bytes: int
    ) -> tuple[StoredBlock, ...]:
        """The first blocks of an epoch that a peer lacks, in order of acceptance.

        A block is beyond when its round is above `have[author]`; of an author that `have` does
        not reach, every block is. All variants of an equivocating author count alike.

        Args:
            epoch: Whose blocks to look at.
            have: For each author, the highest round up to which the peer has everything.
            limit_bytes: Most bytes that the raw blocks may have together; a first block that is
                larger gives an empty answer.

        Raises:
            DamagedData: One of the blocks is damaged.
        """
        async with self._far_lock:
            return await trio.to_thread.run_sync(self._far.blocks_beyond, epoch, have, limit_bytes)

    def before_epoch(self, epoch: int) -> int:
        """The sequence number behind which every block of an epoch and of later ones lies."""
        return self._near.before_epoch(epoch)

    def newest_epoch(self) -> int:
        """The newest epoch of which there is a block; 0 where there is none."""
        return self._near.newest_epoch()

    def pruned(self) -> int:
        """How many of the first blocks were dropped because a snapshot stands for them."""
        return self._near.pruned()

    def snapshots(self) -> tuple[SnapshotMark, ...]:
        """The snapshots that are whole, the newest first; at most two."""
        return self._near.snapshots()

    def snapshot_pages(self, mark: SnapshotMark) -> Iterator[bytes]:
        """All pages of a snapshot, each read when its turn comes, in the caller's thread.

        Raises:
            DamagedData: One of them is damaged or missing.
        """
        return self._near.snapshot_pages(mark)

    async def snapshot_page(self, epoch: int, number: int) -> bytes | None:
        """A page of a snapshot, or None where there is none.

        Args:
            epoch: The first one that is not in the snapshot, as in its mark.
            number: Of the page.

        Raises:
            DamagedData: It is damaged.
        """
        async with self._far_lock:
            page = await trio.to_thread.run_sync(self._far.snapshot_page, epoch, number)
        return None if page is None else page.raw

    async def certificates(self, first_epoch: int, count: int) -> tuple[StoredCertificate, ...]:
        """Certificates of one epoch after the other, up to the first that is not here.

        Raises:
            DamagedData: One of them is damaged.
        """
        async with self._far_lock:
            return await trio.to_thread.run_sync(self._far.certificates, first_epoch, count)

    def certificate_span(self) -> tuple[int, int] | None:
        """The first and the last epoch of which there is a certificate; None where there is none.

        An epoch between them may have none.
        """
        return self._near.certificate_span()

    def own_slots(self) -> tuple[OwnSlot, ...]:
        """Everything that this node signed in slots, in order of epoch and round."""
        return self._near.own_slots()

    def own_operations(self) -> tuple[OwnOperation, ...]:
        """The operations of this node's account, in order of nonce."""
        return self._near.own_operations()

    def prepared_reveals(self) -> tuple[PreparedReveal, ...]:
        """The reveals that this node has prepared, in order of job."""
        return self._near.prepared_reveals()

    def last_final(self) -> FinalCommit | None:
        """The final commit with the highest index."""
        return self._near.last_final()

    def final(self, index: int) -> FinalCommit | None:
        """The final commit with this index, or None if it is not final here."""
        return self._near.final(index)

    def note(self, key: str) -> bytes | None:
        """The last value noted under this key."""
        return self._near.note(key)

    def statistics(self) -> JournalStatistics:
        """The size of the journal."""
        return self._near.statistics()

    async def sizes(self) -> JournalSizes:
        """What the journal holds and what it takes on the disk.

        Raises:
            DamagedData: What it counts is damaged.
        """
        async with self._far_lock:
            return await trio.to_thread.run_sync(self._far.sizes)


@asynccontextmanager
async def open_journal(
    folder: Path,
    network: bytes,
    account: bytes,
    *,
    hash_block: Callable[[bytes], bytes],
    vfs: str = "",
) -> AsyncIterator[Journal]:
    """Opens the journal of a data folder whose lock the caller holds; creates it if missing.

    Args:
        folder: The data folder; it exists.
        network: Identifier of the network.
        account: Public key under which this node signs.
        hash_block: Gives the digest under which raw block bytes have to be stored.
        vfs: Name of a registered SQLite file system; tests simulate faulty disks with it.

    Raises:
        WrongNetwork: The journal belongs to another network.
        WrongAccount: It belongs to another account.
        NewerSchema: A newer program wrote it.
        DamagedData: Its structure is damaged.
        StorageFailed: The disk refused.
    """
    identity = Identity(network, account)
    path = folder / JOURNAL_FILE
    parts = await trio.to_thread.run_sync(_open_parts, path, identity, hash_block, vfs)
    try:
        yield Journal(parts)
    finally:
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(_close_parts, parts)


def _open_parts(
    path: Path, identity: Identity, hash_block: Callable[[bytes], bytes], vfs: str
) -> _Parts:
    opened: list[apsw.Connection] = []
    try:
        with translated():
            writing = connect_writer(path, vfs)
            opened.append(writing)
            prepared = _prepare(writing, path, identity)
            opened.extend(connect_reader(path, vfs) for _ in range(2))
            near, far = (JournalReader(path, reading, hash_block) for reading in opened[1:])
            parts = _Parts(JournalWriter(writing), near, far, prepared)
            opened.clear()
            return parts
    finally:
        for connection in reversed(opened):
            with suppress(apsw.Error):  # the reason why opening failed is already on its way
                connection.close()


def _prepare(connection: apsw.Connection, path: Path, identity: Identity) -> _Prepared:
    """Creates, checks or migrates the tables, and gives free space back to the disk."""
    frames, _ = connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
    check_log(path.with_name(f"{path.name}-wal"), frames)
    if not has_tables(connection):
        create_tables(connection, identity)
    schema = check_identity(connection, identity)
    check_structure(connection)
    sync_folder(path.parent)  # each time: a kill may have come between creation and this line
    backup = migrate(connection, path, schema)
    return _Prepared(backup, compact(connection, path.parent))


def _close_parts(parts: _Parts) -> None:
    """Closes the writer last: the last connection folds the write-ahead log into the file."""
    with ExitStack() as closing:
        closing.callback(parts.writer.close)
        closing.callback(parts.far.close)
        closing.callback(parts.near.close)
