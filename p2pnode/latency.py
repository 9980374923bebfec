"""How long this node's own operations took from being signed to being final."""

from collections import deque
from typing import Final

import trio

SAMPLES: Final = 1_000
OPEN_MAX: Final = 10_000


class Latencies:
    """The newest samples, for percentiles."""

    def __init__(self) -> None:
        self._open: dict[bytes, float] = {}
        self._done: deque[float] = deque(maxlen=SAMPLES)

    def begin(self, identifier: bytes) -> None:
        """Notes that an operation was signed now; one that was noted before keeps its time."""
        self._open.setdefault(identifier, trio.current_time())
        if len(self._open) > OPEN_MAX:
            del self._open[next(iter(self._open))]  # it may never become final

    def end(self, identifier: bytes) -> None:
        """Notes that an operation is final now."""
        begun = self._open.pop(identifier, None)
        if begun is not None:
            self._done.append(trio.current_time() - begun)

    def percentile_ms(self, percent: int) -> int | None:
        """Returns a percentile of the newest samples; None while there is none."""
        if not self._done:
            return None
        ordered = sorted(self._done)
        place = min(len(ordered) - 1, len(ordered) * percent // 100)
        return round(ordered[place] * 1_000)
