"""What the journal holds and what it takes on the disk, for people who watch their disk."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import apsw

from p2pnode.storage.database import read_tally
from p2pnode.storage.journal_snapshots import read_certificate_span, read_marks
from p2pnode.storage.records import SnapshotMark

# The length of bytes stands at their beginning: no page of them is read for it.
_PAGES_OF: Final = "SELECT coalesce(sum(length(raw)), 0) FROM snapshot_page WHERE epoch = ?"
_ALL_PAGES: Final = "SELECT coalesce(sum(length(raw)), 0) FROM snapshot_page"
_FIRST_BLOCK: Final = "SELECT epoch FROM block WHERE sequence > ? ORDER BY sequence LIMIT 1"


@dataclass(frozen=True, slots=True)
class JournalSizes:
    """One look at a journal."""

    database_bytes: int
    """The file, with pages that are free to be used again."""
    log_bytes: int
    """The write-ahead log."""
    free_bytes: int
    """Of the file: what was pruned and not used again yet."""
    blocks: int
    """How many are kept."""
    oldest_block: int | None
    """The epoch of the first block that is kept; None without any."""
    certificates: int
    """How many are kept."""
    certificate_span: tuple[int, int] | None
    """The first and the last epoch of which there is one."""
    snapshots: tuple[SnapshotMark, ...]
    """Those that are whole, the newest first."""
    newest_snapshot_bytes: int
    """Of its pages; 0 without any."""
    snapshot_bytes: int
    """Of all pages."""


def read_sizes(connection: apsw.Connection, path: Path) -> JournalSizes:
    """Looks at a journal; takes milliseconds, and more where snapshots have many pages.

    Args:
        connection: That reads it.
        path: Its file.

    Raises:
        DamagedData: What it counts is damaged.
    """
    with connection:  # one moment for all that follows
        tally = read_tally(connection)
        marks = read_marks(connection)
        newest = connection.execute(_PAGES_OF, (marks[0].epoch,)).get if marks else 0
        free = connection.execute("PRAGMA freelist_count").get
        page_bytes = connection.execute("PRAGMA page_size").get
        oldest = connection.execute(_FIRST_BLOCK, (tally.pruned,)).get
        span = read_certificate_span(connection)
        all_pages = connection.execute(_ALL_PAGES).get
    return JournalSizes(
        database_bytes=_size(path),
        log_bytes=_size(path.with_name(f"{path.name}-wal")),
        free_bytes=free * page_bytes,
        blocks=tally.blocks - tally.pruned,
        oldest_block=oldest,
        certificates=tally.certificates,
        certificate_span=span,
        snapshots=marks,
        newest_snapshot_bytes=newest,
        snapshot_bytes=all_pages,
    )


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
