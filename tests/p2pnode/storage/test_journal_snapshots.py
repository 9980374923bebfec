"""Snapshots and certificates: whole or not there, bounded in number, and checked when read."""

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from random import Random

import apsw
import pytest
import trio
import trio.testing

from p2pnode.storage import (
    Contradiction,
    DamagedData,
    Journal,
    SnapshotMark,
    StorageFailed,
    StoredBlock,
    StoredCertificate,
    open_readonly,
)
from p2pnode.storage.database import JOURNAL_FILE
from p2pnode.storage.journal_snapshots import DROPPED_PAGES_MAX
from tests.p2pnode.storage.builders import block, digest_of, journal_in, slot
from tests.support.fault_vfs.disk import FaultDisk, fault_disk


def mark(epoch: int, state: bytes = b"state") -> SnapshotMark:
    boundary = b"boundary %d" % epoch
    return SnapshotMark(epoch, 10 * epoch, digest_of(state + boundary), 3, 0, boundary)


def pages(epoch: int, count: int = 3) -> list[bytes]:
    return [b"page %d of %d " % (number, epoch) * 50 for number in range(count)]


async def keep(journal: Journal, epoch: int, count: int = 3) -> SnapshotMark:
    return await journal.write_snapshot(mark(epoch), iter(pages(epoch, count)))


def rows(folder: Path, statement: str) -> list[tuple[object, ...]]:
    connection = apsw.Connection(str(folder / JOURNAL_FILE))
    found = connection.execute(statement).fetchall()
    connection.close()
    return found


async def test_a_snapshot_is_read_as_it_was_written(tmp_path: Path) -> None:
    async with journal_in(tmp_path) as journal:
        written = await keep(journal, 4)
        assert written.pages == 3
    async with journal_in(tmp_path) as journal:
        assert journal.snapshots() == (written,)
        assert list(journal.snapshot_pages(written)) == pages(4)
        assert await journal.snapshot_page(4, 2) == pages(4)[2]
        assert await journal.snapshot_page(4, 3) is None
        assert await journal.snapshot_page(4, -1) is None
        assert await journal.snapshot_page(5, 0) is None


async def test_only_the_newest_two_keep_their_pages(tmp_path: Path) -> None:
    async with journal_in(tmp_path) as journal:
        made = [await keep(journal, epoch, 2 * DROPPED_PAGES_MAX + 1) for epoch in range(1, 6)]
        assert [one.epoch for one in journal.snapshots()] == [5, 4]
        assert list(journal.snapshot_pages(made[3])) == pages(4, 2 * DROPPED_PAGES_MAX + 1)
        assert await journal.snapshot_page(3, 0) is None
    assert rows(tmp_path, "SELECT DISTINCT epoch FROM snapshot_page ORDER BY epoch") == [(4,), (5,)]


async def test_pages_without_a_mark_are_no_snapshot_and_go_with_the_next(tmp_path: Path) -> None:
    def interrupted() -> Iterator[bytes]:
        yield from pages(2, 2)
        raise KeyboardInterrupt

    async with journal_in(tmp_path) as journal:
        await keep(journal, 1)
        with pytest.raises(KeyboardInterrupt):
            await journal.write_snapshot(mark(2), interrupted())
        assert [one.epoch for one in journal.snapshots()] == [1]
        assert await journal.snapshot_page(2, 0) is None
    assert rows(tmp_path, "SELECT count(*) FROM snapshot_page WHERE epoch = 2") == [(2,)]
    async with journal_in(tmp_path) as journal:
        await keep(journal, 3)
    assert rows(tmp_path, "SELECT count(*) FROM snapshot_page WHERE epoch = 2") == [(0,)]


async def test_other_records_are_written_between_the_pages(tmp_path: Path) -> None:
    async with journal_in(tmp_path) as journal, trio.open_nursery() as nursery:
        stored = trio.Event()

        def waiting() -> Iterator[bytes]:
            yield pages(1)[0]
            trio.from_thread.run(stored.wait)
            yield pages(1)[1]

        nursery.start_soon(journal.write_snapshot, mark(1), waiting())
        await trio.testing.wait_all_tasks_blocked(0.05)
        await journal.append([block(), slot()])
        assert not journal.snapshots(), "the snapshot is not whole yet"
        stored.set()


async def test_a_snapshot_of_another_state_contradicts_and_a_damaged_mark_is_replaced(
    tmp_path: Path,
) -> None:
    async with journal_in(tmp_path) as journal:
        await keep(journal, 1)
        await keep(journal, 1)
        with pytest.raises(Contradiction, match="the snapshot before epoch 1"):
            await journal.write_snapshot(mark(1, b"other"), iter(()))
    rows(tmp_path, "UPDATE snapshot SET own_nonce = own_nonce + 1")
    async with journal_in(tmp_path) as journal:
        assert journal.snapshots() == ()
        again = await keep(journal, 1)
        assert journal.snapshots() == (again,)
        assert journal.statistics().rows == 1


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE snapshot_page SET raw = x'00' WHERE number = 1",
        "UPDATE snapshot_page SET number = 7 WHERE number = 1",
        "DELETE FROM snapshot_page WHERE number = 1",
    ],
)
async def test_a_damaged_page_is_noticed_when_it_is_read(damage: str, tmp_path: Path) -> None:
    async with journal_in(tmp_path) as journal:
        written = await keep(journal, 1)
    rows(tmp_path, damage)
    async with journal_in(tmp_path) as journal:
        with pytest.raises(DamagedData):
            list(journal.snapshot_pages(written))
        with pytest.raises(DamagedData):
            await journal.snapshot_page(1, 1)
        assert await journal.snapshot_page(1, 0) == pages(1)[0]
        await keep(journal, 1)
        assert list(journal.snapshot_pages(written)) == pages(1)


async def test_certificates_stay_and_are_read_in_a_row(tmp_path: Path) -> None:
    made = [StoredCertificate(epoch, b"certificate %d" % epoch) for epoch in range(6)]
    async with journal_in(tmp_path) as journal:
        await journal.append([*made[:4], made[5]])
        await journal.append([StoredCertificate(3, b"with another signature")])
        assert await journal.certificates(0, 100) == tuple(made[:4])
        assert await journal.certificates(1, 2) == tuple(made[1:3])
        assert await journal.certificates(4, 9) == ()
        assert await journal.certificates(5, 9) == (made[5],)
        assert journal.statistics().rows == 5
    with open_readonly(tmp_path, digest_of) as reader:
        assert reader.certificates(2, 1) == (made[2],)
    rows(tmp_path, "UPDATE certificate SET raw = x'00' WHERE epoch = 2")
    async with journal_in(tmp_path) as journal:
        with pytest.raises(DamagedData):
            await journal.certificates(0, 100)
        assert await journal.certificates(0, 2) == tuple(made[:2])
    rows(tmp_path, "DELETE FROM certificate")
    async with journal_in(tmp_path) as journal:
        with pytest.raises(DamagedData, match="certificate"):
            await journal.certificates(0, 100)


async def test_a_snapshot_brings_certificates_with_it(tmp_path: Path) -> None:
    made = [StoredCertificate(epoch, b"certificate") for epoch in range(3)]
    async with journal_in(tmp_path) as journal:
        await journal.write_snapshot(mark(3), iter(pages(3)), made)
        assert await journal.certificates(0, 9) == tuple(made)


async def test_a_full_disk_leaves_the_snapshots_before_as_they_are(tmp_path: Path) -> None:
    with fault_disk("snapshots", tmp_path) as disk:
        async with journal_in(tmp_path, vfs="snapshots") as journal:
            written = await keep(journal, 1)
            disk.faults.capacity_bytes = 0
            with pytest.raises(StorageFailed):
                await keep(journal, 2)
            assert disk.bites.refusals > 0
            disk.faults.capacity_bytes = None
            assert journal.snapshots() == (written,)
            await keep(journal, 2)
            assert [one.epoch for one in journal.snapshots()] == [2, 1]


async def test_blocks_of_later_epochs_lie_behind_one_place(tmp_path: Path) -> None:
    def stored(epoch: int, round_: int) -> StoredBlock:
        made = block(0, round_, variant=epoch)
        return StoredBlock(made.digest, made.author, made.round, epoch, made.raw)

    async with journal_in(tmp_path) as journal:
        assert journal.before_epoch(0) == journal.before_epoch(3) == journal.newest_epoch() == 0
        await journal.append([stored(epoch, round_) for epoch in range(3) for round_ in range(4)])
        await journal.append([stored(0, 9), stored(2, 9)])
        assert [journal.before_epoch(epoch) for epoch in range(4)] == [0, 4, 8, 14]
        assert journal.newest_epoch() == 2
        assert [one.epoch for _, one in journal.blocks(8)] == [2, 2, 2, 2, 0, 2]


async def test_no_loss_of_power_leaves_half_a_snapshot_or_costs_the_one_before(
    tmp_path: Path,
) -> None:
    """Power goes at each of the first changes that a second snapshot makes."""
    before = after = 0
    for change in range(1, 60):
        with fault_disk("losing", tmp_path, seed=change) as disk:
            disk.load({})
            first, second = await _write_two(disk, tmp_path, change)
            disk.restart()
            found = await _whole_ones(tmp_path)
        assert [one.epoch for one in found] in ([1], [2, 1])
        assert second is None or second in found, "an acknowledged snapshot is gone"
        assert first in found
        before += len(found) == 1
        after += len(found) == 2
    assert before > 10, "the power never went before the snapshot was whole"
    assert after > 3


async def _write_two(
    disk: FaultDisk, folder: Path, change: int
) -> tuple[SnapshotMark, SnapshotMark | None]:
    """Writes two snapshots; no second one where the power goes before it is acknowledged."""
    second = None
    with suppress(StorageFailed):  # also of closing, without power
        async with journal_in(folder, vfs="losing") as journal:
            disk.sync_names()
            first = await keep(journal, 1)
            await journal.append([block(), slot()])
            disk.faults.power_loss_in = change
            second = await keep(journal, 2)
    return first, second


async def _whole_ones(folder: Path) -> tuple[SnapshotMark, ...]:
    async with journal_in(folder, vfs="losing") as journal:
        assert journal.own_slots() == (slot(),)
        found = journal.snapshots()
        for one in found:
            assert list(journal.snapshot_pages(one)) == pages(one.epoch)
    return found


async def test_a_flipped_bit_in_a_snapshot_is_noticed_or_harmless(tmp_path: Path) -> None:
    chance = Random(7)  # noqa: S311  seeded, not secret
    async with journal_in(tmp_path) as journal:
        written = [await keep(journal, epoch, 40) for epoch in (1, 2)]
        await journal.append([StoredCertificate(epoch, b"c" * 900) for epoch in range(9)])
    content = (tmp_path / JOURNAL_FILE).read_bytes()
    outcomes: Counter[str] = Counter()
    for _ in range(80):
        damaged = bytearray(content)
        damaged[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        (tmp_path / JOURNAL_FILE).write_bytes(damaged)
        outcomes[await _outcome(tmp_path, written)] += 1
    assert outcomes["wrong"] == 0
    assert min(outcomes["noticed"], outcomes["harmless"]) > 10, outcomes


async def _outcome(folder: Path, written: list[SnapshotMark]) -> str:
    try:
        async with journal_in(folder) as journal:
            certificates = await journal.certificates(0, 9)
            marks = journal.snapshots()
            read = {mark.epoch: list(journal.snapshot_pages(mark)) for mark in marks}
    except (DamagedData, StorageFailed):
        return "noticed"
    if len(marks) < len(written):
        return "noticed"
    is_right = all(found == pages(epoch, 40) for epoch, found in read.items())
    whole = all(one.raw == b"c" * 900 for one in certificates) and len(certificates) == 9
    return "harmless" if is_right and whole and set(marks) == set(written) else "wrong"
