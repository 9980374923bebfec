"""What may go, and when: never anything that a restart needs."""

from collections.abc import Iterable
from itertools import pairwise
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
    StoredCertificate,
    open_readonly,
)
from p2pnode.storage.database import JOURNAL_FILE
from p2pnode.storage.journal_pruning import (
    PRUNED_BLOCKS_MAX,
    PRUNED_CERTIFICATES_MAX,
    PRUNED_ROWS_MAX,
)
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


def certificate(epoch: int, size_bytes: int = 4_000) -> StoredCertificate:
    return StoredCertificate(epoch, b"c" * size_bytes)


async def prune_chain(journal: Journal, keep_chain: int) -> tuple[int, int] | None:
    while await journal.prune(None, keep_chain):
        pass
    return journal.certificate_span()


@pytest.mark.parametrize(
    ("marks", "keep", "first"),
    [
        ((), 0, 0),
        ((20,), 0, 19),
        ((19, 20), 0, 18),
        ((20,), 5, 14),
        ((5, 20), 5, 4),
        ((20,), 99, 0),
    ],
)
async def test_certificates_before_the_newest_ends_that_are_old_enough_go(
    marks: tuple[int, ...], keep: int, first: int, tmp_path: Path
) -> None:
    async with journal_in(tmp_path) as journal:
        await fill(journal, range(3), marks)
        await journal.append([certificate(epoch) for epoch in range(20)])
        assert await prune_chain(journal, keep) == (first, 19)
        kept = await journal.certificates(first, 100)
        assert [one.epoch for one in kept] == list(range(first, 20))
        assert epochs_of(journal) == [0, 1, 2], "blocks have a bound of their own"
        rows = journal.statistics().rows
    async with journal_in(tmp_path) as journal:
        assert rows == 3 * 4 * EACH + len(marks) + 20 - first
        assert journal.statistics().rows == rows
        assert await journal.certificates(0, 100) == (kept if first == 0 else ())


async def test_the_newest_certificate_stays_where_later_ends_have_none(tmp_path: Path) -> None:
    async with journal_in(tmp_path) as journal:
        await journal.append([certificate(epoch) for epoch in range(5)])
        await fill(journal, (), (30, 31))
        assert await prune_chain(journal, 0) == (4, 4)


async def test_of_all_kinds_of_rows_only_so_many_go_at_a_time(tmp_path: Path) -> None:
    """The node's own records wait for one transaction, and never for a year of history."""
    slots = [slot(round_) for round_ in range(2 * PRUNED_ROWS_MAX)]
    finals = [final(round_) for round_ in range(2 * PRUNED_ROWS_MAX)]
    certificates = [certificate(epoch, 10) for epoch in range(2 * PRUNED_CERTIFICATES_MAX)]
    far = SnapshotMark(5_000, 2 * PRUNED_ROWS_MAX, digest_of(b"state"), 0, 0, b"boundary")
    async with journal_in(tmp_path) as journal:
        await journal.append([*slots, *finals, *certificates, far])
        left = [journal.statistics().rows]
        while await journal.prune(0, 0):
            left.append(journal.statistics().rows)
        most = 2 * PRUNED_ROWS_MAX + PRUNED_CERTIFICATES_MAX
        assert max(before - after for before, after in pairwise(left)) == most
        assert left[-1] == 2, "the mark and the newest certificate"


async def test_a_node_with_both_bounds_stays_under_a_computed_size_while_epochs_go_by(
    tmp_path: Path,
) -> None:
    keep, keep_chain, block_bytes, certificate_bytes, page_bytes = 2, 10, 4_000, 4_000, 50_000
    live = (keep + 2) * EACH * (block_bytes + 1_000)
    live += (keep_chain + 3) * (certificate_bytes + 500) + 3 * (page_bytes + 5_000)
    bound = 2 * live  # half of a file may be pages that are free to be used again
    sizes, certified = [], []
    async with journal_in(tmp_path) as journal:
        for epoch in range(150):
            await journal.append([*of_epoch(epoch, block_bytes), certificate(epoch)])
            await journal.write_snapshot(mark(epoch + 1), iter([b"p" * page_bytes]))
            while await journal.prune(keep, keep_chain):
                pass
            seen = await journal.sizes()
            sizes.append(seen.database_bytes)
            certified.append(seen.certificates)
    written = 150 * (EACH * block_bytes + certificate_bytes + page_bytes)
    assert max(sizes) < bound < written / 10
    assert max(sizes[75:]) == max(sizes), "it has stopped to grow"
    assert max(certified[20:]) == keep_chain + 1


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
