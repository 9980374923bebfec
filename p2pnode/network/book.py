"""The address book: the accounts that this node could dial, bounded, and kept on disk."""

import os
import random
from dataclasses import dataclass
from pathlib import Path

from p2pnode.network.addresses import DialAddress
from p2pnode.network.counters import Counters
from p2pnode.network.errors import BadAddress
from p2pnode.network.limits import (
    BACKOFF_CAP_SECONDS,
    BACKOFF_FIRST_SECONDS,
    BOOK_LIMIT,
    BOOK_LIMIT_PER_SOURCE,
    RECORDS_PER_EXCHANGE,
    SHUNNED_CAP_SECONDS,
    SHUNNED_FIRST_SECONDS,
)
from p2pnode.network.records import AddressRecord, decode_records, encode_records

_MOST_DOUBLINGS = 8
_GIVEN_UP_FAILURES = 20


@dataclass(slots=True)
class Entry:
    """What is known of one account, and how dialling it went."""

    account: bytes
    record: AddressRecord | None = None
    given: tuple[str, ...] = ()
    """Addresses from the operator or a caller, which nobody signed."""
    source: bytes = b""
    """The neighbour that first told of it; empty for the operator."""
    failures: int = 0
    not_before: float = 0.0
    """When it may be dialled again, in the node's own time."""
    wanted: bool = False
    """It was a neighbour and was lost, so for some minutes it is dialled beyond the target."""
    refusals: int = 0
    """How often a link to it ended because it cannot be a neighbour."""

    def transports(self) -> tuple[str, ...]:
        """Every known way to reach the account, its own words first."""
        told = self.record.transports if self.record else ()
        return tuple(dict.fromkeys(told + self.given))

    def failed(self, now: float) -> None:
        """Wait longer before the next dial."""
        pause = BACKOFF_FIRST_SECONDS * 2 ** min(self.failures, _MOST_DOUBLINGS)
        self.failures += 1
        self.wanted = self.wanted and self.failures < _GIVEN_UP_FAILURES
        share = random.uniform(0.5, 1.0)  # noqa: S311 - spreads dials, decides nothing
        self.not_before = now + share * min(pause, BACKOFF_CAP_SECONDS)

    def shunned(self, now: float) -> None:
        """Wait long, and longer each time: only its operator or this one's can change a thing.

        Who is updated dials by itself when it starts, and so need not be dialled soon.
        """
        pause = SHUNNED_FIRST_SECONDS * 2 ** min(self.refusals, _MOST_DOUBLINGS)
        self.refusals += 1
        self.failures += 1  # others come first, and in a full book this one goes first
        self.wanted = False
        share = random.uniform(0.5, 1.0)  # noqa: S311 - spreads dials, decides nothing
        self.not_before = now + share * min(pause, SHUNNED_CAP_SECONDS)

    def reset(self) -> None:
        """Dial again at the next chance."""
        self.failures = 0
        self.not_before = 0.0


class AddressBook:
    """Entries by account; the records in it are genuine and the newest known."""

    def __init__(self, own: bytes, counters: Counters) -> None:
        self._own = own
        self._counters = counters
        self._entries: dict[bytes, Entry] = {}
        self.changed = False
        self.accounts_learned = 0
        """How many accounts a first record was learned of."""

    def entries(self) -> tuple[Entry, ...]:
        """Every entry."""
        return tuple(self._entries.values())

    def get(self, account: bytes) -> Entry | None:
        """What is known of one account."""
        return self._entries.get(account)

    def give(self, address: DialAddress) -> Entry:
        """Add an address that somebody on this side vouches for."""
        entry = self._entries.setdefault(address.account, Entry(address.account))
        entry.given = tuple(dict.fromkeys((address.transport, *entry.given)))[:4]
        return entry

    def learn(self, record: AddressRecord, source: bytes) -> bool:
        """Take a record that a neighbour told; False when it is forged."""
        entry = self._entries.get(record.account)
        known = entry.record if entry else None
        if record.account == self._own or (known and known.sequence >= record.sequence):
            return True
        if not record.is_genuine():
            return False
        if entry is None:
            if not self._make_room(source):
                self._counters.add("book_full")
                return True
            entry = self._entries[record.account] = Entry(record.account, source=source)
        self.accounts_learned += entry.record is None
        entry.record = record
        self.changed = True
        return True

    def sample(self) -> list[AddressRecord]:
        """Records to tell a neighbour, drawn at random."""
        known = [entry.record for entry in self._entries.values() if entry.record]
        return random.sample(known, min(len(known), RECORDS_PER_EXCHANGE - 1))

    def load(self, path: Path) -> None:
        """Read the book of an earlier run; one that cannot be read is left out and counted."""
        try:
            records = decode_records(path.read_bytes(), BOOK_LIMIT)
        except FileNotFoundError:
            return
        except (BadAddress, OSError):
            self._counters.add("book_unreadable")
            return
        for record in records:
            self.learn(record, b"")
        self.changed = False

    def text(self) -> bytes:
        """The book as it is written to disk."""
        self.changed = False
        return encode_records(entry.record for entry in self._entries.values() if entry.record)

    def _make_room(self, source: bytes) -> bool:
        if source:
            told = sum(entry.source == source for entry in self._entries.values())
            if told >= BOOK_LIMIT_PER_SOURCE:
                return False
        if len(self._entries) < BOOK_LIMIT:
            return True
        # Operator's entries stay; of the others the one that failed most often goes.
        spare = [entry for entry in self._entries.values() if not entry.given and entry.failures]
        if not spare:
            return False
        del self._entries[max(spare, key=lambda entry: entry.failures).account]
        return True


def write_whole(path: Path, data: bytes) -> None:
    """Replace a file so that a crash leaves the old or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(path.name + ".new")
    with fresh.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
