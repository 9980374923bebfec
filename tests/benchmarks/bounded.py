"""A year of history in one node's store: what pruning leaves of it, and what it costs meanwhile.

The journal is written and pruned by the node's own code. Its certificates have the form and size of
a committee of 32, with signatures that nobody made: nothing here verifies them. Of the blocks of an
epoch only a few are there, each as large as those of a simulated committee of 32; that committee
also says what a whole epoch would take.
"""

import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from random import Random

import trio
from msgspec.structs import replace

from p2pnode.storage import (
    FinalCommit,
    Journal,
    JournalRecord,
    OwnSlot,
    SnapshotMark,
    StoredBlock,
    StoredCertificate,
    open_journal,
)
from p2pnode.storage.database import WAL_LIMIT_BYTES
from protocol import effects as fx
from protocol import events as ev
from protocol.encoding import content_digest
from protocol.ledger.certified import EpochCertificate, encode_certificate
from protocol.parameters import live
from protocol.simulator.scenario import START_NS
from protocol.simulator.world import World
from protocol.units import SECOND, Digest
from tests.benchmarks.committee import calm_network
from tests.benchmarks.figures import Effort, Figure, at_most
from tests.support.certificates import Notary

MEMBERS = 32
YEAR = 52_560
"""Epochs of ten minutes in 365 days."""
KEEP = 144
"""A day of blocks."""
KEEP_CHAIN = 4_320
"""Thirty days of certificates."""
BLOCKS = 2
"""Of each epoch, by one author; as many own slots and final commits."""
PAGES, PAGE_BYTES = 4, 256 * 1024
"""Of each of the snapshots that are kept."""
BATCH_EPOCHS = 200
OVERHEAD = 1.35
"""What indexes, checksums and half-full pages add at most to the bytes of rows."""
BEAT_SECONDS = 0.001
OWN_PAUSE_SECONDS = 0.02
MEGA = 1e6
LOG = at_most(WAL_LIMIT_BYTES / MEGA)
"""What the write-ahead log is cut to at a checkpoint."""


@dataclass(slots=True)
class _Sizes:
    """Bytes of what a simulated committee makes."""

    blocks: list[int] = field(default_factory=list)
    operations: list[int] = field(default_factory=list)

    def event(self, time: int, node: int, event: ev.Event) -> None:
        """Events have no size."""

    def effect(self, time: int, node: int, effect: fx.Effect) -> None:
        if isinstance(effect, fx.PersistBlock) and node == 0:
            self.blocks.append(len(effect.raw))
        elif isinstance(effect, fx.PersistOperation):
            self.operations.append(len(effect.raw))


def measure(effort: Effort) -> Iterator[Figure]:
    """Write a year, prune it, and live through epochs with both bounds set."""
    sizes, seconds = _Sizes(), effort.of(20, 4)
    World(calm_network(MEMBERS, seconds), (sizes,)).engine.run(START_NS + seconds * SECOND)
    said = f"committee of {MEMBERS} in virtual time, {seconds} s, {len(sizes.blocks):,} blocks"
    yield Figure("bounded: a block", "B", tuple(map(float, sizes.blocks)), said)
    yield Figure("bounded: an operation", "B", tuple(map(float, sizes.operations)), said)
    block_bytes = sum(sizes.blocks) // len(sizes.blocks)
    whole = live().epoch_rounds * MEMBERS * block_bytes / MEGA
    stated = f"{live().epoch_rounds} rounds, {MEMBERS} blocks each, of the mean size; by proportion"
    yield Figure("bounded: blocks of an epoch at full pace", "MB", (whole,), stated)
    with tempfile.TemporaryDirectory(prefix="p2pnode-benchmark-") as name:
        year = effort.of(YEAR, YEAR // 20)
        yield from trio.run(_year, Path(name), year, block_bytes)
    with tempfile.TemporaryDirectory(prefix="p2pnode-benchmark-") as name:
        yield from trio.run(_living, Path(name), effort.of(600, 100), block_bytes)


class Past:
    """The records of one epoch after the other."""

    def __init__(self, block_bytes: int) -> None:
        self._chance = Random(1)  # noqa: S311  bytes that cannot be packed, not secrets
        self._form = next(Notary(MEMBERS).certificates(1))
        self._block_bytes = block_bytes

    def epoch(self, number: int) -> list[JournalRecord]:
        """What one epoch leaves, the mark of its snapshot last."""
        records: list[JournalRecord] = []
        for place in range(BLOCKS):
            raw, index = self._chance.randbytes(self._block_bytes), number * BLOCKS + place
            digest = content_digest(raw)
            records += [
                StoredBlock(digest, place, 1 + place, number, raw),
                OwnSlot(number, 1 + place, digest),
                FinalCommit(index, digest, content_digest(digest)),
            ]
        certificate = StoredCertificate(number, encode_certificate(self._certificate(number)))
        return [*records, certificate, mark_of(number)]

    def _certificate(self, number: int) -> EpochCertificate:
        form, draw = self._form, self._chance.randbytes
        return replace(
            form,
            epoch=number,
            index=(number + 1) * BLOCKS - 1,
            commit_digest=Digest(draw(32)),
            state_digest=Digest(draw(32)),
            beacon=Digest(draw(32)),
            signatures=tuple((member, draw(64)) for member, _ in form.signatures),
        )


def mark_of(number: int) -> SnapshotMark:
    """The mark of the state at the end of an epoch."""
    digest = content_digest(number.to_bytes(8, "big"))
    return SnapshotMark(number + 1, (number + 1) * BLOCKS - 1, digest, 0, 0, bytes(200))


def bound_bytes(keep: int, keep_chain: int, block_bytes: int) -> float:
    """What a journal of such epochs may take at most with both bounds set."""
    small = 3 * 200
    epoch = BLOCKS * (block_bytes + small) + small
    content = (keep + 2) * epoch + (keep_chain + 2) * (4_096 + small)
    return OVERHEAD * content + 4 * PAGES * PAGE_BYTES


async def _year(root: Path, epochs: int, block_bytes: int) -> list[Figure]:
    past, begun = Past(block_bytes), time.monotonic()
    async with _opened(root) as journal:
        numbers = iter(range(epochs))
        while batch := list(islice(numbers, BATCH_EPOCHS)):
            await journal.append([one for number in batch for one in past.epoch(number)])
        for number in (epochs - 2, epochs - 1):
            await journal.write_snapshot(mark_of(number), iter(_pages()))
        written = time.monotonic() - begun
        before = await journal.sizes()
        pruning = await _pruned(journal)
        after = await journal.sizes()
    begun = time.monotonic()
    async with _opened(root) as journal:
        opened = time.monotonic() - begun
        compacted = await journal.sizes()
        await journal.append(past.epoch(epochs))
    stated = (
        f"{epochs:,} epochs: a certificate of {MEMBERS} members, {BLOCKS} blocks of {block_bytes} "
        f"B, slots and commits each; two snapshots of {PAGES} pages; written in {written:.0f} s"
    )
    bounds = f"--keep {KEEP} --keep-chain {KEEP_CHAIN}; {stated}"
    beside = f"the loop and what it writes included; {bounds}"
    limit = bound_bytes(KEEP, KEEP_CHAIN, block_bytes) / MEGA
    used = (after.database_bytes - after.free_bytes) / MEGA
    return [
        Figure("a year: file", "MB", (before.database_bytes / MEGA,), stated),
        Figure("a year: log", "MB", (before.log_bytes / MEGA,), stated, target=LOG),
        Figure("a year, pruned: in use", "MB", (used,), bounds, target=at_most(limit)),
        Figure("a year, pruned: free pages", "MB", (after.free_bytes / MEGA,), bounds),
        Figure("a year, pruned: log", "MB", (after.log_bytes / MEGA,), bounds, target=LOG),
        Figure(
            "a year, pruned: file and log after a start",
            "MB",
            ((compacted.database_bytes + compacted.log_bytes) / MEGA,),
            f"opening it took {opened:.1f} s, all checks included; {bounds}",
            target=at_most(limit),
        ),
        Figure("a year: pruning it", "s", (pruning.seconds,), f"wall clock; {bounds}"),
        Figure("a year: pruning it: processor time", "s", (pruning.busy_seconds,), beside),
        Figure("a year: transactions of pruning", "", (pruning.steps,), bounds),
        Figure(
            "a year: longest stall of the loop meanwhile", "s", (pruning.stall_seconds,), bounds
        ),
        Figure(
            "a year: longest wait of an own record",
            "s",
            (max(pruning.waits),),
            f"{len(pruning.waits):,} records, one every {OWN_PAUSE_SECONDS} s; {bounds}",
        ),
    ]


async def _living(root: Path, epochs: int, block_bytes: int) -> list[Figure]:
    """Lives through epochs, each with its snapshot and its pruning."""
    past, keep, keep_chain = Past(block_bytes), 6, 144
    most: list[float] = []
    logs: list[float] = []
    async with _opened(root) as journal:
        for number in range(epochs):
            *records, mark = past.epoch(number)
            assert isinstance(mark, SnapshotMark), "it comes last"
            await journal.append(records)
            await journal.write_snapshot(mark, iter(_pages()))
            while await journal.prune(keep, keep_chain):
                pass
            seen = await journal.sizes()
            most.append(seen.database_bytes / MEGA)
            logs.append(seen.log_bytes / MEGA)
    half = len(most) // 2
    limit = bound_bytes(keep, keep_chain, block_bytes) / MEGA
    written = epochs * (PAGES * PAGE_BYTES + BLOCKS * block_bytes + 4_000) / MEGA
    stated = (
        f"--keep {keep} --keep-chain {keep_chain}, {epochs:,} epochs, each with a snapshot of "
        f"{PAGES} pages; {written:,.0f} MB were written; most in the first half "
        f"{max(most[:half]):.2f}, in the second {max(most[half:]):.2f}"
    )
    return [
        Figure("epochs go by: largest file", "MB", (max(most),), stated, target=at_most(limit)),
        Figure("epochs go by: largest log", "MB", (max(logs),), stated, target=LOG),
    ]


@dataclass(slots=True)
class _Pruning:
    """How a journal was pruned beside a running loop."""

    seconds: float = 0
    busy_seconds: float = 0
    steps: int = 0
    stall_seconds: float = 0
    waits: list[float] = field(default_factory=list)
    """Of records that the node wrote meanwhile, until each was durable."""


async def _pruned(journal: Journal) -> _Pruning:
    found, beats = _Pruning(), list[float]()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_beat, beats)
        nursery.start_soon(_own_records, journal, found.waits)
        await trio.sleep(0.1)
        beats.clear()
        begun, worked = time.monotonic(), time.process_time()
        while await journal.prune(KEEP, KEEP_CHAIN):
            found.steps += 1
        found.seconds = time.monotonic() - begun
        found.busy_seconds = time.process_time() - worked
        nursery.cancel_scope.cancel()
    found.stall_seconds = max(beats, default=0)
    return found


async def _beat(beats: list[float]) -> None:
    """Notes by how much the loop was late, a thousand times a second."""
    while True:
        begun = time.monotonic()
        await trio.sleep(BEAT_SECONDS)
        beats.append(time.monotonic() - begun - BEAT_SECONDS)


async def _own_records(journal: Journal, waits: list[float]) -> None:
    """Signs slots of an epoch that is far ahead, as a member does while its store is pruned."""
    number = 0
    while True:
        number += 1
        begun = time.monotonic()
        await journal.append(
            [OwnSlot(10 * YEAR, number, content_digest(number.to_bytes(8, "big")))]
        )
        waits.append(time.monotonic() - begun)
        await trio.sleep(OWN_PAUSE_SECONDS)


def _pages() -> list[bytes]:
    return [bytes([number]) * PAGE_BYTES for number in range(PAGES)]


def _opened(root: Path) -> AbstractAsyncContextManager[Journal]:
    return open_journal(root, bytes(32), bytes(32), hash_block=content_digest)
