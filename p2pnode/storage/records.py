"""The records of the journal, and the checksum that guards each stored row.

The protocol core asks for these to be durable before anything that depends on them is sent.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b

LANES = 64
"""Members that a committee can have: as many lanes has each epoch."""

CHECKSUM_BYTES = 16
"""Length of a row's checksum: it guards against damage, not against forgery."""


@dataclass(frozen=True, slots=True)
class StoredBlock:
    """A block that this node accepted."""

    digest: bytes
    author: int
    """Index of the author in the committee of `epoch`."""
    round: int
    epoch: int
    raw: bytes
    """Canonical bytes, whose digest is `digest`."""


@dataclass(frozen=True, slots=True)
class OwnSlot:
    """What this node signed in a slot; there is never a second one."""

    epoch: int
    round: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class OwnOperation:
    """An operation that this node signed for its account."""

    identifier: bytes
    nonce: int
    raw: bytes


@dataclass(frozen=True, slots=True)
class PreparedReveal:
    """What this node will reveal for a job; durable before its commitment is sent."""

    job: bytes
    raw: bytes


@dataclass(frozen=True, slots=True)
class FinalCommit:
    """A leader commit that became final, and the state after it."""

    index: int
    digest: bytes
    state_digest: bytes


@dataclass(frozen=True, slots=True)
class Note:
    """A small named value; the last one wins."""

    key: str
    value: bytes


@dataclass(frozen=True, slots=True)
class SnapshotMark:
    """A snapshot of the state that is durable: a restart needs nothing from before it."""

    epoch: int
    """The first epoch that is not in it."""
    index: int
    """The last final commit that is in it."""
    state_digest: bytes
    own_nonce: int
    """The first nonce of this node's account that is not in it."""
    pages: int
    """How many pages it has, numbered from 0 on."""
    boundary: bytes
    """What says how the epoch before ended."""


@dataclass(frozen=True, slots=True)
class SnapshotPage:
    """One page of a snapshot; it counts once the snapshot's mark is durable."""

    epoch: int
    """The first epoch that is not in the snapshot, as in its mark."""
    number: int
    raw: bytes


@dataclass(frozen=True, slots=True)
class StoredCertificate:
    """The certificate of an epoch's end."""

    epoch: int
    """The epoch that ended."""
    raw: bytes


JournalRecord = (
    StoredBlock
    | OwnSlot
    | OwnOperation
    | PreparedReveal
    | FinalCommit
    | Note
    | SnapshotMark
    | SnapshotPage
    | StoredCertificate
)


@dataclass(frozen=True, slots=True)
class ForgottenBlock:
    """A damaged block whose bytes are dropped; its place in the order waits for a fresh copy."""

    digest: bytes


@dataclass(frozen=True, slots=True)
class SpentReveals:
    """Reveals that are dropped, since their jobs are over in every snapshot that is kept."""

    jobs: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Tally:
    """How many rows every table holds: the guard against rows that vanish silently."""

    blocks: int = 0
    """Sequence number of the last block; forgotten blocks keep theirs."""
    own_slots: int = 0
    own_operations: int = 0
    prepared_reveals: int = 0
    finals: int = 0
    notes: int = 0
    pruned: int = 0
    """Sequence number of the last block that was dropped for good."""
    snapshots: int = 0
    certificates: int = 0


@dataclass(frozen=True, slots=True)
class JournalStatistics:
    """The size of the journal."""

    rows: int
    size_bytes: int
    """Bytes on disk: the database and its write-ahead log."""


def lane_of(epoch: int, author: int) -> int:
    """The number under which the journal files the blocks of one member of one epoch.

    A member's index counts in its epoch only. In the first epoch the two are the same.
    """
    return epoch * LANES + author


def row_checksum(table: str, values: Iterable[object]) -> bytes:
    """The checksum of one row, over its table's name and all its other columns in order.

    Damage may change a column's type as well as its value, so anything but integers and bytes is
    accepted and gives a checksum that no intact row has.
    """
    state = blake2b(table.encode(), digest_size=CHECKSUM_BYTES)
    for value in values:
        match value:
            case int():
                state.update(b"i" + value.to_bytes(8, "big", signed=True))
            case bytes():
                state.update(b"b" + len(value).to_bytes(8, "big") + value)
            case _:
                state.update(b"?")
    return state.digest()


def block_checksum(place: tuple[object, ...], raw: object) -> bytes:
    """The checksum of a block's row without its bytes, which have their own digest.

    `place` is (sequence, digest, author, round, epoch, reach). Whether bytes are present counts,
    so that damage cannot make a block look like a forgotten one.
    """
    return row_checksum("block", (*place, int(raw is not None)))
