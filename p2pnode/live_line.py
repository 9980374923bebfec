"""A line on a terminal that is written over and over, below the log lines that pass above it."""

import os
import shutil
import threading
import time
from collections.abc import Callable, Mapping
from typing import Final, TextIO

INTERVAL_SECONDS: Final = 0.1
"""Between two changes of the line: quicker ones nobody can read."""
ERASE: Final = "\r\x1b[K"
DUMB: Final = "dumb"


def can_show(stream: TextIO, environment: Mapping[str, str] = os.environ) -> bool:
    """Whether a stream is a terminal on which a line can be written over."""
    return stream.isatty() and environment.get("TERM", DUMB) != DUMB


class LiveLine:
    """A terminal with one such line; log handlers write through it, from any thread.

    Args:
        stream: The terminal.
        clock: Seconds, from anywhere on.
    """

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._due = clock()
        self._text = ""
        self._lock = threading.RLock()

    def show(self, text: str, *, is_last: bool = False) -> None:
        """Writes the line anew, if the last time is long enough ago or this is the last change."""
        with self._lock:
            now = self._clock()
            if now < self._due and not is_last:
                return
            self._due = now + INTERVAL_SECONDS
            self._text = text
            self._stream.write(ERASE + self._fitting())
            self._stream.flush()

    def clear(self) -> None:
        """Takes the line away."""
        with self._lock:
            if self._text:
                self._text = ""
                self._stream.write(ERASE)
                self._stream.flush()

    def write(self, text: str) -> int:
        """Writes what belongs above the line, as a log handler does: whole lines."""
        with self._lock:
            if self._text:
                text = f"{ERASE}{text}{self._fitting()}"
            return self._stream.write(text)

    def flush(self) -> None:
        """Brings what was written to the terminal."""
        self._stream.flush()

    def _fitting(self) -> str:
        """As much of the line as the terminal is wide, since a second one would stay."""
        return self._text[: shutil.get_terminal_size().columns - 1]
