"""The journal's database: its tables, how it is opened, and what its errors mean here."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import apsw

from p2pnode.storage.errors import (
    DamagedData,
    JournalMissing,
    NewerSchema,
    StorageFailed,
    WrongAccount,
    WrongNetwork,
)
from p2pnode.storage.records import Tally, row_checksum

JOURNAL_FILE = "journal.sqlite"
SCHEMA_VERSION = 3
DURABILITY = "FULL"
"""The database syncs at every commit. Anything weaker loses acknowledged commits with the power."""
BUSY_TIMEOUT_MS = 5_000
"""Only readers of other processes share the file, and they block a writer for moments only."""
CACHE_KIB = 8_192
WAL_LIMIT_BYTES = 64 * 1024 * 1024
"""The write-ahead log is cut to this size after a checkpoint; a reader may let it grow beyond."""

SCHEMA = """
CREATE TABLE meta(key BLOB PRIMARY KEY, value BLOB NOT NULL, checksum BLOB NOT NULL) STRICT;
CREATE TABLE tally(
    id INTEGER PRIMARY KEY CHECK(id = 1), blocks INTEGER NOT NULL, own_slots INTEGER NOT NULL,
    own_operations INTEGER NOT NULL, prepared_reveals INTEGER NOT NULL, finals INTEGER NOT NULL,
    notes INTEGER NOT NULL, checksum BLOB NOT NULL, pruned INTEGER NOT NULL DEFAULT 0,
    snapshots INTEGER NOT NULL DEFAULT 0, certificates INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE TABLE block(
    sequence INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, author INTEGER NOT NULL,
    round INTEGER NOT NULL, epoch INTEGER NOT NULL, reach INTEGER NOT NULL,
    checksum BLOB NOT NULL, raw BLOB) STRICT;
CREATE INDEX block_by_reach ON block(author, reach, sequence, round);
CREATE TABLE own_slot(
    epoch INTEGER NOT NULL, round INTEGER NOT NULL, digest BLOB NOT NULL, checksum BLOB NOT NULL,
    PRIMARY KEY(epoch, round)) STRICT, WITHOUT ROWID;
CREATE TABLE own_operation(
    identifier BLOB PRIMARY KEY NOT NULL, nonce INTEGER NOT NULL, raw BLOB NOT NULL,
    checksum BLOB NOT NULL) STRICT;
CREATE TABLE prepared_reveal(
    job BLOB PRIMARY KEY NOT NULL, raw BLOB NOT NULL, checksum BLOB NOT NULL) STRICT;
CREATE TABLE final(
    height INTEGER PRIMARY KEY, digest BLOB NOT NULL, state_digest BLOB NOT NULL,
    checksum BLOB NOT NULL) STRICT;
CREATE TABLE note(
    key BLOB PRIMARY KEY NOT NULL, value BLOB NOT NULL, checksum BLOB NOT NULL) STRICT;
"""
SNAPSHOT_SCHEMA = """
CREATE TABLE snapshot(
    epoch INTEGER PRIMARY KEY, height INTEGER NOT NULL, state_digest BLOB NOT NULL,
    own_nonce INTEGER NOT NULL, pages INTEGER NOT NULL, boundary BLOB NOT NULL,
    checksum BLOB NOT NULL) STRICT;
CREATE TABLE snapshot_page(
    epoch INTEGER NOT NULL, number INTEGER NOT NULL, checksum BLOB NOT NULL, raw BLOB NOT NULL,
    UNIQUE(epoch, number)) STRICT;
CREATE TABLE certificate(
    epoch INTEGER PRIMARY KEY, raw BLOB NOT NULL, checksum BLOB NOT NULL) STRICT;
"""


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose journal this is."""

    network: bytes
    account: bytes


@contextmanager
def translated() -> Iterator[None]:
    """Turns the database library's exceptions into the errors of this folder.

    Every statement here is a constant, so one that suddenly does not parse means a damaged schema.
    """
    try:
        yield
    except (apsw.CorruptError, apsw.NotADBError, apsw.SQLError, apsw.MismatchError) as error:
        raise DamagedData(f"the journal's database ({error})") from error
    except (UnicodeDecodeError, apsw.TooBigError, apsw.ConstraintError) as error:
        raise DamagedData(f"the journal's database ({error})") from error
    except apsw.Error as error:
        raise StorageFailed(str(error) or type(error).__name__) from error


def connect_writer(path: Path, vfs: str) -> apsw.Connection:
    """Opens the only connection that writes; every commit is synced before it returns."""
    connection = apsw.Connection(str(path), vfs=vfs or None)
    _configure(connection)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(f"PRAGMA synchronous = {DURABILITY}")
    connection.execute(f"PRAGMA journal_size_limit = {WAL_LIMIT_BYTES}")
    return connection


def connect_reader(path: Path, vfs: str) -> apsw.Connection:
    """Opens a connection that cannot write.

    Raises:
        JournalMissing: No file is there.
    """
    if not path.exists():
        raise JournalMissing(str(path))
    flags = apsw.SQLITE_OPEN_READONLY
    connection = apsw.Connection(str(path), flags=flags, vfs=vfs or None)
    _configure(connection)
    return connection


def _configure(connection: apsw.Connection) -> None:
    connection.set_busy_timeout(BUSY_TIMEOUT_MS)
    connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    connection.execute("PRAGMA temp_store = MEMORY")
    connection.execute("PRAGMA cell_size_check = ON")


@contextmanager
def transaction(connection: apsw.Connection) -> Iterator[None]:
    """Makes what the block writes durable as a whole, or undoes it."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        roll_back(connection)
        raise


def roll_back(connection: apsw.Connection) -> None:
    """Undoes a transaction; a full disk may have made the database do so already."""
    if not connection.in_transaction:
        return
    with suppress(apsw.Error):
        # Where this fails, the database recovers by itself: the next BEGIN tells how that went.
        connection.execute("ROLLBACK")


def has_tables(connection: apsw.Connection) -> bool:
    """Whether the journal was ever created; creation is one transaction, so half is impossible."""
    return bool(connection.execute("SELECT count(*) FROM sqlite_schema").get)


def create_tables(connection: apsw.Connection, identity: Identity) -> None:
    """Creates every table and names the owner, in one transaction."""
    with transaction(connection):
        connection.execute(SCHEMA + SNAPSHOT_SCHEMA)
        write_meta(connection, b"schema", SCHEMA_VERSION.to_bytes(4, "big"))
        write_meta(connection, b"network", identity.network)
        write_meta(connection, b"account", identity.account)
        write_tally(connection, Tally())


def write_meta(connection: apsw.Connection, key: bytes, value: bytes) -> None:
    """Replaces one value of what the journal says of itself."""
    row = (key, value, row_checksum("meta", (key, value)))
    connection.execute("REPLACE INTO meta VALUES (?, ?, ?)", row)


def check_identity(connection: apsw.Connection, expected: Identity | None) -> int:
    """Reads whose journal this is, and compares it with whose it should be.

    Returns:
        The schema that it has.

    Raises:
        NewerSchema: A newer program wrote it.
        WrongNetwork: It belongs to another network.
        WrongAccount: It belongs to another account.
        DamagedData: The owner cannot be read.
    """
    rows = connection.execute("SELECT key, value, checksum FROM meta").fetchall()
    named = {row[0]: row[1] for row in (intact("meta", row) for row in rows)}
    if not named.keys() >= {b"schema", b"network", b"account"}:
        raise DamagedData("the journal's owner")
    version = int.from_bytes(named[b"schema"], "big")
    if version > SCHEMA_VERSION:
        raise NewerSchema(version, SCHEMA_VERSION)
    stored = Identity(named[b"network"], named[b"account"])
    if expected is not None and stored.network != expected.network:
        raise WrongNetwork(stored.network, expected.network)
    if expected is not None and stored.account != expected.account:
        raise WrongAccount(stored.account, expected.account)
    return version


def check_structure(connection: apsw.Connection) -> None:
    """Checks the trees of all tables, and rebuilds indexes that contradict their tables.

    A lost row of `own_slot` could make this node sign twice, so a doubtful structure is refused.

    Raises:
        DamagedData: The structure is damaged beyond the indexes.
    """
    if not _structure_faults(connection):
        return
    connection.execute("REINDEX")
    faults = _structure_faults(connection)
    if faults:
        raise DamagedData(f"the journal's structure ({faults})")


def _structure_faults(connection: apsw.Connection) -> str:
    rows = connection.execute("PRAGMA integrity_check(1)").fetchall()
    text = "; ".join(str(row[0]) for row in rows)
    return "" if text == "ok" else text


def read_tally(connection: apsw.Connection) -> Tally:
    """The row counts that the last commit left, also of an earlier schema.

    Raises:
        DamagedData: They are damaged.
    """
    row = connection.execute("SELECT * FROM tally").fetchone()
    if row is None:
        raise DamagedData("the journal's tally")
    # Columns that a migration added come behind the checksum, which covers them, too.
    values = intact("tally", (*row[:7], *row[8:], row[7]))
    return Tally(*values[1:])


def write_tally(connection: apsw.Connection, tally: Tally) -> None:
    """Replaces the row counts, in the transaction of the rows that they count."""
    values = (1, *astuple(tally))
    row = (*values[:7], row_checksum("tally", values), *values[7:])
    connection.execute("REPLACE INTO tally VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)


def intact(table: str, row: Sequence[Any]) -> tuple[Any, ...]:
    """The row without its last column, which has to be the checksum of the others.

    Raises:
        DamagedData: It is not.
    """
    values = tuple(row[:-1])
    if row_checksum(table, values) != row[-1]:
        raise DamagedData(f"a row of the journal's table {table}")
    return values
