"""Folders of earlier programs, as they were found: brought up to date, with a copy put aside."""

import shutil
from pathlib import Path
from random import Random

import apsw
import pytest

from p2pnode.storage import DamagedData, NewerSchema, StorageFailed, open_readonly
from p2pnode.storage.database import JOURNAL_FILE, SCHEMA_VERSION
from p2pnode.storage.folder import prepare_data_folder
from p2pnode.storage.journal import Journal
from p2pnode.storage.journal_reader import JournalReader
from p2pnode.storage.migrations import MIGRATIONS
from tests.p2pnode.storage.builders import (
    block,
    digest_of,
    final,
    journal_in,
    operation,
    reveal,
    slot,
)
from tests.p2pnode.storage.stored_folder import ROUNDS, unpack
from tests.support.fault_vfs.disk import fault_disk

EARLIER = range(1, SCHEMA_VERSION)
BACKUP = f"{JOURNAL_FILE}.schema-"


def assert_whole(journal: Journal | JournalReader) -> None:
    blocks = [block(author, round_) for round_ in ROUNDS for author in range(4)]
    assert list(journal.blocks()) == list(enumerate(blocks, start=1))
    assert journal.own_slots() == tuple(slot(round_) for round_ in ROUNDS)
    assert journal.own_operations() == tuple(operation(round_) for round_ in ROUNDS)
    assert journal.prepared_reveals() == (reveal(),)
    assert [journal.final(round_) for round_ in ROUNDS] == [final(round_) for round_ in ROUNDS]
    assert journal.note("height") == b"7"


def test_there_is_a_stored_folder_for_every_earlier_schema() -> None:
    assert len(MIGRATIONS) == SCHEMA_VERSION - 1 == len(EARLIER) > 0


@pytest.mark.parametrize("schema", EARLIER)
async def test_an_earlier_journal_is_migrated_once_and_a_copy_is_put_aside(
    schema: int, tmp_path: Path
) -> None:
    unpack(schema, tmp_path)
    prepare_data_folder(tmp_path)
    async with journal_in(tmp_path) as journal:
        assert journal.backup == tmp_path / f"{BACKUP}{schema}"
        assert_whole(journal)
        await journal.append([block(round_=100), slot(100)])
    async with journal_in(tmp_path) as journal:
        assert journal.backup is None
        assert journal.own_slots()[-1] == slot(100)
    (tmp_path / JOURNAL_FILE).unlink()
    (tmp_path / f"{BACKUP}{schema}").rename(tmp_path / JOURNAL_FILE)
    async with journal_in(tmp_path) as journal:
        assert_whole(journal)


@pytest.mark.parametrize("schema", EARLIER)
def test_an_earlier_journal_can_be_read_as_it_is(schema: int, tmp_path: Path) -> None:
    unpack(schema, tmp_path)
    with open_readonly(tmp_path, digest_of) as reader:
        assert_whole(reader)
        assert reader.pruned() == 0


async def test_a_migrated_journal_has_the_tables_of_a_new_one(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    new.mkdir()
    unpack(1, old)
    for folder in (old, new):
        async with journal_in(folder):
            pass
    assert columns(old) == columns(new)


def columns(folder: Path) -> list[object]:
    connection = apsw.Connection(str(folder / JOURNAL_FILE))
    found = connection.execute(
        "SELECT tables.name, columns.name, columns.type FROM sqlite_schema AS tables, "
        "pragma_table_xinfo(tables.name) AS columns ORDER BY tables.name, columns.cid"
    ).fetchall()
    connection.close()
    return found


@pytest.mark.parametrize("fault", ["full", "read-only"])
async def test_a_migration_without_space_leaves_the_journal_as_it_was(
    fault: str, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    unpack(1, data)
    with fault_disk("migrating", data) as disk:
        disk.load({path.name: path.read_bytes() for path in data.iterdir()})
        disk.faults.capacity_bytes = 5_000 if fault == "full" else None
        disk.faults.read_only = fault == "read-only"
        with pytest.raises(StorageFailed):
            async with journal_in(data, vfs="migrating"):
                pass
        assert disk.bites.refusals + disk.bites.errors > 0
    assert not [path for path in data.iterdir() if BACKUP in path.name]
    async with journal_in(data) as journal:
        assert_whole(journal)


@pytest.mark.slow
async def test_no_loss_of_power_in_a_migration_costs_anything(tmp_path: Path) -> None:
    stored, data = tmp_path / "stored", tmp_path / "data"
    unpack(1, stored)
    contents = {path.name: path.read_bytes() for path in stored.glob("journal*")}
    data.mkdir()
    unfinished = 0
    for change in range(1, 60):
        with fault_disk("migrating", data, seed=change) as disk:
            disk.load(contents)
            disk.faults.power_loss_in = change
            unfinished += not await opens(data)
            disk.restart()
            async with journal_in(data, vfs="migrating") as journal:
                assert_whole(journal)
    assert unfinished > 30, "the power has to go while the journal is migrated"


async def opens(data: Path) -> bool:
    try:
        async with journal_in(data, vfs="migrating"):
            return True
    except StorageFailed:
        return False


async def test_a_folder_of_a_newer_program_is_refused_and_left_alone(tmp_path: Path) -> None:
    folder = prepare_data_folder(tmp_path)
    folder.version.write_bytes(b"999")
    with pytest.raises(NewerSchema, match="install a newer version of p2pnode"):
        prepare_data_folder(tmp_path)
    assert folder.version.read_bytes() == b"999"


async def test_a_damaged_journal_is_not_migrated(tmp_path: Path) -> None:
    unpack(1, tmp_path)
    path = tmp_path / JOURNAL_FILE
    async with journal_in(tmp_path):
        pass
    shutil.copy(tmp_path / f"{BACKUP}1", path)
    (tmp_path / f"{BACKUP}1").unlink()
    content = bytearray(path.read_bytes())
    chance = Random(3)  # noqa: S311  seeded, not secret
    for _ in range(40):
        content[chance.randrange(4_096, len(content))] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(DamagedData):
        async with journal_in(tmp_path):
            pass
    assert not (tmp_path / f"{BACKUP}1").exists()
