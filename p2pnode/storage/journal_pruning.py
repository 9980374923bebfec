"""Drops what a durable snapshot makes superfluous, a little at a time.

A restart needs the newest snapshot and everything after it. What lies before may be kept as long as
the operator wants: another node may ask for it, and an auditor.
"""

from dataclasses import dataclass, replace

import apsw

from p2pnode.storage.database import intact
from p2pnode.storage.errors import DamagedData
from p2pnode.storage.journal_snapshots import DROP_MARKS
from p2pnode.storage.records import SnapshotMark, Tally

PRUNED_BLOCKS_MAX = 1_000
"""Most blocks that one transaction drops: the node's own writes wait so long."""


@dataclass(frozen=True, slots=True)
class Prune:
    """Drops what lies before the newest snapshot and this many epochs before it."""

    keep_epochs: int


def prune(connection: apsw.Connection, request: Prune, tally: Tally) -> Tally:
    """Drops some of what may go; nothing at all while there is no snapshot.

    The marks of the newest snapshots stay in any case: a start may need either of them.

    Returns:
        The row counts after it; they are as before when nothing was left to drop.

    Raises:
        DamagedData: What says how far pruning may go cannot be trusted.
    """
    cut = _cut(connection, request.keep_epochs)
    if cut is None:
        return tally
    pruned = _prune_blocks(connection, cut, tally)
    slots = _delete(connection, "DELETE FROM own_slot WHERE epoch < ?", cut.epoch)
    finals = _delete(connection, "DELETE FROM final WHERE height < ?", cut.index)
    nonce = cut.own_nonce
    operations = _delete(connection, "DELETE FROM own_operation WHERE nonce < ?", nonce)
    snapshots = _delete(connection, DROP_MARKS, cut.epoch)
    return replace(
        tally,
        pruned=pruned,
        own_slots=tally.own_slots - slots,
        finals=tally.finals - finals,
        own_operations=tally.own_operations - operations,
        snapshots=tally.snapshots - snapshots,
    )


def _cut(connection: apsw.Connection, keep_epochs: int) -> SnapshotMark | None:
    """The snapshot before which everything may go."""
    rows = connection.execute("SELECT * FROM snapshot ORDER BY epoch DESC").fetchall()
    marks = [SnapshotMark(*intact("snapshot", row)) for row in rows]
    return next((one for one in marks if one.epoch <= marks[0].epoch - keep_epochs), None)


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


def _delete(connection: apsw.Connection, statement: str, bound: int) -> int:
    connection.execute(statement, (bound,))
    return connection.changes()
