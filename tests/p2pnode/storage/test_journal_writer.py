"""What is acknowledged survives a kill, and a disk that refuses is survived."""

import os
import random
from pathlib import Path

import pytest
import trio

from p2pnode.storage import OwnOperation, StorageError, StorageFailed, open_readonly
from p2pnode.storage.database import JOURNAL_FILE
from tests.p2pnode.storage.builders import block, digest_of, journal_in, slot
from tests.p2pnode.storage.writer_process import PRODUCERS, Spawner
from tests.support.fault_vfs.disk import Call, Faults, fault_disk

KILLS = int(os.environ.get("STORAGE_KILLS", "200"))


async def test_nothing_acknowledged_is_lost_by_a_kill(tmp_path: Path) -> None:
    generator = random.Random(5)  # noqa: S311  seeded delays, not a secret
    acknowledged: set[tuple[int, int]] = set()
    kills_in_writing = kills_in_recovery = 0
    with Spawner() as spawner:
        for generation in range(KILLS):
            writer = spawner.spawn(tmp_path, generation)
            recovering = generation % 5 == 4
            seconds = generator.getrandbits(16) * (1e-7 if recovering else 1e-6)
            report = writer.kill_after(seconds, recovering)
            kills_in_recovery += recovering and not report.acknowledged
            kills_in_writing += bool(report.begun - report.acknowledged)
            acknowledged |= {(generation, number) for number in report.acknowledged}
            with open_readonly(tmp_path, digest_of) as reader:
                stored = {(found.epoch, found.round) for _, found in reader.blocks()}
                slots = {(found.epoch, found.round) for found in reader.own_slots()}
            assert acknowledged <= stored, f"lost after kill {generation}"
            assert stored == slots, f"half a batch after kill {generation}"
    assert kills_in_writing >= KILLS * 2 // 3, "the kills have to hit while batches are written"
    print(f"{KILLS} kills, {kills_in_writing} while writing, {kills_in_recovery} while opening")
    assert kills_in_recovery >= KILLS // 15, "kills have to hit writers that are still opening"
    assert len(acknowledged) > KILLS * PRODUCERS


@pytest.mark.parametrize(
    "faults",
    [
        Faults(capacity_bytes=0),
        Faults(read_only=True),
        Faults(failing=frozenset({Call.WRITE})),
        Faults(failing=frozenset({Call.SYNC})),
    ],
    ids=["full", "read-only", "write", "sync"],
)
async def test_a_disk_that_refuses_fails_the_append_and_nothing_else(
    faults: Faults, tmp_path: Path
) -> None:
    with fault_disk("refusing", tmp_path) as disk:
        async with journal_in(tmp_path, vfs="refusing") as journal:
            await journal.append([block(round_=1), slot(1)])
            disk.faults = faults
            with pytest.raises(StorageFailed):
                await journal.append([block(round_=2), slot(2)])
            with pytest.raises(StorageFailed):
                await journal.append([block(round_=2), slot(2)])
            with pytest.raises(StorageFailed):
                await journal.append([block(round_=3), slot(3)])
            assert disk.bites.refusals + disk.bites.errors >= 3, "the fault has to have happened"
            assert list(journal.blocks()) == [(1, block(round_=1))]
            assert await journal.block(block(round_=1).digest) == block(round_=1)
            disk.faults = Faults()
            await journal.append([block(round_=2), slot(2)])
            assert len(list(journal.blocks())) == 2
        async with journal_in(tmp_path) as journal:
            assert [found.round for _, found in journal.blocks()] == [1, 2]
            assert journal.own_slots() == (slot(1), slot(2))


async def test_a_journal_on_a_full_disk_can_be_created_later(tmp_path: Path) -> None:
    with fault_disk("new", tmp_path) as disk:
        disk.faults.capacity_bytes = 0
        with pytest.raises(StorageFailed, match="free some space"):
            async with journal_in(tmp_path, vfs="new"):
                pass
        assert disk.bites.refusals
        disk.faults = Faults()
        async with journal_in(tmp_path, vfs="new") as journal:
            await journal.append([block()])


async def test_a_disk_that_cannot_be_read_is_no_damage_and_no_loss(tmp_path: Path) -> None:
    async with journal_in(tmp_path) as journal:
        await journal.append([block(), slot()])
    with fault_disk("unreadable", tmp_path) as disk:
        disk.faults.failing = frozenset({Call.READ})
        with pytest.raises(StorageFailed, match="check that the path exists"):
            async with journal_in(tmp_path, vfs="unreadable"):
                pass
        assert disk.bites.errors
        disk.faults = Faults()
        async with journal_in(tmp_path, vfs="unreadable") as journal:
            assert (list(journal.blocks()), journal.own_slots()) == ([(1, block())], (slot(),))


async def test_producers_that_wait_together_share_commits(tmp_path: Path) -> None:
    async with journal_in(tmp_path) as journal:
        async with trio.open_nursery() as nursery:
            for round_ in range(500):
                nursery.start_soon(journal.append, [block(round_=round_)])
        assert len(list(journal.blocks())) == 500
        wal = tmp_path / f"{JOURNAL_FILE}-wal"
        assert wal.stat().st_size < 500 * 4_096, "one commit each would write a page for each"


async def test_a_record_that_the_tables_refuse_leaves_nothing_of_its_commit(
    tmp_path: Path,
) -> None:
    incomplete = OwnOperation(b"id", 0, None)  # type: ignore[arg-type]  # a defect of the caller
    async with journal_in(tmp_path) as journal:
        with pytest.raises(StorageError):
            await journal.append([block(), incomplete])
        assert journal.statistics().rows == 0
        await journal.append([slot()])
        assert (list(journal.blocks()), journal.own_slots()) == ([], (slot(),))
