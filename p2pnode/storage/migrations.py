"""Brings a journal of an earlier program to the present schema, after a copy of it was put aside.

Each migration is one small function from one schema to the next; together they are one transaction,
so that whatever goes wrong leaves the journal as it was.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

import apsw

from p2pnode.storage.database import (
    SCHEMA_VERSION,
    SNAPSHOT_SCHEMA,
    read_tally,
    transaction,
    write_meta,
    write_tally,
)
from p2pnode.storage.disk import disk_errors, sync_folder


def _remember_what_was_pruned(connection: apsw.Connection) -> None:
    """From 1 to 2: old blocks may go, and snapshots say how far."""
    connection.execute(
        """
        ALTER TABLE tally ADD COLUMN pruned INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE tally ADD COLUMN snapshots INTEGER NOT NULL DEFAULT 0;
        """
    )


def _keep_snapshots(connection: apsw.Connection) -> None:
    """From 2 to 3: pages and certificates; before, nothing ever made a snapshot."""
    connection.execute("ALTER TABLE tally ADD COLUMN certificates INTEGER NOT NULL DEFAULT 0")
    connection.execute("DROP TABLE snapshot")
    connection.execute(SNAPSHOT_SCHEMA)


MIGRATIONS: Final[tuple[Callable[[apsw.Connection], None], ...]] = (
    _remember_what_was_pruned,
    _keep_snapshots,
)
"""The first one takes a journal from schema 1 to schema 2, and so on."""


def migrate(connection: apsw.Connection, path: Path, stored: int) -> Path | None:
    """Brings a journal to the present schema.

    Args:
        connection: Its only connection.
        path: Its file.
        stored: The schema that it has.

    Returns:
        The copy of the file as it was, or None where nothing had to be done.

    Raises:
        StorageFailed: The disk refused; the journal is as it was.
    """
    if stored == SCHEMA_VERSION:
        return None
    backup = path.with_name(f"{path.name}.schema-{stored}")
    _copy(connection, backup)
    with transaction(connection):
        tally = read_tally(connection)
        for step in MIGRATIONS[stored - 1 :]:
            step(connection)
        write_tally(connection, replace(tally, snapshots=0))
        write_meta(connection, b"schema", SCHEMA_VERSION.to_bytes(4, "big"))
    return backup


def _copy(connection: apsw.Connection, target: Path) -> None:
    """Copies a database as its connection sees it, as a whole or not at all."""
    unfinished = target.with_name(f"{target.name}.new")
    with disk_errors():
        unfinished.unlink(missing_ok=True)
        try:
            connection.execute("VACUUM INTO ?", (str(unfinished),))
            with unfinished.open("rb") as stream:
                os.fsync(stream.fileno())
            unfinished.replace(target)
        finally:
            with suppress(OSError):
                unfinished.unlink(missing_ok=True)
    sync_folder(target.parent)
