"""A running digest over everything that happens: equal traces, equal runs."""

import hashlib
from typing import Final

from protocol import effects as fx
from protocol import events as ev
from protocol.units import DIGEST_BYTES

UNORDERED: Final = (ev.WorkerOffered,)
"""Events that hold sets, whose text depends on the process's hash seed."""


class Trace:
    """A recorder that keeps one digest.

    Attributes:
        entries: Events and effects seen.
    """

    __slots__ = ("_names", "_state", "entries")

    def __init__(self) -> None:
        self.entries = 0
        self._names: dict[str, tuple[str, ...]] = {}
        self._state = hashlib.blake2b(digest_size=DIGEST_BYTES)

    @property
    def digest(self) -> str:
        """The digest so far, in hexadecimal."""
        return self._state.hexdigest()

    def event(self, time: int, node: int, event: ev.Event) -> None:
        """Adds what happened to a node."""
        self._add(b"<", time, node, event)

    def effect(self, time: int, node: int, effect: fx.Effect) -> None:
        """Adds what a node asked for."""
        self._add(b">", time, node, effect)

    def _add(self, mark: bytes, time: int, node: int, entry: ev.Event | fx.Effect) -> None:
        self.entries += 1
        kind = type(entry)
        self._state.update(b"%s%d %d %s" % (mark, time, node, kind.__name__.encode()))
        if kind in UNORDERED:
            return
        for name in self._names_of(entry):
            value = getattr(entry, name)
            self._state.update(value if isinstance(value, bytes) else repr(value).encode())

    def _names_of(self, entry: ev.Event | fx.Effect) -> tuple[str, ...]:
        """Names an entry's fields; looked up once for each kind."""
        kind = type(entry).__name__
        names = self._names.get(kind)
        if names is None:
            names = self._names[kind] = entry.__struct_fields__
        return names
