"""Snapshots and certificates in the journal: what a start, and a newcomer, can begin from.

A snapshot comes page by page, each in a transaction of its own, so that the node's other records
never wait for more than one page. Only the mark behind the last page makes it one: pages without a
mark are what an interrupted node left, and go with the next snapshot.
"""

from typing import Final

import apsw

from p2pnode.storage.database import intact, read_tally
from p2pnode.storage.errors import DamagedData
from p2pnode.storage.records import SnapshotMark, SnapshotPage, StoredCertificate

DROPPED_PAGES_MAX: Final = 16
"""Most pages that one transaction drops: the node's own writes wait so long."""

# The newest snapshot, and the one before it in case that the newest is damaged: `LIMIT 2`.
_WHOLE: Final = "SELECT * FROM snapshot ORDER BY epoch DESC LIMIT 2"
_PAGE: Final = (
    "SELECT epoch, number, raw, checksum FROM snapshot_page WHERE epoch = ? AND number = ?"
)
_OLD_PAGES: Final = (
    "SELECT rowid FROM snapshot_page WHERE epoch NOT IN "
    "(SELECT epoch FROM snapshot ORDER BY epoch DESC LIMIT 2) LIMIT ?"
)
_DROP_PAGES: Final = (
    "DELETE FROM snapshot_page WHERE rowid IN (SELECT rowid FROM snapshot_page WHERE epoch NOT IN "
    "(SELECT epoch FROM snapshot ORDER BY epoch DESC LIMIT 2) LIMIT ?)"
)
_CERTIFICATES: Final = "SELECT * FROM certificate WHERE epoch >= ? ORDER BY epoch LIMIT ?"
_CERTIFICATE_SPAN: Final = "SELECT min(epoch), max(epoch) FROM certificate"
DROP_MARKS: Final = (
    "DELETE FROM snapshot WHERE epoch IN (SELECT epoch FROM snapshot WHERE epoch < ? AND epoch "
    "NOT IN (SELECT epoch FROM snapshot ORDER BY epoch DESC LIMIT 2) LIMIT ?)"
)


class DropPages:
    """Drops some pages of snapshots that newer ones have taken the place of."""

    __slots__ = ()


def read_marks(connection: apsw.Connection) -> tuple[SnapshotMark, ...]:
    """The snapshots that are whole, the newest first; a mark that is damaged is left out.

    Whoever starts from a snapshot checks it against its state root, so a mark that only looks
    right leads to no wrong state.
    """
    found: list[SnapshotMark] = []
    for row in connection.execute(_WHOLE).fetchall():
        try:
            found.append(SnapshotMark(*intact("snapshot", row)))
        except DamagedData:
            continue
    return tuple(found)


def read_page(connection: apsw.Connection, epoch: int, number: int) -> SnapshotPage | None:
    """A page of a whole snapshot; None where there is no such snapshot or page.

    Raises:
        DamagedData: It is damaged, or missing from a snapshot that has it.
    """
    mark = next((one for one in read_marks(connection) if one.epoch == epoch), None)
    if mark is None or not 0 <= number < mark.pages:
        return None
    row = connection.execute(_PAGE, (epoch, number)).fetchone()
    if row is None:
        raise DamagedData(f"page {number} of the snapshot before epoch {epoch}")
    return SnapshotPage(*intact("snapshot_page", row))


def read_certificates(
    connection: apsw.Connection, first_epoch: int, count: int
) -> tuple[StoredCertificate, ...]:
    """Certificates of one epoch after the other, up to the first that is not here.

    Raises:
        DamagedData: One of them is damaged.
    """
    rows = connection.execute(_CERTIFICATES, (first_epoch, count)).fetchall()
    found = [StoredCertificate(*intact("certificate", row)) for row in rows]
    whole = [one for at, one in enumerate(found) if one.epoch == first_epoch + at]
    if not rows and first_epoch == 0 and read_tally(connection).certificates:
        raise DamagedData("rows are missing from the journal's table certificate")
    return tuple(whole)


def read_certificate_span(connection: apsw.Connection) -> tuple[int, int] | None:
    """The first and the last epoch of which there is a certificate; None where there is none."""
    first, last = next(connection.execute(_CERTIFICATE_SPAN))
    return None if first is None else (int(first), int(last))


def drop_pages(connection: apsw.Connection) -> None:
    """Drops some pages that belong to none of the newest snapshots."""
    connection.execute(_DROP_PAGES, (DROPPED_PAGES_MAX,))


def has_old_pages(connection: apsw.Connection) -> bool:
    """Whether there is anything for `drop_pages`."""
    return connection.execute(_OLD_PAGES, (1,)).get is not None
