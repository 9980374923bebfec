"""What a start does with the journal: the newest snapshot that is intact, then the later blocks.

What is loaded is checked against the state root that the boundary names, so damage can cost time,
and never make a wrong state. A long replay passes the end of the last whole epoch; a snapshot of it
spares the next start that way.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

import structlog
import trio

from p2pnode.driver import Driver
from p2pnode.live_line import LiveLine
from p2pnode.storage import (
    Contradiction,
    DamagedData,
    Journal,
    JournalReader,
    SnapshotLost,
    StorageError,
    StoredCertificate,
)
from protocol import effects as fx
from protocol import events as ev
from protocol.core import Core
from protocol.errors import Rejected
from protocol.resting import snapshot_of_end
from protocol.snapshot import Snapshot, decode_boundary
from protocol.units import CommitIndex, Epoch

RESTORE_BATCH: Final = 500

Opened = TypeVar("Opened")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Begun:
    """Where a start begins.

    Attributes:
        epoch: The first one whose blocks are replayed.
        after_sequence: The journal's blocks up to this one are not looked at.
        damaged: Snapshots that could not be used, newest first, and why.
    """

    epoch: int = 0
    after_sequence: int = 0
    damaged: tuple[tuple[int, str], ...] = ()


def begin(
    journal: Journal | JournalReader, open_at: Callable[[Snapshot | None], Opened]
) -> tuple[Opened, Begun]:
    """Opens something at the newest snapshot that is intact, or at genesis.

    Args:
        journal: A node's store.
        open_at: What to open; raises `Rejected` for a snapshot that is not right.

    Raises:
        SnapshotLost: No snapshot is intact, and the blocks that they stood for are gone.
        DamagedData: What says how much was pruned is damaged.
    """
    damaged: tuple[tuple[int, str], ...] = ()
    for mark in journal.snapshots():
        try:
            boundary = decode_boundary(mark.boundary)
            opened = open_at(Snapshot(boundary, journal.snapshot_pages(mark)))
        except (StorageError, Rejected) as error:
            damaged = (*damaged, (mark.epoch, str(error)))
            continue
        return opened, Begun(mark.epoch, journal.before_epoch(mark.epoch), damaged)
    if journal.pruned():
        raise SnapshotLost(journal.pruned())
    return open_at(None), Begun(damaged=damaged)


async def restore(
    journal: Journal,
    driver: Driver,
    begun: Begun,
    line: LiveLine | None = None,
    *,
    may_sign: bool,
) -> fx.PersistSnapshot | None:
    """Replays the journal through the core, before anything new can happen.

    Args:
        journal: The node's store.
        driver: Of the core, which begins where `begun` says.
        begun: From `begin`.
        line: Where somebody watches how far it is.
        may_sign: Whether the journal knows all that this node has signed.

    Returns:
        The snapshot that the journal lacks, for the node to write while it serves: of the newest
        end of an epoch that the replay passed. None where it passed none.

    Raises:
        Contradiction: The blocks lead to another ledger than the one that was final.
        DamagedData: Something other than a block is damaged.
    """
    core = driver.core
    _tell(begun)
    replay = _Replay(journal, driver, line)
    count = await replay.run(begun)
    _compare_with_journal(core, journal)
    known = journal.own_slots() if may_sign else ()
    slots = [(slot.epoch, slot.round) for slot in known]
    epoch, last_round = max(slots, default=(0, 0))
    operations = tuple(one.raw for one in journal.own_operations())
    reveals = tuple(one.raw for one in journal.prepared_reveals())
    if count:
        log.info("journal_replayed", blocks=count, final_index=core.state.index)
    final = journal.last_final()
    final_index = CommitIndex(final.index if final is not None else 0)
    await driver.put(ev.Restored(last_round, operations, reveals, Epoch(epoch), final_index))
    return replay.passed


def _tell(begun: Begun) -> None:
    for epoch, detail in begun.damaged:
        consequence = "this start uses an earlier snapshot, or all blocks"
        log.error("snapshot_damaged", epoch=epoch, detail=detail, consequence=consequence)
    if begun.epoch:
        log.info("snapshot_loaded", epoch=begun.epoch)


class _Replay:
    """All blocks up to the first that is damaged, through a core.

    Attributes:
        passed: The state at the newest end of an epoch that was passed.
    """

    def __init__(self, journal: Journal, driver: Driver, line: LiveLine | None) -> None:
        self._journal = journal
        self._driver = driver
        self._line = line
        self._kept: list[StoredCertificate] = []
        self._batch: list[bytes] = []
        self.passed: fx.PersistSnapshot | None = None

    async def run(self, begun: Begun) -> int:
        """Takes the blocks, and returns how many those were."""
        newest = self._journal.newest_epoch()
        count = 0
        try:
            for _, block in self._journal.blocks(begun.after_sequence):
                if block.epoch < begun.epoch:
                    continue  # a late one, which the snapshot stands for
                # Earlier ends are passed in large steps: a newer one is to come.
                if self._epoch < newest <= block.epoch + 1:
                    self._step()  # what is of earlier epochs
                    self._step_to_end(block.raw)
                else:
                    self._batch.append(block.raw)
                if len(self._batch) >= RESTORE_BATCH:
                    self._step()
                count += 1
                if count % RESTORE_BATCH == 0:
                    self._show(count)
                    await trio.lowlevel.checkpoint()
        except DamagedData as damage:
            if damage.digest is None:
                raise
            log.error("block_damaged", detail=str(damage), consequence="fetched again from peers")
            await self._journal.forget_damaged(damage.digest)
        self._step()
        await self._journal.append(self._kept)  # those that an earlier program did not keep
        return count

    @property
    def _epoch(self) -> int:
        return self._driver.core.ledger.committee.epoch

    def _show(self, count: int) -> None:
        if self._line is not None:
            self._line.show(f"replaying the journal: {count:,} blocks")

    def _step_to_end(self, raw: bytes) -> None:
        """Takes one block alone: if it ends an epoch, nothing has followed that end yet."""
        epoch, core = self._epoch, self._driver.core
        self._batch.append(raw)
        self._step()
        if self._epoch != epoch:
            self.passed = snapshot_of_end(core.state, core.account)

    def _step(self) -> None:
        """Takes what waits, and notes the certificates that it completes."""
        if not self._batch:
            return
        event = ev.BlocksRestored(tuple(self._batch))
        self._batch.clear()
        for effect in self._driver.core.step(event, self._driver.clock.now()):
            if isinstance(effect, fx.PersistCertificate):
                self._kept.append(StoredCertificate(effect.epoch, effect.raw))


def _compare_with_journal(core: Core, journal: Journal) -> None:
    """Refuses to go on when the replay ends in another ledger than the one that was final."""
    recorded = journal.final(core.state.index)
    last = core.ledger.last_commit
    if recorded is None or last is None:
        return
    if (recorded.digest, recorded.state_digest) != (last.digest, core.state.digest):
        raise Contradiction(f"commit {last.index}", recorded.state_digest, core.state.digest)
