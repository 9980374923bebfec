"""A node's own snapshots: what is noted of them, and what happens when the disk refuses."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import structlog.testing
import trio
import trio.testing

from p2pnode import snapshots
from p2pnode.snapshots import SnapshotKeeper, keep_snapshot, mark_of, written_ms
from p2pnode.storage import JournalRecord, SnapshotMark, StorageFailed
from protocol import effects as fx
from protocol.ledger.certificate import Boundary
from protocol.snapshot import Snapshot, decode_boundary
from protocol.units import CommitIndex, Digest, Epoch, JobId
from tests.p2pnode.storage.builders import NETWORK, journal_in, reveal
from tests.support.fault_vfs.disk import fault_disk

PAGES = (b"first page", b"second page")


def effect(epoch: int, *spent: bytes) -> fx.PersistSnapshot:
    boundary = Boundary(
        Digest(NETWORK),
        Epoch(epoch),
        CommitIndex(70 + epoch),
        Digest(b"c" * 32),
        Digest(b"s" * 32),
        Digest(b"m" * 32),
        Digest(b"b" * 32),
    )
    return fx.PersistSnapshot(Snapshot(boundary, iter(PAGES)), 5, tuple(map(JobId, spent)))


def test_a_mark_names_the_first_epoch_that_is_not_in_the_snapshot() -> None:
    snapshot = effect(3).snapshot
    mark = mark_of(snapshot, 5)
    assert mark == SnapshotMark(4, 73, b"s" * 32, 5, 0, mark.boundary)
    assert decode_boundary(mark.boundary) == snapshot.boundary


async def test_a_snapshot_is_kept_whole_and_told(tmp_path: Path) -> None:
    async with journal_in(tmp_path) as journal:
        with structlog.testing.capture_logs() as told:
            await keep_snapshot(journal, effect(3))
        (mark,) = journal.snapshots()
        assert tuple(journal.snapshot_pages(mark)) == PAGES
    assert [(one["event"], one["epoch"], one["pages"]) for one in told] == [
        ("snapshot_written", 4, 2)
    ]


@pytest.mark.parametrize("refusal", ["full", "another"])
async def test_a_snapshot_that_cannot_be_kept_is_told_and_stops_nothing(
    refusal: str, tmp_path: Path
) -> None:
    with fault_disk("keeping", tmp_path) as disk:
        async with journal_in(tmp_path, vfs="keeping") as journal:
            await keep_snapshot(journal, effect(3))
            before = journal.snapshots()
            later = effect(4)
            if refusal == "full":
                disk.faults.capacity_bytes = 0
            else:
                other = mark_of(later.snapshot, 5)
                await journal.append([SnapshotMark(5, 1, b"o" * 32, 0, 0, other.boundary)])
            with structlog.testing.capture_logs() as told:
                await keep_snapshot(journal, later)
            assert [(one["event"], one["log_level"]) for one in told] == [
                ("snapshot_failed", "error")
            ]
            disk.faults.capacity_bytes = None
            assert journal.snapshots()[-1:] == before


async def test_a_snapshot_whose_time_cannot_be_noted_is_written_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(_: Sequence[JournalRecord]) -> None:
        raise StorageFailed("no space left on device")

    async with journal_in(tmp_path) as journal:
        monkeypatch.setattr(journal, "append", refuse)
        with structlog.testing.capture_logs() as told:
            await keep_snapshot(journal, effect(3))
        (mark,) = journal.snapshots()
        assert written_ms(journal, mark) is None
    assert [(one["event"], one["log_level"]) for one in told] == [
        ("snapshot_time_lost", "warning"),
        ("snapshot_written", "info"),
    ]


async def test_of_the_ends_that_pass_while_one_is_written_only_the_newest_is_kept(
    tmp_path: Path,
) -> None:
    async with journal_in(tmp_path) as journal:
        keeper, first_page = SnapshotKeeper(journal), trio.Event()

        def slow_pages() -> Iterator[bytes]:
            trio.from_thread.run(first_page.wait)
            yield b"page"

        slow = fx.PersistSnapshot(Snapshot(effect(1).snapshot.boundary, slow_pages()), 0)
        with structlog.testing.capture_logs() as told:
            await _keep_behind(keeper, slow, first_page, (2, 3, 4))
        assert [one["epoch"] for one in told] == [2, 5], "the ends of epochs 1 and 4"
        assert [mark.epoch for mark in journal.snapshots()] == [5, 2]


async def test_a_reveal_goes_when_its_job_is_over_in_both_snapshots_that_a_start_may_use(
    tmp_path: Path,
) -> None:
    first, second, open_still = (reveal(name) for name in (b"first", b"second", b"open still"))
    async with journal_in(tmp_path) as journal:
        await journal.append([first, second, open_still])
        keeper = SnapshotKeeper(journal)
        await keeper.keep(effect(1, first.job))
        await keeper.keep(effect(2, second.job))
        assert set(journal.prepared_reveals()) == {second, open_still}
        await keeper.keep(effect(3))
        assert journal.prepared_reveals() == (open_still,)
    async with journal_in(tmp_path) as journal:
        assert journal.prepared_reveals() == (open_still,), "and the rows are still counted"


async def test_of_many_old_reveals_some_go_after_each_snapshot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshots, "REVEALS_DROPPED_MAX", 2)
    old = [reveal(b"job %d" % number) for number in range(5)]
    async with journal_in(tmp_path) as journal:
        await journal.append(old)
        keeper, left = SnapshotKeeper(journal), []
        await keeper.keep(effect(1, *(one.job for one in old)))
        for epoch in (2, 3, 4):
            await keeper.keep(effect(epoch))
            left.append(len(journal.prepared_reveals()))
        assert left == [3, 1, 0]


async def test_a_reveal_stays_while_the_snapshot_behind_it_is_missing(tmp_path: Path) -> None:
    with fault_disk("dropping", tmp_path) as disk:
        async with journal_in(tmp_path, vfs="dropping") as journal:
            await journal.append([reveal()])
            keeper = SnapshotKeeper(journal)
            await keeper.keep(effect(1))
            await keeper.keep(effect(2))
            disk.faults.capacity_bytes = 0
            await keeper.keep(effect(3, reveal().job))
            disk.faults.capacity_bytes = None
            await keeper.keep(effect(4))
            assert journal.prepared_reveals() == (reveal(),), "a start may begin at the end of 2"
            await keeper.keep(effect(5))
            assert journal.prepared_reveals() == ()


async def test_what_a_full_disk_keeps_goes_with_a_later_snapshot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(_: Sequence[bytes]) -> None:
        raise StorageFailed("database or disk is full")

    async with journal_in(tmp_path) as journal:
        await journal.append([reveal()])
        keeper = SnapshotKeeper(journal)
        await keeper.keep(effect(1, reveal().job))
        with monkeypatch.context() as patch, structlog.testing.capture_logs() as told:
            patch.setattr(journal, "drop_reveals", refuse)
            await keeper.keep(effect(2))
        assert [one["event"] for one in told] == ["snapshot_written", "reveals_not_dropped"]
        assert journal.prepared_reveals() == (reveal(),)
        await keeper.keep(effect(3))
        assert journal.prepared_reveals() == ()


async def _keep_behind(
    keeper: SnapshotKeeper, slow: fx.PersistSnapshot, may_go_on: trio.Event, epochs: tuple[int, ...]
) -> None:
    """Asks for one snapshot, and for others before its first page is there."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(keeper.keep, slow)
        await trio.testing.wait_all_tasks_blocked(0.02)
        for epoch in epochs:
            await keeper.keep(effect(epoch))
        may_go_on.set()
