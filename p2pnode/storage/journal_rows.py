"""Writes records into the journal's tables, inside a transaction that the caller holds."""

from collections.abc import Sequence
from dataclasses import astuple, replace
from typing import Any, assert_never

import apsw

from p2pnode.storage.database import intact
from p2pnode.storage.errors import Contradiction, DamagedData
from p2pnode.storage.journal_pruning import Prune, prune
from p2pnode.storage.journal_snapshots import DropPages, drop_pages
from p2pnode.storage.records import (
    FinalCommit,
    ForgottenBlock,
    JournalRecord,
    Note,
    OwnOperation,
    OwnSlot,
    PreparedReveal,
    SnapshotMark,
    SnapshotPage,
    SpentReveals,
    StoredBlock,
    StoredCertificate,
    Tally,
    block_checksum,
    lane_of,
    row_checksum,
)

_INSERT_SLOT = "INSERT INTO own_slot VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
_INSERT_OPERATION = "INSERT INTO own_operation VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
_INSERT_REVEAL = "INSERT INTO prepared_reveal VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
_INSERT_FINAL = "INSERT INTO final VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
_INSERT_CERTIFICATE = "INSERT INTO certificate VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
_REPLACE_MARK = "REPLACE INTO snapshot VALUES (?, ?, ?, ?, ?, ?, ?)"
_REPLACE_PAGE = "REPLACE INTO snapshot_page(epoch, number, raw, checksum) VALUES (?, ?, ?, ?)"

WrittenRecord = JournalRecord | ForgottenBlock | SpentReveals | Prune | DropPages


def check_batch(connection: apsw.Connection, records: Sequence[WrittenRecord]) -> None:
    """Refuses a batch in which a promise contradicts a durable one or another of the batch.

    Raises:
        Contradiction: A slot, a final index or a job's reveal already holds something else.
        DamagedData: What is stored there cannot be trusted.
    """
    promised: dict[str, bytes] = {}
    for record in records:
        match record:
            case OwnSlot():
                what = f"the block of epoch {record.epoch}, round {record.round}"
                offered = record.digest
                stored = _stored_slot(connection, record)
            case FinalCommit():
                what = f"the final commit {record.index}"
                offered = record.digest + record.state_digest
                stored = _stored_final(connection, record)
            case PreparedReveal():
                what = f"the reveal of job {record.job.hex()}"
                offered = row_checksum("prepared_reveal", (record.job, record.raw))
                stored = _stored_reveal(connection, record)
            case SnapshotMark():
                what = f"the snapshot before epoch {record.epoch}"
                offered = record.state_digest
                stored = _stored_mark(connection, record)
            case _:
                continue
        known = promised.setdefault(what, offered) if stored is None else stored
        if known != offered:
            raise Contradiction(what, known, offered)


def _stored_slot(connection: apsw.Connection, slot: OwnSlot) -> bytes | None:
    row = connection.execute(
        "SELECT epoch, round, digest, checksum FROM own_slot WHERE epoch = ? AND round = ?",
        (slot.epoch, slot.round),
    ).fetchone()
    return None if row is None else bytes(intact("own_slot", row)[2])


def _stored_final(connection: apsw.Connection, final: FinalCommit) -> bytes | None:
    row = connection.execute("SELECT * FROM final WHERE height = ?", (final.index,)).fetchone()
    if row is None:
        return None
    _, digest, state_digest = intact("final", row)
    return bytes(digest + state_digest)


def _stored_reveal(connection: apsw.Connection, reveal: PreparedReveal) -> bytes | None:
    row = connection.execute(
        "SELECT job, raw, checksum FROM prepared_reveal WHERE job = ?", (reveal.job,)
    ).fetchone()
    return None if row is None else row_checksum("prepared_reveal", intact("prepared_reveal", row))


def _stored_mark(connection: apsw.Connection, mark: SnapshotMark) -> bytes | None:
    """What a mark says of its state; a damaged one says nothing, and is replaced."""
    row = connection.execute("SELECT * FROM snapshot WHERE epoch = ?", (mark.epoch,)).fetchone()
    try:
        return None if row is None else bytes(intact("snapshot", row)[2])
    except DamagedData:
        return None


def write_batch(
    connection: apsw.Connection, records: Sequence[WrittenRecord], tally: Tally
) -> Tally:
    """Writes a batch that `check_batch` accepted and returns the row counts after it."""
    for record in records:
        tally = _write(connection, record, tally)
    return tally


def _write(connection: apsw.Connection, record: WrittenRecord, tally: Tally) -> Tally:
    match record:
        case StoredBlock():
            tally = _write_block(connection, record, tally)
        case OwnSlot():
            slot = (record.epoch, record.round, record.digest)
            new = _insert(connection, _INSERT_SLOT, "own_slot", slot)
            tally = replace(tally, own_slots=tally.own_slots + new)
        case OwnOperation():
            operation = (record.identifier, record.nonce, record.raw)
            new = _insert(connection, _INSERT_OPERATION, "own_operation", operation)
            tally = replace(tally, own_operations=tally.own_operations + new)
        case PreparedReveal():
            reveal = (record.job, record.raw)
            new = _insert(connection, _INSERT_REVEAL, "prepared_reveal", reveal)
            tally = replace(tally, prepared_reveals=tally.prepared_reveals + new)
        case FinalCommit():
            final = (record.index, record.digest, record.state_digest)
            new = _insert(connection, _INSERT_FINAL, "final", final)
            tally = replace(tally, finals=tally.finals + new)
        case Note():
            tally = _write_note(connection, record, tally)
        case SnapshotMark() | SnapshotPage() | StoredCertificate():
            tally = _write_end(connection, record, tally)
        case ForgottenBlock():
            _forget_block(connection, record.digest)
        case SpentReveals(jobs):
            tally = _drop_reveals(connection, jobs, tally)
        case Prune():
            tally = prune(connection, record, tally)
        case DropPages():
            drop_pages(connection)
        case _:
            assert_never(record)
    return tally


def _insert(
    connection: apsw.Connection, statement: str, table: str, values: tuple[Any, ...]
) -> int:
    connection.execute(statement, (*values, row_checksum(table, values)))
    return connection.changes()


def _write_end(
    connection: apsw.Connection,
    record: SnapshotMark | SnapshotPage | StoredCertificate,
    tally: Tally,
) -> Tally:
    """Writes what is kept of an epoch's end."""
    match record:
        case SnapshotPage():
            _insert(connection, _REPLACE_PAGE, "snapshot_page", astuple(record))
            return tally
        case StoredCertificate():
            new = _insert(connection, _INSERT_CERTIFICATE, "certificate", astuple(record))
            return replace(tally, certificates=tally.certificates + new)
        case SnapshotMark():
            known = connection.execute(
                "SELECT 1 FROM snapshot WHERE epoch = ?", (record.epoch,)
            ).fetchone()
            _insert(connection, _REPLACE_MARK, "snapshot", astuple(record))
            return tally if known else replace(tally, snapshots=tally.snapshots + 1)


def _write_note(connection: apsw.Connection, note: Note, tally: Tally) -> Tally:
    key = note.key.encode()
    known = connection.execute("SELECT 1 FROM note WHERE key = ?", (key,)).fetchone()
    _insert(connection, "REPLACE INTO note VALUES (?, ?, ?)", "note", (key, note.value))
    return tally if known else replace(tally, notes=tally.notes + 1)


def _write_block(connection: apsw.Connection, block: StoredBlock, tally: Tally) -> Tally:
    known = connection.execute(
        "SELECT sequence, raw IS NULL FROM block WHERE digest = ?", (block.digest,)
    ).fetchone()
    if known is not None and not known[1]:
        return tally
    sequence = tally.blocks + 1 if known is None else int(known[0])
    lane = lane_of(block.epoch, block.author)
    reach = max(block.round, _reach_before(connection, lane, sequence))
    place = (sequence, block.digest, lane, block.round, block.epoch, reach)
    connection.execute(
        "REPLACE INTO block VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (*place, block_checksum(place, block.raw), block.raw),
    )
    return replace(tally, blocks=max(tally.blocks, sequence))


def _reach_before(connection: apsw.Connection, lane: int, sequence: int) -> int:
    """The highest round among the lane's blocks before this place, or -1."""
    reach = connection.execute(
        "SELECT reach FROM block WHERE author = ? AND sequence < ? "
        "ORDER BY reach DESC, sequence DESC LIMIT 1",
        (lane, sequence),
    ).get
    return -1 if reach is None else int(reach)


def _drop_reveals(connection: apsw.Connection, jobs: Sequence[bytes], tally: Tally) -> Tally:
    dropped = 0
    for job in jobs:
        connection.execute("DELETE FROM prepared_reveal WHERE job = ?", (job,))
        dropped += connection.changes()
    return replace(tally, prepared_reveals=tally.prepared_reveals - dropped)


def _forget_block(connection: apsw.Connection, digest: bytes) -> None:
    """Drops the bytes of a block and keeps its place in the order of acceptance.

    The damage may be in the digest or the author itself, where the indexes still hold the old
    value: they are rebuilt first. This is rare, so that its cost does not matter.
    """
    connection.execute("REINDEX block")
    row = connection.execute(
        "SELECT sequence, digest, author, round, epoch, reach FROM block WHERE digest = ?",
        (digest,),
    ).fetchone()
    if row is None:
        return
    if not all(isinstance(value, (int, bytes)) for value in row):
        raise DamagedData("the place of a block", None, digest)
    connection.execute(
        "UPDATE block SET raw = NULL, checksum = ? WHERE sequence = ?",
        (block_checksum(row, None), row[0]),
    )
