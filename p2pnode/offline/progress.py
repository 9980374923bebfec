"""Shows on a terminal how far a long command is; says nothing where nobody watches."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

INTERVAL_SECONDS: Final = 0.1


class Progress:
    """One line on the standard error stream that is written over and over."""

    def __init__(self, doing: str, total: int, unit: str) -> None:
        self._doing = doing
        self._unit = unit
        self._total = total
        self._is_shown = sys.stderr.isatty()
        self._due = 0.0
        self._width = 0

    def show(self, entries: int, done: int) -> None:
        """Shows how many entries and how much of the total is done, now and then."""
        if not self._is_shown or time.monotonic() < self._due:
            return
        self._due = time.monotonic() + INTERVAL_SECONDS
        text = f"{self._doing}: {entries:,} {self._unit}"
        if self._total:
            text += f", {min(100, 100 * done // self._total)} %"
        self._write(text)

    def clear(self) -> None:
        """Takes the line away, before anything else is printed."""
        if self._width:
            self._write("")
            self._write_raw("\r")

    def _write(self, text: str) -> None:
        self._write_raw(f"\r{text:<{self._width}}")
        self._width = len(text)

    def _write_raw(self, text: str) -> None:
        sys.stderr.write(text)
        sys.stderr.flush()


@contextmanager
def shown_progress(doing: str, total: int = 0, unit: str = "blocks") -> Iterator[Progress]:
    """Shows progress while a block of code runs.

    Args:
        doing: A verb, such as `auditing`.
        total: What counts as done at the end, in the unit that `show` is given; 0 if unknown.
        unit: What the entries are, in the plural.
    """
    progress = Progress(doing, total, unit)
    try:
        yield progress
    finally:
        progress.clear()
