"""One node's store: what was written is kept only once it was synced.

A crash keeps a batch of writes whole or not at all, as a database transaction does. A torn batch,
of which only the beginning reached the disk, is therefore dropped at the next start; a store that
kept no checksums would take that beginning for good.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from protocol import effects as fx
from protocol import events as ev
from protocol.encoding import encode
from protocol.snapshot import Snapshot
from protocol.units import CommitIndex, Digest, Epoch, JobId
from protocol.wire import BlockBatch

RESTORED_BLOCKS: Final = 256
"""Blocks in one event of a start."""

FRAMING_BYTES: Final = 8
"""What a batch adds to each block."""

SNAPSHOTS_KEPT: Final = 2


@dataclass(slots=True)
class Disk:
    """The stable storage of one node.

    Attributes:
        contradictions: Slots for which a second block was to be remembered; must stay empty.
        lost: Writes that crashes took.
        dropped: Writes that a start found to be of a torn batch.
        has_checksums: Whether a torn batch is noticed.
    """

    contradictions: list[tuple[int, int]] = field(default_factory=list)
    lost: int = 0
    dropped: int = 0
    has_checksums: bool = True
    _unsynced: list[fx.Persist] = field(default_factory=list)
    _torn: list[fx.Persist] = field(default_factory=list)
    _blocks: dict[Digest, fx.PersistBlock] = field(default_factory=dict)
    _slots: dict[tuple[int, int], Digest] = field(default_factory=dict)
    _operations: dict[Digest, fx.PersistOperation] = field(default_factory=dict)
    _reveals: dict[JobId, bytes] = field(default_factory=dict)
    commits: dict[CommitIndex, fx.PersistCommit] = field(default_factory=dict)
    certificates: dict[int, bytes] = field(default_factory=dict)
    _snapshots: list[Snapshot] = field(default_factory=list)
    """The newest ones, the older first; their pages are made when somebody needs them."""
    _spent: tuple[JobId, ...] = ()
    """Jobs that are over in the newest one."""

    @property
    def is_dirty(self) -> bool:
        """Whether anything written is not yet safe."""
        return bool(self._unsynced)

    def write(self, effect: fx.Persist) -> None:
        """Takes a write, which is not safe yet."""
        self._unsynced.append(effect)

    def sync(self) -> None:
        """Makes everything written safe."""
        if self._unsynced:
            for effect in self._unsynced:
                self._keep(effect)
            self._unsynced.clear()

    def crash(self, keeps: bool) -> None:
        """Loses what was not synced, unless the last batch just made it."""
        if keeps:
            self.sync()
        self.lost += len(self._unsynced)
        self._unsynced.clear()

    def tear(self, reached: int) -> None:
        """Stops in the middle of the batch: so many of its writes have reached the disk."""
        self.lost += len(self._unsynced) - reached
        self._torn = self._unsynced[:reached]
        self._unsynced.clear()

    @property
    def unsynced(self) -> int:
        """How many writes are not yet safe."""
        return len(self._unsynced)

    @property
    def signed(self) -> int:
        """How many slots are remembered."""
        return len(self._slots)

    @property
    def last_slot(self) -> tuple[Epoch, int]:
        """Newest epoch and round of which a slot is remembered; 0 and 0 for none."""
        epoch, slot_round = max(self._slots, default=(0, 0))
        return Epoch(epoch), slot_round

    def copy(self) -> "Disk":
        """Copies what is safe."""
        return Disk(
            _blocks=dict(self._blocks),
            _slots=dict(self._slots),
            _operations=dict(self._operations),
            _reveals=dict(self._reveals),
            commits=dict(self.commits),
            certificates=dict(self.certificates),
            _snapshots=self._whole_snapshots(),
        )

    def answer(self, request: fx.SendStoredBlocks) -> bytes:
        """Encodes the blocks that a neighbour asked for, within its limit."""
        chosen: list[bytes] = []
        left_bytes = request.limit_bytes
        for raw in self._wanted(request):
            left_bytes -= len(raw) + FRAMING_BYTES
            if left_bytes < 0:
                break
            chosen.append(raw)
        return encode(BlockBatch(tuple(chosen)))

    def keep_snapshot(self, snapshot: Snapshot, spent: tuple[JobId, ...] = ()) -> None:
        """Takes a snapshot, which is safe at once; the oldest makes room.

        The reveals of jobs that are over in it go when the next one comes: a start may begin at
        either of the two.
        """
        for job in self._spent:
            self._reveals.pop(job, None)
        self._spent = spent
        self._snapshots = [*self._snapshots, snapshot][-SNAPSHOTS_KEPT:]

    def newest_snapshot(self) -> Snapshot | None:
        """The snapshot that a start begins with."""
        whole = self._whole_snapshots()
        return whole[-1] if whole else None

    def _whole_snapshots(self) -> list[Snapshot]:
        """Makes all pages, which a state's own snapshot can do once only."""
        self._snapshots = [Snapshot(one.boundary, tuple(one.pages)) for one in self._snapshots]
        return list(self._snapshots)

    def restore(self) -> Iterator[ev.Event]:
        """Yields the events of a start from the newest snapshot, ending with `Restored`."""
        self._judge_torn()
        stands_for = self._snapshots[-1].boundary.epoch if self._snapshots else -1
        raws = [block.raw for block in self._blocks.values() if block.epoch > stands_for]
        for first in range(0, len(raws), RESTORED_BLOCKS):
            yield ev.BlocksRestored(tuple(raws[first : first + RESTORED_BLOCKS]))
        operations = sorted(self._operations.values(), key=lambda kept: kept.nonce)
        epoch, last_round = self.last_slot
        raws_of_operations = tuple(kept.raw for kept in operations)
        reveals, final_index = (
            tuple(self._reveals.values()),
            max(self.commits, default=ev.NO_COMMIT),
        )
        yield ev.Restored(last_round, raws_of_operations, reveals, epoch, final_index)

    def _judge_torn(self) -> None:
        torn, self._torn = self._torn, []
        if self.has_checksums:
            self.dropped += len(torn)
            return
        for effect in torn:
            self._keep(effect)

    def _keep(self, effect: fx.Persist) -> None:
        match effect:
            case fx.PersistBlock():
                self._blocks.setdefault(effect.digest, effect)
            case fx.PersistSlot():
                slot = (effect.epoch, int(effect.round))
                if self._slots.setdefault(slot, effect.digest) != effect.digest:
                    self.contradictions.append(slot)
            case fx.PersistOperation():
                self._operations[effect.identifier] = effect
            case fx.PersistReveal():
                self._reveals[effect.job] = effect.raw
            case fx.PersistCommit():
                self.commits[effect.index] = effect
            case fx.PersistCertificate():
                self.certificates[effect.epoch] = effect.raw

    def _wanted(self, request: fx.SendStoredBlocks) -> Iterator[bytes]:
        named = dict.fromkeys(request.wanted)
        for digest in named:
            block = self._blocks.get(digest)
            if block is not None:
                yield block.raw
        have = request.have
        for block in self._blocks.values():
            if block.epoch != request.epoch:
                continue
            if block.author >= len(have) or block.round <= have[block.author]:
                continue
            if block.digest not in named:
                yield block.raw
