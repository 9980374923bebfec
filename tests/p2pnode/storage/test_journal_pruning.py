"""What may go, and when: never anything that a restart needs."""

from collections.abc import Iterable
from pathlib import Path

import apsw
import pytest

from p2pnode.storage import (
    Contradiction,
    DamagedData,
    Journal,
    JournalRecord,
    SnapshotMark,
    StoredBlock,
    open_readonly,
)
from p2pnode.storage.database import JOURNAL_FILE
from p2pnode.storage.journal_pruning import PRUNED_BLOCKS_MAX
from tests.p2pnode.storage.builders import block, digest_of, final, journal_in, operation, slot

EACH = 10
"""Rounds in an epoch here; an epoch has as many own operations and final commits."""


def of_epoch(epoch: int, size_bytes: int = 100) -> list[JournalRecord]:
    records: list[JournalRecord] = []
    for round_ in range(epoch * EACH, (epoch + 1) * EACH):
        records += [stored(epoch, round_, size_bytes), slot(round_, epoch=epoch)]
        records += [operation(round_), final(round_)]
    return records


def stored(epoch: int, round_: int, size_bytes: int = 100) -> StoredBlock:
    made = block(0, round_, size_bytes=size_bytes)
    return StoredBlock(made.digest, made.author, made.round, epoch, made.raw)


def mark(epoch: int, state: bytes = b"state") -> SnapshotMark:
    """A snapshot with all epochs before this one."""
    index, nonce = epoch * EACH - 1, epoch * EACH
    return SnapshotMark(epoch, index, digest_of(state + b"%d" % epoch), nonce, 0, b"boundary")


async def fill(journal: Journal, epochs: Iterable[int], marks: Iterable[int]) -> None:
    for epoch in epochs:
        await journal.append(of_epoch(epoch))
    await journal.append([mark(epoch) for epoch in marks])


async def prune(journal: Journal, keep_epochs: int) -> None:
    while await journal.prune(keep_epochs):
        pass


def epochs_of(journal: Journal) -> list[int]:
    return sorted({found.epoch for _, found in journal.blocks()})


async def test_without_a_snapshot_nothing_is_pruned(tmp_path: Path) -> None:
    async with journal_in(tmp_path) as journal:
        await fill(journal, range(4), ())
        assert not await journal.prune(0)
        assert epochs_of(journal) == [0, 1, 2, 3]
        assert journal.statistics().rows == 4 * 4 * EACH


@pytest.mark.parametrize(("keep", "first"), [(0, 4), (1, 3), (2, 2), (3, 2), (4, 0), (100, 0)])
async def test_what_lies_before_a_snapshot_that_is_old_enough_goes(
    keep: int, first: int, tmp_path: Path
) -> None:
    async with journal_in(tmp_path) as journal:
        await fill(journal, range(6), (2, 3, 4) if keep != 3 else (2, 4, 5))
        await prune(journal, keep)
    async with journal_in(tmp_path) as journal:
        assert epochs_of(journal) == list(range(first, 6))
        assert [one.epoch for one in journal.own_slots()][::EACH] == list(range(first, 6))
        assert [one.nonce for one in journal.own_operations()] == list(range(first * EACH, 60))
        assert journal.final(max(0, first * EACH - 1)) is not None, "the snapshot's own commit"
        assert journal.final(first * EACH - 2) is None
        assert journal.last_final() == final(59)


async def test_a_pruned_journal_goes_on_where_it_was(tmp_path: Path) -> None:
    async with journal_in(tmp_path) as journal:
        await fill(journal, range(3), (2,))
        await prune(journal, 0)
        await journal.append(of_epoch(3))
        assert [number for number, _ in journal.blocks()] == list(range(21, 41))
        assert await journal.block(stored(0, 3).digest) is None
        assert await journal.block(stored(3, 33).digest) == stored(3, 33)
        assert await journal.blocks_beyond(3, [35], 10_000) == tuple(
            stored(3, round_) for round_ in range(36, 40)
        )
        with open_readonly(tmp_path, digest_of) as reader:
            assert reader.pruned() == 20
            assert len(list(reader.blocks())) == 20


async def test_a_walk_goes_on_behind_what_is_pruned_meanwhile(tmp_path: Path) -> None:
    async with journal_in(tmp_path) as journal:
        await fill(journal, range(30), (20,))
        walk = journal.blocks()
        assert next(walk)[0] == 1
        await prune(journal, 0)
        numbers = [number for number, _ in walk]
        assert numbers[-1] == 300
        assert numbers[:63] == list(range(2, 65)), "the page that was read already"
        assert numbers[63:] == list(range(201, 301))


async def test_a_late_block_of_an_old_epoch_waits_for_a_later_snapshot(tmp_path: Path) -> None:
    async with journal_in(tmp_path) as journal:
        await fill(journal, range(3), (2,))
        late = stored(1, 1_000)
        await journal.append([late])
        await prune(journal, 0)
        assert epochs_of(journal) == [1, 2]
        await fill(journal, (3,), (3,))
        await prune(journal, 0)
        assert epochs_of(journal) == [3]
        assert await journal.block(late.digest) is None


async def test_many_blocks_go_a_little_at_a_time(tmp_path: Path) -> None:
    blocks = [stored(0, round_) for round_ in range(2 * PRUNED_BLOCKS_MAX + 5)]
    async with journal_in(tmp_path) as journal:
        await journal.append([*blocks, stored(1, 10_000), mark(1)])
        left = []
        while await journal.prune(0):
            left.append(len(list(journal.blocks())))
        assert left == [PRUNED_BLOCKS_MAX + 6, 6, 1]


async def test_a_bounded_journal_stays_small_and_an_archive_grows(tmp_path: Path) -> None:
    sizes = {}
    for keep in (1, 1_000):
        folder = tmp_path / str(keep)
        folder.mkdir()
        async with journal_in(folder) as journal:
            for epoch in range(40):
                await journal.append([*of_epoch(epoch, size_bytes=4_000), mark(epoch)])
                await prune(journal, keep)
        sizes[keep] = (folder / JOURNAL_FILE).stat().st_size
    assert sizes[1] < 300_000
    assert sizes[1_000] > 1_500_000


async def test_two_snapshots_of_one_epoch_contradict_each_other(tmp_path: Path) -> None:
    async with journal_in(tmp_path) as journal:
        await journal.append([mark(1), mark(1)])
        assert journal.statistics().rows == 1
        with pytest.raises(Contradiction, match="the snapshot before epoch 1"):
            await journal.append([mark(1, b"other")])


async def test_a_damaged_mark_prunes_nothing(tmp_path: Path) -> None:
    async with journal_in(tmp_path) as journal:
        await fill(journal, range(3), (1,))
    connection = apsw.Connection(str(tmp_path / JOURNAL_FILE))
    connection.execute("UPDATE snapshot SET epoch = 3")
    connection.close()
    async with journal_in(tmp_path) as journal:
        with pytest.raises(DamagedData):
            await journal.prune(0)
        assert epochs_of(journal) == [0, 1, 2]
