"""How far an arrival is, for people: a line on a terminal, elsewhere a log line now and then."""

import time
from collections.abc import Callable
from typing import Final, Protocol

import structlog

from p2pnode.live_line import LiveLine

INTERVAL_SECONDS: Final = 2.0

log = structlog.get_logger(__name__)


class Progress(Protocol):
    """Whoever shows how far it is."""

    def chain(self, epoch: int, newest: int) -> None:
        """The ends of epochs are proven up to this one, of a chain up to the newest."""

    def pages(self, epoch: int, done: int, total: int) -> None:
        """So many of the pages of the snapshot at an epoch's end are here."""


class ShownProgress:
    """Writes one line over and over.

    Args:
        line: On a terminal.
    """

    def __init__(self, line: LiveLine) -> None:
        self._line = line

    def chain(self, epoch: int, newest: int) -> None:
        """Shows how many ends of epochs are verified."""
        text = f"verifying certificates: epoch {epoch:,} of {newest:,}"
        self._line.show(text, is_last=epoch >= newest)

    def pages(self, epoch: int, done: int, total: int) -> None:
        """Shows how many pages are here."""
        text = f"fetching the state at the end of epoch {epoch:,}: {done:,} of {total:,} pages"
        self._line.show(text, is_last=done >= total)


class LoggedProgress:
    """Writes a line every two seconds, and one for each thing that is complete."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._due = clock() + INTERVAL_SECONDS

    def chain(self, epoch: int, newest: int) -> None:
        """Logs how many epochs are verified."""
        if self._is_due(is_last=epoch >= newest):
            log.info("verifying_epochs", verified=epoch, newest=newest)

    def pages(self, epoch: int, done: int, total: int) -> None:
        """Logs how many pages are here."""
        if self._is_due(is_last=done >= total):
            log.info("fetching_snapshot", epoch=epoch, pages=done, of=total)

    def _is_due(self, *, is_last: bool) -> bool:
        now = self._clock()
        if not is_last and now < self._due:
            return False
        self._due = now + INTERVAL_SECONDS
        return True
