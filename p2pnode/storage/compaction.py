"""Gives the disk back what pruning has left free in the journal's file; only at a start.

Pages that are free are used again, so a node that always pruned has few. One that was an archive
and is bounded now has many, and its file would stay as large as ever.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import apsw
import structlog

from p2pnode.storage.disk import free_bytes

FREE_MIN_BYTES: Final = 16 * 1024 * 1024
"""Less is not worth the time."""
COPY_IN: Final = "FILE"
"""Where the database puts the copy that it makes first: what is kept may not fit into memory."""
FRAME_EXTRA_BYTES: Final = 24
"""What the write-ahead log takes for a page beside the page."""
STAYS: Final = "the file stays as large as it is; the next start tries again"

log = structlog.get_logger(__name__)


def compact(connection: apsw.Connection, folder: Path) -> int:
    """Writes the file anew where more than half of it is free.

    The database does it in one transaction, so that a loss of power leaves the old file or the new
    one. What is kept is copied into a nameless file in the folder, and from there into the
    write-ahead log; where there is no space for both, the file stays as it is.

    Args:
        connection: The only one that writes to the file.
        folder: Where the file lies.

    Returns:
        By how many bytes the file is smaller, once nobody reads any more what it was; 0 when
        nothing was done.
    """
    page_bytes = int(connection.execute("PRAGMA page_size").get)
    free = int(connection.execute("PRAGMA freelist_count").get)
    pages = int(connection.execute("PRAGMA page_count").get)
    if 2 * free <= pages or free * page_bytes < FREE_MIN_BYTES:
        return 0
    needed = (pages - free) * (2 * page_bytes + FRAME_EXTRA_BYTES)
    left = free_bytes(folder)
    sizes = {"bytes": pages * page_bytes, "kept_bytes": (pages - free) * page_bytes}
    if left < needed:
        detail = f"it takes {needed:,} bytes for a while, and the disk has {left:,} left"
        log.warning("journal_not_compacted", **sizes, detail=detail, consequence=STAYS)
        return 0
    log.info("journal_compacting", **sizes)
    try:
        with _copy_in(connection, folder):
            connection.execute("VACUUM")
    except (apsw.FullError, apsw.IOError) as error:
        log.warning("journal_not_compacted", **sizes, detail=str(error), consequence=STAYS)
        return 0
    finally:
        _empty_log(connection)
    return (pages - int(connection.execute("PRAGMA page_count").get)) * page_bytes


@contextmanager
def _copy_in(connection: apsw.Connection, folder: Path) -> Iterator[None]:
    """Has the database put its copy onto the journal's disk, where the operator expects it.

    The system's folder for temporary files, its usual place, may be small, or memory.
    """
    quoted = str(folder.absolute()).replace("'", "''")
    try:
        connection.execute(f"PRAGMA temp_store_directory = '{quoted}'")
        connection.execute(f"PRAGMA temp_store = {COPY_IN}")
        yield
    finally:
        connection.execute("PRAGMA temp_store = MEMORY")
        connection.execute("PRAGMA temp_store_directory = ''")


def _empty_log(connection: apsw.Connection) -> None:
    """Empties the log, also of what an attempt left that found no space for the rest.

    Where somebody reads what was there before, or the disk refuses, a later checkpoint does it.
    """
    try:
        connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    except (apsw.BusyError, apsw.FullError, apsw.IOError) as error:
        log.info("journal_log_not_emptied", detail=str(error), consequence="it is emptied later")
