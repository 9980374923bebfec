"""The worker's own clock: interrupts a run politely at its time limit.

The runner kills what does not stop; stopping here first lets the outcome say how much was used.
"""

import threading
from collections.abc import Callable


class Deadline:
    """Calls an interruption once, a given time after it was made."""

    def __init__(self, limit_ms: int) -> None:
        """Start the clock; the thread must exist before the sandbox forbids new ones."""
        self._lock = threading.Lock()
        self._interrupt: Callable[[], None] | None = None
        self._passed = False
        self._never = threading.Event()
        threading.Thread(target=self._wait, args=(limit_ms / 1000,), daemon=True).start()

    @property
    def passed(self) -> bool:
        """Whether the time limit is over."""
        return self._passed

    def interrupt_with(self, interrupt: Callable[[], None]) -> None:
        """Name the interruption; a deadline that has passed calls it at once."""
        with self._lock:
            self._interrupt = interrupt
            if self._passed:
                interrupt()

    def _wait(self, seconds: float) -> None:
        self._never.wait(seconds)
        with self._lock:
            self._passed = True
            if self._interrupt is not None:
                self._interrupt()
