"""A start gives the disk back what pruning has freed, and never loses what is kept."""

from contextlib import closing, suppress
from pathlib import Path

import apsw
import pytest
import structlog

from p2pnode.storage import StorageFailed, StoredCertificate, compaction, database
from p2pnode.storage.compaction import FREE_MIN_BYTES, compact
from p2pnode.storage.database import JOURNAL_FILE, connect_reader, connect_writer
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


async def test_it_is_said_before_and_the_copy_lies_beside_the_file(tmp_path: Path) -> None:
    await pruned(tmp_path, 300, 100_000)
    opened: set[Path] = set()

    def look() -> bool:
        for path in Path("/proc/self/fd").iterdir():
            with suppress(OSError):
                opened.add(path.readlink())
        return False

    with closing(connect_writer(tmp_path / JOURNAL_FILE, "")) as connection:
        connection.execute("PRAGMA cache_size = -64")  # so that the copy does not fit into memory
        connection.set_progress_handler(look, 100)
        with structlog.testing.capture_logs() as logs:
            freed = compact(connection, tmp_path)
        connection.set_progress_handler(None)
        size = (tmp_path / JOURNAL_FILE).stat().st_size
    copies = {path for path in opened if path.name.endswith(" (deleted)")}
    assert tmp_path in {path.parent for path in copies}
    assert Path("/var/tmp") not in {path.parent for path in copies}  # noqa: S108  its usual place
    assert [(one["event"], one["bytes"]) for one in logs] == [("journal_compacting", size + freed)]
    assert 300_000 < logs[0]["kept_bytes"] <= size


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


async def test_a_disk_that_is_full_in_the_middle_gets_back_what_the_attempt_took(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_a_small_disk(monkeypatch)
    grown: list[int] = []
    emptying = compaction._empty_log

    def watched(connection: apsw.Connection) -> None:
        grown.append((tmp_path / f"{JOURNAL_FILE}-wal").stat().st_size)
        emptying(connection)

    monkeypatch.setattr(compaction, "_empty_log", watched)
    with fault_disk("filling", tmp_path) as disk:
        await pruned(tmp_path, 100, 40_000, "filling")
        disk.faults.capacity_bytes = 60_000
        with structlog.testing.capture_logs() as logs:
            async with journal_in(tmp_path, vfs="filling") as journal:
                assert disk.bites.refusals > 0
                assert 40_000 < grown[0] <= 60_000, "it was full in the middle"
                assert (await journal.sizes()).log_bytes == 0
                assert journal.freed_bytes == 0
                assert len(await journal.certificates(97, 9)) == KEPT
        assert [one["event"] for one in logs] == ["journal_compacting", "journal_not_compacted"]


@pytest.mark.parametrize("is_enough", [False, True])
async def test_what_has_no_space_is_not_begun(
    is_enough: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await pruned(tmp_path, 300, 100_000)
    kept = 300_000
    monkeypatch.setattr(compaction, "free_bytes", lambda _: (3 if is_enough else 2) * kept)
    with structlog.testing.capture_logs() as logs:
        async with journal_in(tmp_path) as journal:
            assert (journal.freed_bytes > 0) == is_enough
    event = "journal_compacting" if is_enough else "journal_not_compacted"
    assert [one["event"] for one in logs] == [event]


async def test_another_process_that_reads_for_long_keeps_no_node_from_starting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await pruned(tmp_path, 300, 100_000)
    path = tmp_path / JOURNAL_FILE
    before = path.stat().st_size
    monkeypatch.setattr(database, "BUSY_TIMEOUT_MS", 20)
    with closing(connect_reader(path, "")) as reader, structlog.testing.capture_logs() as logs:
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM certificate").get == KEPT
        async with journal_in(tmp_path) as journal:
            assert journal.freed_bytes > FREE_MIN_BYTES
            assert (await journal.sizes()).log_bytes > 0, "it could not be emptied"
            assert len(await journal.certificates(297, 9)) == KEPT
    assert "journal_log_not_emptied" in [one["event"] for one in logs]
    async with journal_in(tmp_path) as journal:
        assert len(await journal.certificates(297, 9)) == KEPT
        assert journal.freed_bytes == 0
    assert path.stat().st_size < before - FREE_MIN_BYTES


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
