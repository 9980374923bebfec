"""Everything that can go wrong between the node and its disk, each with advice for the operator.

Nothing of the database library and no `OSError` leaves this folder: callers see only these types.
"""

import errno
import os
from typing import Final

# ruff: noqa: N818  named for what happened, like the errors of the protocol


_FULL_PHRASES: Final = (os.strerror(errno.ENOSPC), os.strerror(errno.EDQUOT), "disk is full")
"""How the operating system and the database say that there is no space."""


class StorageError(Exception):
    """Base of every error of this folder; its text says what happened and what to do."""


class StorageFailed(StorageError):
    """The disk refused to read or write; nothing new was acknowledged and a retry is safe.

    Whether the refused records reached the disk is unknown; writing them again is a no-op then.
    """

    def __init__(self, cause: str) -> None:
        is_full = any(phrase in cause for phrase in _FULL_PHRASES)
        advice = (
            "free some space"
            if is_full
            else "check that the path exists and may be written, and that the device is sound"
        )
        super().__init__(
            f"the disk refused the operation ({cause}): {advice}; "
            "what was acknowledged before is intact and the operation can be repeated"
        )
        self.cause = cause


class DamagedData(StorageError):
    """Stored bytes are not what was written.

    Attributes:
        sequence: Position of the damaged block in the journal; None for anything else.
        digest: Digest under which the damaged thing is stored; None where it has none.
    """

    def __init__(self, what: str, sequence: int | None = None, digest: bytes | None = None) -> None:
        place = "" if sequence is None else f", sequence {sequence}"
        name = "" if digest is None else f", digest {digest.hex()}"
        super().__init__(
            f"damaged data: {what}{place}{name}; a block or artifact can be dropped and fetched "
            "again from peers; for anything else stop the node and put a backup back, or move the "
            "journal's files out of the data folder: with its key alone the node fetches the "
            "ledger from peers, and signs nothing before it knows what it signed"
        )
        self.what = what
        self.sequence = sequence
        self.digest = digest


class Contradiction(StorageError):
    """A record contradicts one that is already durable; nothing of its batch was written."""

    def __init__(self, what: str, stored: bytes, offered: bytes) -> None:
        super().__init__(
            f"{what} is already recorded as {stored.hex()} and may not become {offered.hex()}: "
            "do not send it; if the same key runs on another machine, stop one of the two"
        )
        self.what = what
        self.stored = stored
        self.offered = offered


class SnapshotLost(StorageError):
    """No snapshot can be read, and the blocks that they stood for were pruned."""

    def __init__(self, pruned: int) -> None:
        super().__init__(
            f"no snapshot in this data folder is intact, and the {pruned} blocks before them were "
            "pruned: put a backup back, or move the journal's files out of the data folder; with "
            "its key alone the node fetches the ledger from peers, and signs nothing before it "
            "knows what it signed"
        )


class WrongNetwork(StorageError):
    """The journal belongs to another network."""

    def __init__(self, stored: bytes, expected: bytes) -> None:
        super().__init__(
            f"this data folder belongs to network {stored.hex()}, not to {expected.hex()}: "
            "choose another data folder or the genesis file that belongs to this one"
        )
        self.stored = stored
        self.expected = expected


class WrongAccount(StorageError):
    """The journal was written under another key."""

    def __init__(self, stored: bytes, expected: bytes) -> None:
        super().__init__(
            f"this journal was written by account {stored.hex()}, not by {expected.hex()}: "
            "put the key file back that belongs to it, or start in an empty data folder"
        )
        self.stored = stored
        self.expected = expected


class NewerSchema(StorageError):
    """The data was written by a newer version of this program."""

    def __init__(self, stored: int, supported: int) -> None:
        super().__init__(
            f"the data has format {stored} and this program knows formats up to {supported}: "
            "install a newer version of p2pnode"
        )
        self.stored = stored
        self.supported = supported


class JournalMissing(StorageError):
    """There is no journal in the folder that was to be read."""

    def __init__(self, path: str) -> None:
        super().__init__(f"there is no journal at {path}: name the data folder of a node")
        self.path = path


class DataFolderLocked(StorageError):
    """Another process works in this data folder.

    Attributes:
        pid: The process that holds the lock; 0 where it has not written its number yet.
    """

    def __init__(self, path: str, pid: int) -> None:
        super().__init__(
            f"the data folder of {path} is in use by process {pid}: stop that node first, "
            "or give this one a data folder of its own"
        )
        self.path = path
        self.pid = pid


class DataFolderExposed(StorageError):
    """Other users of this machine may write into the data folder."""

    def __init__(self, path: str) -> None:
        super().__init__(f"other users may write into {path}: run `chmod 700 {path}`")
        self.path = path


class NotADataFolder(StorageError):
    """The folder holds something else."""

    def __init__(self, path: str) -> None:
        super().__init__(
            f"{path} is not empty and is no data folder of p2pnode: name an empty or a new folder"
        )
        self.path = path


class KeyFileExposed(StorageError):
    """Other users of this machine may read the secret key."""

    def __init__(self, path: str) -> None:
        super().__init__(
            f"other users may read the secret key {path}: run `chmod 600 {path}`; if somebody may "
            "have read it already, move the stake to a new key"
        )
        self.path = path


class ArtifactTooLarge(StorageError):
    """An artifact exceeds the limit of one item, or does not fit beside what open jobs need."""

    def __init__(self, size_bytes: int, limit_bytes: int) -> None:
        super().__init__(
            f"an artifact of {size_bytes} bytes exceeds the {limit_bytes} bytes available to it: "
            "raise artefact_store_gib in config.toml, or wait until open jobs release theirs"
        )
        self.size_bytes = size_bytes
        self.limit_bytes = limit_bytes


class ArtifactMissing(StorageError):
    """No artifact with this digest is stored here."""

    def __init__(self, digest: bytes) -> None:
        super().__init__(f"no artifact {digest.hex()} is stored here: fetch it from peers")
        self.digest = digest
