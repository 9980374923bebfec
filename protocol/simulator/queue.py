"""A sender of limited speed, and the bounded queue before it."""

from dataclasses import dataclass
from typing import Final

from protocol.units import SECOND

BITS: Final = 8
QUEUE_BYTES: Final = 1_000_000
"""What may wait unless something else is said: a second of eight megabits a second."""


@dataclass(frozen=True, slots=True)
class Capacity:
    """How fast something sends, and how much may wait for it.

    Attributes:
        rate_bps: Bits a second.
        queue_bytes: The most that may wait, with what is being sent; what comes then is dropped.
    """

    rate_bps: int
    queue_bytes: int = QUEUE_BYTES


class Queue:
    """Sends one message after the other, in the order in which they come.

    An idle sender takes a message of any size.
    """

    __slots__ = ("_capacity", "_idle_ns")

    def __init__(self, capacity: Capacity) -> None:
        self._capacity = capacity
        self._idle_ns = 0

    def take(self, now: int, size_bytes: int) -> int | None:
        """Returns when a message's last bit is out, rounded up; None when it is dropped."""
        rate = self._capacity.rate_bps
        backlog_ns = self._idle_ns - now
        if backlog_ns > 0:
            waiting_bytes = -(-backlog_ns * rate // (BITS * SECOND))
            if waiting_bytes + size_bytes > self._capacity.queue_bytes:
                return None
        sending_ns = -(-size_bytes * BITS * SECOND // rate)
        self._idle_ns = max(now, self._idle_ns) + sending_ns
        return self._idle_ns
