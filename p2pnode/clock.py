"""The node's clock: integer nanoseconds since genesis, never running backwards.

Wall time is read once, at the start; from then on the monotonic clock counts, so a jump of the
system's time moves nothing. Safety depends on no clock; only pace and deadlines do.
"""

import time
from collections.abc import Callable


class NodeClock:
    """Time since a network's genesis.

    Args:
        genesis_ms: Unix time of genesis in milliseconds.
        error_ns: Says by how much the clock is off at this moment; only a laboratory has one.
    """

    def __init__(self, genesis_ms: int, error_ns: Callable[[], int] | None = None) -> None:
        self._started = time.time_ns() - genesis_ms * 1_000_000
        self._monotonic = time.monotonic_ns()
        self._error_ns = error_ns
        self._latest: int | None = None

    def now(self) -> int:
        """Returns nanoseconds since genesis; negative when this machine's date lies before it."""
        now = self._started + time.monotonic_ns() - self._monotonic
        if self._error_ns is None:
            return now
        now += self._error_ns()
        self._latest = now if self._latest is None else max(now, self._latest)
        return self._latest

    def seconds_until(self, moment: int) -> float:
        """Returns how long it is until a time since genesis, at least 0."""
        return max(0.0, (moment - self.now()) / 1e9)
