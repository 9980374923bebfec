"""Reads the journal, and believes nothing that does not match its digest or checksum."""

import heapq
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import apsw

from p2pnode.storage.database import (
    JOURNAL_FILE,
    check_identity,
    connect_reader,
    intact,
    read_tally,
    translated,
)
from p2pnode.storage.errors import DamagedData
from p2pnode.storage.journal_sizes import JournalSizes, read_sizes
from p2pnode.storage.journal_snapshots import (
    has_old_pages,
    read_certificate_span,
    read_certificates,
    read_marks,
    read_page,
)
from p2pnode.storage.records import (
    LANES,
    FinalCommit,
    JournalStatistics,
    Note,
    OwnOperation,
    OwnSlot,
    PreparedReveal,
    SnapshotMark,
    SnapshotPage,
    StoredBlock,
    StoredCertificate,
    block_checksum,
    lane_of,
)

PAGE_BLOCKS = 64
"""Blocks read at once by `blocks`: between pages no transaction stays open."""

_BLOCK_COLUMNS = "SELECT sequence, digest, author, round, epoch, reach, checksum, raw FROM block "
_BLOCKS_AFTER = _BLOCK_COLUMNS + "WHERE sequence > ? ORDER BY sequence LIMIT ?"
_FIRST_OF = "SELECT min(sequence) FROM block WHERE author >= ?"
_BLOCK_AT = _BLOCK_COLUMNS + "WHERE sequence = ?"
_BLOCK_NAMED = _BLOCK_COLUMNS + "WHERE digest = ?"
_SEQUENCES_BEYOND = (
    "SELECT sequence FROM block WHERE author = ?1 AND reach > ?2 AND round > ?2 "
    "ORDER BY reach, sequence"
)


class JournalReader:
    """One reading connection; used by one thread at a time."""

    def __init__(
        self, path: Path, connection: apsw.Connection, hash_block: Callable[[bytes], bytes]
    ) -> None:
        self._path = path
        self._connection = connection
        self._hash_block = hash_block

    def close(self) -> None:
        """Ends the connection."""
        with translated():
            self._connection.close()

    def blocks(self, after_sequence: int = 0) -> Iterator[tuple[int, StoredBlock]]:
        """Blocks with their sequence numbers, in the order in which they were accepted.

        Forgotten and pruned blocks are left out. Blocks that are appended meanwhile are included.

        Args:
            after_sequence: Where to begin, such as what `before_epoch` says.

        Raises:
            DamagedData: A block is damaged; its digest is named and the walk can be taken up
                again after its sequence number.
        """
        last = after_sequence
        while True:
            last, rows = self._page(last)
            if not rows:
                return
            for row in rows:
                if row[0] != last + 1:
                    raise DamagedData("a block is missing from the journal", last + 1)
                last += 1
                block = self._verified(row)
                if block is not None:
                    yield last, block

    def before_epoch(self, epoch: int) -> int:
        """The sequence number behind which every block of an epoch and of later ones lies."""
        with translated():
            first = self._connection.execute(_FIRST_OF, (lane_of(epoch, 0),)).get
            return read_tally(self._connection).blocks if first is None else int(first) - 1

    def newest_epoch(self) -> int:
        """The newest epoch of which there is a block; 0 where there is none."""
        with translated():
            lane = self._connection.execute("SELECT max(author) FROM block").get
        return 0 if lane is None else int(lane) // LANES

    def _page(self, last: int) -> tuple[int, list[tuple[Any, ...]]]:
        """The next blocks, and the number before the first of them, which pruning may raise."""
        with translated(), self._connection:
            tally = read_tally(self._connection)
            last = max(last, tally.pruned)
            rows = self._connection.execute(_BLOCKS_AFTER, (last, PAGE_BLOCKS)).fetchall()
        if not rows and tally.blocks > last:
            raise DamagedData("a block is missing from the journal", last + 1)
        return last, rows

    def _verified(self, row: tuple[Any, ...]) -> StoredBlock | None:
        place, checksum, raw = row[:6], row[6], row[7]
        sequence, digest, lane, round_, epoch, _ = place
        named = digest if isinstance(digest, bytes) else None
        if block_checksum(place, raw) != checksum:
            raise DamagedData("the place of a block", sequence, named)
        if raw is None:
            return None
        if not isinstance(raw, bytes) or self._hash_block(raw) != digest:
            raise DamagedData("the content of a block", sequence, named)
        return StoredBlock(digest, lane % LANES, round_, epoch, raw)

    def block(self, digest: bytes) -> StoredBlock | None:
        """The block with this digest, or None if it is not stored or was forgotten.

        Raises:
            DamagedData: It is damaged.
        """
        with translated():
            row = self._connection.execute(_BLOCK_NAMED, (digest,)).fetchone()
        return None if row is None else self._verified(row)

    def blocks_beyond(
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
        blocks: list[StoredBlock] = []
        room_bytes = limit_bytes
        beyond = self._sequences_beyond(epoch, have)
        with translated(), self._connection, closing(beyond):
            for (sequence,) in beyond:
                row = self._connection.execute(_BLOCK_AT, (sequence,)).fetchone()
                block = None if row is None else self._verified(row)
                if block is None:
                    continue
                room_bytes -= len(block.raw)
                if room_bytes < 0:
                    break
                blocks.append(block)
        return tuple(blocks)

    def _sequences_beyond(
        self, epoch: int, have: Sequence[int]
    ) -> Generator[tuple[int], None, None]:
        """Merges one stream per author.

        `reach` is the highest round of the author up to and including a block: it never falls
        along the sequence, so the index finds each stream's first block without a scan, and the
        stream is in order of acceptance although an equivocator's rounds are not.
        """
        streams = [
            self._connection.execute(
                _SEQUENCES_BEYOND,
                (lane_of(epoch, author), have[author] if author < len(have) else -1),
            )
            for author in self._authors(epoch)
        ]
        try:
            yield from heapq.merge(*streams)
        finally:
            for stream in streams:
                stream.close(True)

    def _authors(self, epoch: int) -> Generator[int, None, None]:
        lane, last = lane_of(epoch, 0) - 1, lane_of(epoch, LANES - 1)
        while True:
            lane = self._connection.execute(
                "SELECT min(author) FROM block WHERE author > ? AND author <= ?", (lane, last)
            ).get
            if lane is None:
                return
            yield lane % LANES

    def own_slots(self) -> tuple[OwnSlot, ...]:
        """Everything that this node signed in slots, in order of epoch and round."""
        rows = self._all("own_slot", "SELECT * FROM own_slot ORDER BY epoch, round")
        return tuple(OwnSlot(*row) for row in rows)

    def own_operations(self) -> tuple[OwnOperation, ...]:
        """The operations of this node's account, in order of nonce."""
        rows = self._all("own_operation", "SELECT * FROM own_operation ORDER BY nonce, identifier")
        return tuple(OwnOperation(*row) for row in rows)

    def prepared_reveals(self) -> tuple[PreparedReveal, ...]:
        """The reveals that this node has prepared, in order of job."""
        rows = self._all("prepared_reveal", "SELECT * FROM prepared_reveal ORDER BY job")
        return tuple(PreparedReveal(*row) for row in rows)

    def _notes(self) -> tuple[Note, ...]:
        rows = self._all("note", "SELECT * FROM note ORDER BY key")
        return tuple(Note(key.decode(), value) for key, value in rows)

    def _all(self, table: str, statement: str) -> list[tuple[Any, ...]]:
        """Every row of a table, whose number has to be the one that the last commit counted."""
        with translated(), self._connection:
            tally = read_tally(self._connection)
            rows = self._connection.execute(statement).fetchall()
        expected = {
            "own_slot": tally.own_slots,
            "own_operation": tally.own_operations,
            "prepared_reveal": tally.prepared_reveals,
            "final": tally.finals,
            "note": tally.notes,
        }
        if len(rows) != expected[table]:
            raise DamagedData(f"rows are missing from the journal's table {table}")
        return [intact(table, row) for row in rows]

    def last_final(self) -> FinalCommit | None:
        """The final commit with the highest index."""
        with translated(), self._connection:
            row = self._connection.execute(
                "SELECT * FROM final ORDER BY height DESC LIMIT 1"
            ).fetchone()
            if row is None and read_tally(self._connection).finals:
                raise DamagedData("rows are missing from the journal's table final")
        return None if row is None else FinalCommit(*intact("final", row))

    def final(self, index: int) -> FinalCommit | None:
        """The final commit with this index, or None if it is not final here."""
        with translated():
            row = self._connection.execute(
                "SELECT * FROM final WHERE height = ?", (index,)
            ).fetchone()
        if row is not None:
            return FinalCommit(*intact("final", row))
        last = self.last_final()
        if last is not None and index < last.index:
            self._all("final", "SELECT * FROM final")
        return None

    def snapshots(self) -> tuple[SnapshotMark, ...]:
        """The snapshots that are whole, the newest first."""
        with translated():
            return read_marks(self._connection)

    def snapshot_page(self, epoch: int, number: int) -> SnapshotPage | None:
        """A page of one of `snapshots`, or None where there is none.

        Raises:
            DamagedData: It is damaged or missing.
        """
        with translated():
            return read_page(self._connection, epoch, number)

    def snapshot_pages(self, mark: SnapshotMark) -> Iterator[bytes]:
        """All pages of a snapshot, each read when its turn comes.

        Raises:
            DamagedData: One of them is damaged or missing.
        """
        for number in range(mark.pages):
            page = self.snapshot_page(mark.epoch, number)
            if page is None:
                raise DamagedData(f"the snapshot before epoch {mark.epoch}")
            yield page.raw

    def has_old_pages(self) -> bool:
        """Whether there are pages of snapshots that newer ones have taken the place of."""
        with translated():
            return has_old_pages(self._connection)

    def certificates(self, first_epoch: int, count: int) -> tuple[StoredCertificate, ...]:
        """Certificates of one epoch after the other, up to the first that is not here.

        Raises:
            DamagedData: One of them is damaged.
        """
        with translated():
            return read_certificates(self._connection, first_epoch, count)

    def certificate_span(self) -> tuple[int, int] | None:
        """The first and the last epoch of which there is a certificate."""
        with translated():
            return read_certificate_span(self._connection)

    def pruned(self) -> int:
        """How many of the first blocks were dropped because a snapshot stands for them."""
        with translated():
            return read_tally(self._connection).pruned

    def note(self, key: str) -> bytes | None:
        """The last value noted under this key."""
        values = {note.key: note.value for note in self._notes()}
        return values.get(key)

    def sizes(self) -> JournalSizes:
        """What the journal holds and what it takes on the disk."""
        with translated():
            return read_sizes(self._connection, self._path)

    def statistics(self) -> JournalStatistics:
        """The size of the journal."""
        with translated():
            tally = read_tally(self._connection)
        rows = tally.blocks - tally.pruned + tally.own_slots + tally.own_operations
        rows += tally.prepared_reveals + tally.finals + tally.notes + tally.snapshots
        rows += tally.certificates
        files = (self._path, self._path.with_name(self._path.name + "-wal"))
        return JournalStatistics(rows, sum(f.stat().st_size for f in files if f.exists()))


def copy_journal(folder: Path, target: Path) -> None:
    """Writes one moment of a journal into a new file, also beside a running node.

    Raises:
        JournalMissing: There is none.
        StorageFailed: The target exists, or the disk refused.
    """
    with translated():
        connection = connect_reader(folder / JOURNAL_FILE, "")
        try:
            connection.execute("VACUUM INTO ?", (str(target),))
        finally:
            connection.close()


def replace_journal(folder: Path, copy: Path) -> None:
    """Puts a copy in the place of the journal of a node that does not run."""
    path = folder / JOURNAL_FILE
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    copy.replace(path)


@contextmanager
def open_readonly(folder: Path, hash_block: Callable[[bytes], bytes]) -> Iterator[JournalReader]:
    """Opens a journal for export or verification, also beside a running node.

    Args:
        folder: The node's data folder.
        hash_block: Gives the digest under which raw block bytes have to be stored.

    Raises:
        JournalMissing: There is none.
        NewerSchema: A newer program wrote it.
        DamagedData: It is damaged.
    """
    path = folder / JOURNAL_FILE
    with translated():
        connection = connect_reader(path, "")
    reader = JournalReader(path, connection, hash_block)
    try:
        with translated():
            check_identity(connection, None)
        yield reader
    finally:
        reader.close()
