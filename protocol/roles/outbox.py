"""Operations on their way out: gossiped in batches, since a message costs more than its content."""

from typing import Final

from protocol.encoding import encode
from protocol.units import MILLISECOND
from protocol.wire import OperationBatch

INTERVAL_MS: Final = 250
"""Batches go out at most this often."""

BATCH_BYTES_MAX: Final = 256 * 1024


class Outbox:
    """Signed operations that the next batch carries."""

    def __init__(self) -> None:
        self._waiting: list[bytes] = []
        self._due_at = 0

    def add(self, raw: bytes, now: int) -> None:
        """Puts an operation into the next batch."""
        if not self._waiting:
            self._due_at = max(self._due_at, now)
        self._waiting.append(raw)

    def due(self) -> int | None:
        """Returns when the next batch goes out; None while nothing waits."""
        return self._due_at if self._waiting else None

    def flush(self, now: int) -> bytes | None:
        """Returns the encoded batch that is due, if one is."""
        if not self._waiting or now < self._due_at:
            return None
        size, count = 0, 0
        for raw in self._waiting:
            size += len(raw)
            if count and size > BATCH_BYTES_MAX:
                break
            count += 1
        batch, self._waiting = self._waiting[:count], self._waiting[count:]
        self._due_at = now + INTERVAL_MS * MILLISECOND
        return encode(OperationBatch(tuple(batch)))
