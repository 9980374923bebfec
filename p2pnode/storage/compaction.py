"""Gives the disk back what pruning has left free in the journal's file; only at a start.

Pages that are free are used again, so a node that always pruned has few. One that was an archive
and is bounded now has many, and its file would stay as large as ever.
"""

from typing import Final

import apsw

FREE_MIN_BYTES: Final = 16 * 1024 * 1024
"""Less is not worth the time."""
COPY_IN: Final = "FILE"
"""Where the database puts the copy that it makes first: what is kept may not fit into memory."""


def compact(connection: apsw.Connection) -> int:
    """Writes the file anew where more than half of it is free.

    The database does it in one transaction, so that a loss of power leaves the old file or the new
    one. It needs twice as much space as what is kept; where there is none, the file stays as it is.

    Args:
        connection: The only one to the file.

    Returns:
        How many bytes the disk has back; 0 when nothing was done.
    """
    page_bytes = int(connection.execute("PRAGMA page_size").get)
    free = int(connection.execute("PRAGMA freelist_count").get)
    pages = int(connection.execute("PRAGMA page_count").get)
    if 2 * free <= pages or free * page_bytes < FREE_MIN_BYTES:
        return 0
    try:
        connection.execute(f"PRAGMA temp_store = {COPY_IN}")
        connection.execute("VACUUM")
    except (apsw.FullError, apsw.IOError):
        return 0  # what it needed more of than there is; the next start tries again
    finally:
        connection.execute("PRAGMA temp_store = MEMORY")
    connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    return (pages - int(connection.execute("PRAGMA page_count").get)) * page_bytes
