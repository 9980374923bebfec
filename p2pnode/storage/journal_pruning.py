"""Drops what a durable snapshot makes superfluous, a little at a time.

A restart needs the newest snapshot and everything after it. What lies before may be kept as long as
the operator wants: another node may ask for it, and an auditor. Certificates have a bound of their
own, since they are small, and newcomers need them for longer than blocks.
"""

from dataclasses import dataclass, replace

import apsw

from p2pnode.storage.database import intact
from p2pnode.storage.errors import DamagedData
from p2pnode.storage.journal_snapshots import DROP_MARKS
from p2pnode.storage.records import SnapshotMark, Tally

PRUNED_BLOCKS_MAX = 1_000
"""Most blocks that one transaction drops: the node's own writes wait so long."""
PRUNED_ROWS_MAX = 5_000
"""Most slots, most final commits and most marks that one transaction drops; they are small."""
PRUNED_CERTIFICATES_MAX = 500
"""Most certificates that one transaction drops: two megabytes of a committee of 32."""

_NEWEST_MARKS = "SELECT * FROM snapshot ORDER BY epoch DESC LIMIT 2"
_MARK_UP_TO = "SELECT * FROM snapshot WHERE epoch <= ? ORDER BY epoch DESC LIMIT 1"
_DROP_SLOTS = (
    "DELETE FROM own_slot WHERE (epoch, round) IN "
    "(SELECT epoch, round FROM own_slot WHERE epoch < ? LIMIT ?)"
)
_DROP_FINALS = (
    "DELETE FROM final WHERE height IN (SELECT height FROM final WHERE height < ? LIMIT ?)"
)
_DROP_OPERATIONS = "DELETE FROM own_operation WHERE nonce < ?"
_DROP_CERTIFICATES = (
    "DELETE FROM certificate WHERE epoch IN (SELECT epoch FROM certificate "
    "WHERE epoch < min(?, (SELECT max(epoch) FROM certificate)) ORDER BY epoch LIMIT ?)"
)


@dataclass(frozen=True, slots=True)
class Prune:
    """Drops what lies before the newest snapshot and some epochs before it."""

    keep_epochs: int | None
    """Whole epochs of blocks that stay before that snapshot; None keeps all."""
    keep_chain: int | None = None
    """Certificates that stay before the one of its end; None keeps all."""


def prune(connection: apsw.Connection, request: Prune, tally: Tally) -> Tally:
    """Drops some of what may go; nothing at all while there is no snapshot.

    The marks of the newest snapshots stay in any case, and so do the certificates of their ends: a
    start may need either of them, and a newcomer has to be able to check both.

    Returns:
        The row counts after it; they are as before when nothing was left to drop.

    Raises:
        DamagedData: What says how far pruning may go cannot be trusted.
    """
    marks = _marks(connection, _NEWEST_MARKS)
    if not marks:
        return tally
    if request.keep_chain is not None:
        tally = _prune_certificates(connection, marks, request.keep_chain, tally)
    if request.keep_epochs is None:
        return tally
    cuts = _marks(connection, _MARK_UP_TO, marks[0].epoch - request.keep_epochs)
    return _prune_before(connection, cuts[0], tally) if cuts else tally


def _prune_before(connection: apsw.Connection, cut: SnapshotMark, tally: Tally) -> Tally:
    """Drops some of what a snapshot stands for."""
    pruned = _prune_blocks(connection, cut, tally)
    slots = _delete(connection, _DROP_SLOTS, cut.epoch, PRUNED_ROWS_MAX)
    finals = _delete(connection, _DROP_FINALS, cut.index, PRUNED_ROWS_MAX)
    operations = _delete(connection, _DROP_OPERATIONS, cut.own_nonce)
    snapshots = _delete(connection, DROP_MARKS, cut.epoch, PRUNED_ROWS_MAX)
    return replace(
        tally,
        pruned=pruned,
        own_slots=tally.own_slots - slots,
        finals=tally.finals - finals,
        own_operations=tally.own_operations - operations,
        snapshots=tally.snapshots - snapshots,
    )


def _marks(connection: apsw.Connection, statement: str, *values: int) -> list[SnapshotMark]:
    """Some marks, the newest first; a damaged one could let too much go."""
    rows = connection.execute(statement, values).fetchall()
    return [SnapshotMark(*intact("snapshot", row)) for row in rows]


def _prune_certificates(
    connection: apsw.Connection, marks: list[SnapshotMark], keep_chain: int, tally: Tally
) -> Tally:
    """Drops the oldest certificates; the newest one stays, whatever the snapshots say."""
    ends = [mark.epoch - 1 for mark in marks]
    bound = min(ends[-1], ends[0] - keep_chain)
    dropped = _delete(connection, _DROP_CERTIFICATES, bound, PRUNED_CERTIFICATES_MAX)
    return replace(tally, certificates=tally.certificates - dropped)


def _prune_blocks(connection: apsw.Connection, cut: SnapshotMark, tally: Tally) -> int:
    """Drops blocks from the beginning, up to the first that has to stay.

    A late block of an old epoch may lie behind a new one: it goes with a later snapshot, since only
    a journal without holes can be checked for missing blocks.
    """
    last = min(tally.blocks, tally.pruned + PRUNED_BLOCKS_MAX)
    first_kept = connection.execute(
        "SELECT min(sequence) FROM block WHERE sequence > ? AND sequence <= ? AND epoch >= ?",
        (tally.pruned, last, cut.epoch),
    ).get
    if first_kept is not None:
        last = first_kept - 1
    dropped = _delete(connection, "DELETE FROM block WHERE sequence <= ?", last)
    if dropped != last - tally.pruned:
        raise DamagedData("a block is missing from the journal", tally.pruned + 1)
    return last


def _delete(connection: apsw.Connection, statement: str, *values: int) -> int:
    connection.execute(statement, values)
    return connection.changes()
