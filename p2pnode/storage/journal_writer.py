"""One thread that makes batches durable: those that wait together share one commit."""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import apsw

from p2pnode.storage.database import read_tally, transaction, translated, write_tally
from p2pnode.storage.errors import DamagedData, StorageError, StorageFailed
from p2pnode.storage.journal_rows import WrittenRecord, check_batch, write_batch
from p2pnode.storage.records import Tally

GROUP_BATCHES = 256
"""Most batches in one commit: bounds how long the first of them waits for the others."""


@dataclass(slots=True, eq=False)
class Batch:
    """Records that become durable together or not at all, and what became of them."""

    records: Sequence[WrittenRecord]
    settled: Callable[[], None]
    """Called once in the writer's thread, after `failure` is set."""
    failure: StorageError | None = None


class JournalWriter:
    """Owns the writing connection; `submit` may be called from any thread."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._tally = read_tally(connection)
        self._waiting: deque[Batch] = deque()
        self._changed = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="journal-writer", daemon=True)
        self._thread.start()

    def submit(self, batch: Batch) -> None:
        """Queues a batch; the caller bounds how many wait.

        Raises:
            StorageFailed: The journal is closed.
        """
        with self._changed:
            if self._closing:
                raise StorageFailed("the journal is closed")
            self._waiting.append(batch)
            self._changed.notify()

    def close(self) -> None:
        """Writes what waits, then ends the thread and the connection. Blocks."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()
        with translated():
            self._connection.close()

    def _run(self) -> None:
        group: list[Batch] = []
        try:
            while group := self._next_group():
                self._commit_group(group)
                for batch in group:
                    batch.settled()
        finally:
            # Reached with a group only when a defect of ours ended the loop: nobody may wait
            # for ever on a thread that is gone.
            with self._changed:
                self._closing = True
                group = [*group, *self._waiting]
            for batch in group:
                batch.failure = StorageFailed("the journal's writer stopped")
                batch.settled()

    def _next_group(self) -> list[Batch]:
        """Waits for work; empty when the journal closes and nothing is left."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closing)
            size = min(len(self._waiting), GROUP_BATCHES)
            return [self._waiting.popleft() for _ in range(size)]

    def _commit_group(self, group: Sequence[Batch]) -> None:
        try:
            with translated(), transaction(self._connection):
                tally = self._write(group)
            self._tally = tally
        except (StorageFailed, DamagedData) as failure:
            for batch in group:
                batch.failure = failure

    def _write(self, group: Sequence[Batch]) -> Tally:
        tally = self._tally
        for batch in group:
            try:
                check_batch(self._connection, batch.records)
            except StorageError as failure:
                batch.failure = failure
                continue
            tally = write_batch(self._connection, batch.records, tally)
        if tally != self._tally:
            write_tally(self._connection, tally)
        return tally
