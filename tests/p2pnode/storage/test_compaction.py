"""A start gives the disk back what pruning has freed, and never loses what is kept."""

from contextlib import suppress
from pathlib import Path

import pytest

from p2pnode.storage import StorageFailed, StoredCertificate, compaction
from p2pnode.storage.compaction import FREE_MIN_BYTES
from p2pnode.storage.database import JOURNAL_FILE
from tests.p2pnode.storage.builders import journal_in, operation, slot
from tests.p2pnode.storage.test_journal_pruning import certificate, mark
from tests.support.fault_vfs.disk import fault_disk

KEPT = 3


async def pruned(folder: Path, count: int, size_bytes: int, vfs: str = "") -> int:
    """Fills a journal and prunes most of it; returns the size of its file."""
    async with journal_in(folder, vfs=vfs) as journal:
        await journal.append([certificate(epoch, size_bytes) for epoch in range(count)])
        await journal.append([mark(count), slot(), operation()])
        while await journal.prune(None, KEPT - 1):
            pass
        return (await journal.sizes()).database_bytes


async def test_a_file_that_is_mostly_free_is_written_anew(tmp_path: Path) -> None:
    await pruned(tmp_path, 300, 100_000)
    before = (tmp_path / JOURNAL_FILE).stat().st_size
    async with journal_in(tmp_path) as journal:
        assert journal.freed_bytes > FREE_MIN_BYTES
        assert (tmp_path / JOURNAL_FILE).stat().st_size == before - journal.freed_bytes < 10**6
        assert (await journal.sizes()).log_bytes == 0
        assert await journal.certificates(297, 9) == tuple(
            certificate(epoch, 100_000) for epoch in (297, 298, 299)
        )
        assert (journal.own_slots(), journal.own_operations()) == ((slot(),), (operation(),))
        await journal.append([StoredCertificate(300, b"c")])
    async with journal_in(tmp_path) as journal:
        assert journal.freed_bytes == 0


async def test_little_that_is_free_stays_to_be_used_again(tmp_path: Path) -> None:
    size = await pruned(tmp_path, 300, 4_000)
    async with journal_in(tmp_path) as journal:
        assert journal.freed_bytes == 0
        assert (await journal.sizes()).free_bytes > size / 2


def on_a_small_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compacts little, too, and in memory: the disk of the tests has no nameless files."""
    monkeypatch.setattr(compaction, "FREE_MIN_BYTES", 1)
    monkeypatch.setattr(compaction, "COPY_IN", "MEMORY")


async def test_a_disk_without_space_for_it_leaves_the_file_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_a_small_disk(monkeypatch)
    with fault_disk("compacting", tmp_path) as disk:
        await pruned(tmp_path, 100, 40_000, "compacting")
        disk.faults.capacity_bytes = 0
        async with journal_in(tmp_path, vfs="compacting") as journal:
            assert disk.bites.refusals > 0
            disk.faults.capacity_bytes = None
            assert journal.freed_bytes == 0
            assert len(await journal.certificates(97, 9)) == KEPT
            await journal.append([slot(2)])


async def opens(folder: Path) -> bool:
    """Whether a journal is open before the power goes."""
    is_open = False
    with suppress(StorageFailed):
        async with journal_in(folder, vfs="losing"):
            is_open = True
    return is_open


async def test_no_loss_of_power_while_it_is_written_anew_loses_what_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_a_small_disk(monkeypatch)
    before = after = 0
    for change in range(1, 161, 5):
        with fault_disk("losing", tmp_path, seed=change) as disk:
            disk.load({})
            await pruned(tmp_path, 60, 4_000, "losing")
            disk.sync_names()
            disk.faults.power_loss_in = change
            after += await opens(tmp_path)
            before += disk.is_dead
            disk.restart()
            async with journal_in(tmp_path, vfs="losing") as journal:
                assert len(await journal.certificates(57, 9)) == KEPT
                assert (journal.own_slots(), journal.own_operations()) == (
                    (slot(),),
                    (operation(),),
                )
    assert before > 10, "the power never went meanwhile"
    assert after > 3
