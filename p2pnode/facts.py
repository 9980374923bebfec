"""One value per fact, for logs, metrics, the event stream and the answers of `why`.

The core reports facts as frozen values. Here each becomes a flat mapping, is counted, remembered
under the identifiers that it names, and handed to whoever follows. Never secrets, never payloads.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import fields
from enum import Enum
from typing import TypeVar

import trio

FOLLOWERS_MAX = 32
FOLLOWER_QUEUE = 1_000
"""Facts waiting for one follower; a slower one misses some, and is told how many."""
REMEMBERED_MAX = 20_000
"""Identifiers whose facts are remembered; the oldest is forgotten first."""
FACTS_EACH_MAX = 64

_Fact = TypeVar("_Fact")

_NAMING_FIELDS = ("identifier", "job", "account", "peer", "author")


def record_of(fact: object) -> dict[str, object]:
    """Makes a flat mapping, ready for JSON, of a fact.

    Bytes become lower-case hexadecimal, enumeration members their name in lower case.
    """
    record: dict[str, object] = {"fact": _name_of(type(fact))}
    for field in fields(fact):  # type: ignore[arg-type]  # every fact is a dataclass
        record[field.name] = plain(getattr(fact, field.name))
    return record


def plain(value: object) -> object:
    """Makes a value ready for JSON."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Enum):
        return value.name.lower()
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    if isinstance(value, Mapping):
        return {str(plain(key)): plain(one) for key, one in value.items()}
    return value


class FactLog:
    """Counts, remembers and passes on facts."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self._kinds: dict[type, tuple[str, tuple[str, ...]]] = {}
        self._remembered: dict[str, list[tuple[object, int]]] = {}
        self._followers: dict[trio.MemorySendChannel[dict[str, object]], int] = {}

    def add(self, fact: object, at_ms: int) -> None:
        """Takes in a fact that happened at a time in milliseconds since genesis.

        The fact itself is kept; it becomes a mapping only for those who ask or follow.
        """
        kind = type(fact)
        if kind not in self._kinds:
            self._kinds[kind] = (_name_of(kind), _naming_fields(kind))
        name, naming = self._kinds[kind]
        self.counts[name] = self.counts.get(name, 0) + 1
        for field in naming:
            value = getattr(fact, field)
            if isinstance(value, bytes | str):  # the node's own facts write identifiers out
                self._remember(str(plain(value)), fact, at_ms)
        if self._followers:
            record = record_of(fact) | {"at_ms": at_ms}
            for follower in list(self._followers):
                self._pass_on(follower, record)

    def about(self, identifier: str) -> tuple[dict[str, object], ...]:
        """Returns what is remembered of an identifier, oldest first."""
        return tuple(
            record_of(fact) | {"at_ms": at_ms}
            for fact, at_ms in self._remembered.get(identifier, ())
        )

    def latest(self, identifier: str, kind: type[_Fact]) -> _Fact | None:
        """Returns the newest fact of a kind that is remembered of an identifier."""
        for fact, _ in reversed(self._remembered.get(identifier, ())):
            if isinstance(fact, kind):
                return fact
        return None

    def remembered(self) -> tuple[str, ...]:
        """Returns the identifiers of which anything is remembered."""
        return tuple(self._remembered)

    @asynccontextmanager
    async def follow(self) -> AsyncIterator[AsyncIterator[dict[str, object]]]:
        """Follows facts from now on.

        Raises:
            trio.WouldBlock: when too many followers are connected already.
        """
        if len(self._followers) >= FOLLOWERS_MAX:
            raise trio.WouldBlock
        send, receive = trio.open_memory_channel[dict[str, object]](FOLLOWER_QUEUE)
        self._followers[send] = 0
        try:
            async with receive:
                yield receive
        finally:
            del self._followers[send]
            send.close()

    def _pass_on(
        self, follower: trio.MemorySendChannel[dict[str, object]], record: dict[str, object]
    ) -> None:
        missed = self._followers[follower]
        try:
            follower.send_nowait({**record, "missed": missed} if missed else record)
        except trio.WouldBlock:
            self._followers[follower] = missed + 1
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return
        else:
            self._followers[follower] = 0

    def _remember(self, identifier: str, fact: object, at_ms: int) -> None:
        facts = self._remembered.get(identifier)
        if facts is None:
            if len(self._remembered) >= REMEMBERED_MAX:
                del self._remembered[next(iter(self._remembered))]
            facts = self._remembered[identifier] = []
        if len(facts) >= FACTS_EACH_MAX:
            del facts[0]
        facts.append((fact, at_ms))


def _naming_fields(kind: type) -> tuple[str, ...]:
    names = {field.name for field in fields(kind)}
    return tuple(name for name in _NAMING_FIELDS if name in names)


def _name_of(kind: type) -> str:
    name = kind.__name__
    return "".join(f"_{one.lower()}" if one.isupper() else one for one in name).lstrip("_")
