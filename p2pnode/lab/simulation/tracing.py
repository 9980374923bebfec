"""The full trace of a run as JSON lines, and the comparison of a run with the trace of another.

A trace is kept compressed by gzip, a tenth as large or less; equal traces are equal files.
"""

import gzip
import io
import json
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import IO, Final

import msgspec

from p2pnode.lab.simulation.library import ScenarioError
from protocol import effects as fx
from protocol import events as ev

COMPRESSION: Final = 6
"""Of gzip: beyond it, time is spent and little won."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Where two traces part.

    Attributes:
        line: Of the first entry that differs; the first line is 1.
        before: What the older trace has there; empty when it has ended.
        now: What this run has there; empty when it has ended.
    """

    line: int
    before: str
    now: str


@dataclass(slots=True)
class TraceLines:
    """A recorder that makes one line of everything that happens.

    Attributes:
        take: Takes each line.
    """

    take: Callable[[str], object]

    def event(self, time: int, node: int, event: ev.Event) -> None:
        """Takes what happened to a node."""
        self._take("event", time, node, event)

    def effect(self, time: int, node: int, effect: fx.Effect) -> None:
        """Takes what a node asked for."""
        self._take("effect", time, node, effect)

    def _take(self, what: str, time: int, node: int, entry: object) -> None:
        line = {"time_ns": time, "node": node, what: type(entry).__name__}
        self.take(json.dumps(line | {"fields": _plain(entry)}) + "\n")


@contextmanager
def open_trace(path: Path) -> Iterator[IO[str]]:
    """Open a file for a trace; neither its name nor the time is kept in it."""
    with (
        path.open("wb") as file,
        gzip.GzipFile("", "wb", COMPRESSION, file, mtime=0) as packed,
        io.TextIOWrapper(packed, encoding="utf-8", newline="\n") as lines,
    ):
        yield lines


def write_lines(file: IO[str]) -> TraceLines:
    """Make a recorder that writes a trace."""
    return TraceLines(file.write)


class Comparison:
    """Compares a run with an older trace while it happens.

    Args:
        path: Of the older trace.

    Attributes:
        difference: The first one; None as long as there is none.

    Raises:
        ScenarioError: The older trace is damaged, which says nothing about the runs.
    """

    def __init__(self, path: Path) -> None:
        _check_whole(path)
        self.difference: Difference | None = None
        self._before: Iterator[str] = _lines(path)
        self._line = 0

    @property
    def recorder(self) -> TraceLines:
        """What to tell of the run."""
        return TraceLines(self._compare)

    def finish(self) -> None:
        """Notices that the older trace goes on."""
        if self.difference is None and (before := next(self._before, "")):
            self.difference = Difference(self._line + 1, before.rstrip("\n"), "")

    def _compare(self, now: str) -> None:
        if self.difference is not None:
            return
        self._line += 1
        before = next(self._before, "")
        if before != now:
            self.difference = Difference(self._line, before.rstrip("\n"), now.rstrip("\n"))


def _check_whole(path: Path) -> None:
    """Reads all of it before the run, of which it would otherwise look like a crash."""
    number = 0
    try:
        for line in _lines(path):
            number += 1
            if not line.endswith("\n") or not isinstance(json.loads(line), dict):
                raise ValueError("no whole line")
    except UnicodeDecodeError as error:
        raise ScenarioError(f"{path}: the trace is damaged: it is not UTF-8 text") from error
    except (ValueError, RecursionError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ScenarioError(
            f"{path}, line {number}: the trace is damaged: "
            "remove it to compare the digests of the runs alone"
        ) from error
    except OSError as error:
        raise ScenarioError(f"{path}: {error.strerror}: the trace cannot be read") from error


def _lines(path: Path) -> Iterator[str]:
    with gzip.open(path, "rt", encoding="utf-8", newline="\n") as file:
        yield from file


def _plain(value: object) -> object:
    """Turns a value of the protocol into what JSON can say; sets are sorted."""
    if isinstance(value, set | frozenset):
        return sorted((_plain(one) for one in value), key=str)
    if isinstance(value, tuple | list):
        return [_plain(one) for one in value]
    if isinstance(value, dict):
        return {str(_plain(key)): _plain(one) for key, one in value.items()}
    if isinstance(value, bytes):
        return value.hex()
    names = _field_names(value)
    return {name: _plain(getattr(value, name)) for name in names} if names else _leaf(value)


def _field_names(value: object) -> tuple[str, ...]:
    if isinstance(value, msgspec.Struct):
        return value.__struct_fields__
    return tuple(field.name for field in fields(value)) if is_dataclass(value) else ()


def _leaf(value: object) -> object:
    """Turns a value without parts into one that JSON knows; one without fields into nothing."""
    if isinstance(value, Enum):
        return value.value
    return {} if is_dataclass(value) or isinstance(value, msgspec.Struct) else value
