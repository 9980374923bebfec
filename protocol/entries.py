"""What a state consists of, entry by entry: the one list that roots, proofs and snapshots go by.

An entry is a key and a value. A key is the number of its kind and then bytes of that kind: an
account, a job, nothing where there is only one. Everything that later results depend on is in some
entry; whatever else a state keeps is derived from them.

Another kind of entry is one line in `KINDS` and one `Section` where the state is put together.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from operator import itemgetter
from typing import Final, Generic, Protocol, TypeVar, cast

from protocol.balances import Account, Reserves
from protocol.compact import pack, unpack
from protocol.economy.reputation import Reputation
from protocol.economy.slashing import Penalties
from protocol.economy.uptime import Uptime
from protocol.errors import Reason, Rejected
from protocol.job.position import Position
from protocol.job.record import Job
from protocol.ledger.epoch_record import Activity, EpochRecord, Registered
from protocol.tree.tree import Tree
from protocol.units import AccountId, Credits, Digest, JobId

FORMAT: Final = 2
"""Version of all entries together; it is in the header, and so in the root."""
VALUE_BYTES_MAX: Final = 960 * 1024
"""A job with as many bids as it can hold takes a third of this."""

Key = TypeVar("Key", bound=bytes)
Value = TypeVar("Value")
Entry = tuple[bytes, bytes]
"""A whole key and a packed value."""


@dataclass(frozen=True, slots=True)
class Header:
    """What there is only one of."""

    format: int
    network: Digest
    position: Position
    began: tuple[Position, Position]
    """Where the running epoch began, and the one before it."""


@dataclass(frozen=True, slots=True)
class Kind(Generic[Key, Value]):
    """One kind of entries."""

    number: int
    """First byte of the keys; one that was used is never given to another kind."""
    name: str
    form: type[Value]

    def key(self, of: bytes) -> bytes:
        """Makes a whole key."""
        return bytes((self.number,)) + of


HEADER: Final[Kind[bytes, Header]] = Kind(0, "header", Header)
ACCOUNT: Final[Kind[AccountId, Account]] = Kind(1, "account", Account)
ESCROW: Final[Kind[JobId, Credits]] = Kind(2, "escrow", Credits)
RESERVES: Final[Kind[bytes, Reserves]] = Kind(3, "reserves", Reserves)
JOB: Final[Kind[JobId, Job]] = Kind(4, "job", Job)
REPUTATION: Final[Kind[AccountId, Reputation]] = Kind(5, "reputation", Reputation)
PENALTIES: Final[Kind[bytes, Penalties]] = Kind(6, "penalties", Penalties)
EPOCHS: Final[Kind[bytes, EpochRecord]] = Kind(7, "epochs", EpochRecord)
ACTIVITY: Final[Kind[bytes, Activity]] = Kind(8, "activity", Activity)
CANDIDATE: Final[Kind[AccountId, Registered]] = Kind(9, "candidate", Registered)
UPTIME: Final[Kind[AccountId, Uptime]] = Kind(10, "uptime", Uptime)

KINDS: Final = (
    HEADER,
    ACCOUNT,
    ESCROW,
    RESERVES,
    JOB,
    REPUTATION,
    PENALTIES,
    EPOCHS,
    ACTIVITY,
    CANDIDATE,
    UPTIME,
)


@dataclass(frozen=True, slots=True)
class Section(Generic[Key, Value]):
    """Where a state has its entries of one kind."""

    kind: Kind[Key, Value]
    items: Callable[[], Iterable[tuple[Key, Value]]]
    take_changes: Callable[[], Iterable[tuple[Key, Value | None]]]
    """What was written since the last call, each key once; None for what is gone."""
    load: Callable[[Key, Value], None]
    """Takes in one entry of a snapshot, which is no change."""

    @property
    def number(self) -> int:
        """First byte of the keys."""
        return self.kind.number

    def changes(self) -> list[tuple[bytes, bytes | None]]:
        """What was written since the last call, packed."""
        key = self.kind.key
        return [
            (key(of), None if value is None else pack(value)) for of, value in self.take_changes()
        ]

    def packed(self) -> Iterator[Entry]:
        """All entries as they are at this call, ascending by key and packed one by one."""
        return _packed(self.kind, list(self.items()))

    def take(self, key: bytes, raw: bytes) -> None:
        """Takes in one entry of a snapshot.

        Raises:
            Rejected: `TOO_LARGE` or `MALFORMED`.
        """
        self.load(cast("Key", key), unpack(raw, self.kind.form, VALUE_BYTES_MAX))


def _packed(kind: Kind[Key, Value], items: list[tuple[Key, Value]]) -> Iterator[Entry]:
    items.sort(key=itemgetter(0))
    for key, value in items:
        yield kind.key(key), pack(value)


class AnySection(Protocol):
    """A section of whatever kind."""

    @property
    def number(self) -> int:
        """See `Section`."""

    def changes(self) -> list[tuple[bytes, bytes | None]]:
        """See `Section`."""

    def packed(self) -> Iterator[Entry]:
        """See `Section`."""

    def take(self, key: bytes, raw: bytes) -> None:
        """See `Section`."""


class Table(Generic[Key, Value]):
    """A mapping that notes what changes, for kinds of entries that nothing else is derived from."""

    def __init__(self) -> None:
        self._values: dict[Key, Value] = {}
        self._changed: dict[Key, None] = {}

    def get(self, key: Key, default: Value) -> Value:
        """The value of a key, or the default."""
        return self._values.get(key, default)

    def find(self, key: Key) -> Value | None:
        """The value of a key, or None."""
        return self._values.get(key)

    def set(self, key: Key, value: Value) -> None:
        """Gives a key a value."""
        self._values[key] = value
        self._changed[key] = None

    def section(self, kind: Kind[Key, Value]) -> Section[Key, Value]:
        """Makes this the place of a kind of entries."""
        return Section(kind, self._values.items, self._take_changes, self._load)

    def _take_changes(self) -> Sequence[tuple[Key, Value | None]]:
        if not self._changed:
            return ()
        changes = [(key, self._values.get(key)) for key in self._changed]
        self._changed.clear()
        return changes

    def _load(self, key: Key, value: Value) -> None:
        self._values[key] = value


def single(
    kind: Kind[bytes, Value], read: Callable[[], Value], write: Callable[[Value], None]
) -> Section[bytes, Value]:
    """Makes a section of one value, which is written anew whenever it is another one.

    Its entry is the value that was sealed last: what has changed since is in no root yet.
    """
    sealed: list[Value] = []

    def take_changes() -> Sequence[tuple[bytes, Value]]:
        value = read()
        if sealed == [value]:  # quick where it is the very same
            return ()
        sealed[:] = [value]
        return ((b"", value),)

    def load(_: bytes, value: Value) -> None:
        sealed[:] = [value]
        write(value)

    return Section(kind, lambda: [(b"", value) for value in sealed], take_changes, load)


class Entries:
    """All entries of one state.

    Attributes:
        tree: What `seal` last made of them; a value that can be kept.
    """

    def __init__(self, sections: Sequence[AnySection]) -> None:
        self.tree = Tree()
        self._sections = {section.number: section for section in sections}

    def seal(self) -> Digest:
        """Brings the tree up to date with all that changed, and returns its root."""
        changes: list[tuple[bytes, bytes | None]] = []
        for section in self._sections.values():
            changes += section.changes()
        self.tree = self.tree.updated(changes)
        return self.tree.root

    def packed(self) -> Iterator[Entry]:
        """All entries as they are now, by kind and then by key; later changes do not show."""
        held = [section.packed() for section in self._sections.values()]
        return chain.from_iterable(held)

    def load(self, entries: Sequence[Entry], root: Digest) -> None:
        """Takes in all entries of a snapshot; the state has none yet.

        Nothing is looked at before their root is the expected one.

        Raises:
            Rejected: `WRONG_ROOT`, or `MALFORMED` for entries of another version.
        """
        tree = Tree().updated(entries)
        if tree.root != root:
            raise Rejected(Reason.WRONG_ROOT, f"the entries have the root {tree.root.hex()}")
        for key, raw in entries:
            section = self._sections.get(key[0]) if key else None
            if section is None:
                raise Rejected(Reason.MALFORMED, "an entry of an unknown kind")
            section.take(key[1:], raw)
        self.tree = tree
