"""The journal as its owner sees it: what goes in comes out, and promises are kept."""

from pathlib import Path

import apsw
import pytest
import trio
import trio.testing

from p2pnode.storage import (
    Contradiction,
    DamagedData,
    JournalRecord,
    NewerSchema,
    Note,
    StorageFailed,
    WrongAccount,
    WrongNetwork,
)
from p2pnode.storage.database import JOURNAL_FILE, SCHEMA_VERSION
from p2pnode.storage.records import row_checksum
from tests.p2pnode.storage.builders import (
    block,
    digest_of,
    final,
    journal_in,
    operation,
    reveal,
    slot,
)


async def test_every_kind_of_record_comes_back_after_reopening(tmp_path: Path) -> None:
    blocks = [block(author, round_) for round_ in (1, 2) for author in (0, 1, 2)]
    others: list[JournalRecord] = [slot(2), slot(1), operation(1), operation(0), reveal(), final(1)]
    async with journal_in(tmp_path) as journal:
        await journal.append(blocks)
        await journal.append([*others, final(2), Note("height", b"7")])
    async with journal_in(tmp_path) as journal:
        assert list(journal.blocks()) == list(enumerate(blocks, start=1))
        assert list(journal.blocks(after_sequence=4)) == [(5, blocks[4]), (6, blocks[5])]
        assert await journal.block(blocks[3].digest) == blocks[3]
        assert await journal.block(digest_of(b"unknown")) is None
        assert journal.own_slots() == (slot(1), slot(2))
        assert journal.own_operations() == (operation(0), operation(1))
        assert journal.prepared_reveals() == (reveal(),)
        assert (journal.last_final(), journal.final(1)) == (final(2), final(1))
        assert journal.final(3) is None
        assert (journal.note("height"), journal.note("depth")) == (b"7", None)
        assert journal.statistics().rows == 14
        assert journal.statistics().size_bytes > 4_096


async def test_dropped_reveals_are_gone_and_the_others_are_still_counted(tmp_path: Path) -> None:
    spent, kept = reveal(b"spent"), reveal(b"kept")
    async with journal_in(tmp_path) as journal:
        await journal.append([spent, kept])
        rows = journal.statistics().rows
        await journal.drop_reveals([spent.job, digest_of(b"unknown")])
        assert journal.prepared_reveals() == (kept,)
        assert journal.statistics().rows == rows - 1
        await journal.append([reveal(b"spent", b"another result")])
    async with journal_in(tmp_path) as journal:
        assert len(journal.prepared_reveals()) == 2


async def test_an_empty_journal_has_nothing_to_say(tmp_path: Path) -> None:
    async with journal_in(tmp_path) as journal:
        assert list(journal.blocks()) == []
        assert (journal.own_slots(), journal.last_final(), journal.final(1)) == ((), None, None)
        assert await journal.blocks_beyond(0, [], 1_000) == ()


async def test_records_that_are_stored_already_change_nothing(tmp_path: Path) -> None:
    records: list[JournalRecord] = [block(), slot(), operation(), reveal(), final()]
    async with journal_in(tmp_path) as journal:
        await journal.append(records)
        await journal.append([*records, *records])
        assert journal.statistics().rows == 5
        assert list(journal.blocks()) == [(1, block())]


async def test_of_several_notes_under_one_key_the_last_one_wins(tmp_path: Path) -> None:
    async with journal_in(tmp_path) as journal:
        await journal.append([Note("a", b"1"), Note("a", b"2"), Note("b", b"3")])
        await journal.append([Note("a", b"4")])
        assert (journal.note("a"), journal.note("b")) == (b"4", b"3")
        assert journal.statistics().rows == 2


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (slot(1, b"one"), slot(1, b"two")),
        (final(1, b"one"), final(1, b"two")),
        (final(1, state=b"one"), final(1, state=b"two")),
        (reveal(raw=b"one"), reveal(raw=b"two")),
    ],
)
async def test_a_contradiction_is_refused_with_its_whole_batch(
    tmp_path: Path, first: JournalRecord, second: JournalRecord
) -> None:
    async with journal_in(tmp_path) as journal:
        with pytest.raises(Contradiction):
            await journal.append([block(), first, second])
        assert journal.statistics().rows == 0
        await journal.append([first])
        with pytest.raises(Contradiction):
            await journal.append([block(), second])
        assert journal.statistics().rows == 1
        await journal.append([block(), first])
        assert journal.statistics().rows == 2


async def test_a_contradiction_spares_the_batches_that_share_its_commit(tmp_path: Path) -> None:
    refused: list[int] = []

    async def append(journal_round: int) -> None:
        content = b"bad" if journal_round % 2 else b"good"
        try:
            await journal.append([block(round_=journal_round), slot(1, content)])
        except Contradiction:
            refused.append(journal_round)

    async with journal_in(tmp_path) as journal:
        await journal.append([slot(1, b"good")])
        async with trio.open_nursery() as nursery:
            for journal_round in range(20):
                nursery.start_soon(append, journal_round)
        stored = {found.round for _, found in journal.blocks()}
        assert (len(refused), stored) == (10, set(range(0, 20, 2)))


async def test_a_journal_of_another_owner_is_refused(tmp_path: Path) -> None:
    async with journal_in(tmp_path):
        pass
    with pytest.raises(WrongNetwork):
        async with journal_in(tmp_path, network=b"x" * 32):
            pass
    with pytest.raises(WrongAccount):
        async with journal_in(tmp_path, account=b"x" * 32):
            pass
    async with journal_in(tmp_path):
        pass


async def test_a_journal_of_a_newer_program_is_refused(tmp_path: Path) -> None:
    async with journal_in(tmp_path):
        pass
    newer = (SCHEMA_VERSION + 1).to_bytes(4, "big")
    connection = apsw.Connection(str(tmp_path / JOURNAL_FILE))
    row = (newer, row_checksum("meta", (b"schema", newer)), b"schema")
    connection.execute("UPDATE meta SET value = ?, checksum = ? WHERE key = ?", row)
    connection.close()
    with pytest.raises(NewerSchema) as caught:
        async with journal_in(tmp_path):
            pass
    assert caught.value.stored == SCHEMA_VERSION + 1


async def test_a_closed_journal_refuses_records(tmp_path: Path) -> None:
    async with journal_in(tmp_path) as journal:
        pass
    with pytest.raises(StorageFailed):
        await journal.append([block()])


async def test_an_append_whose_wait_is_cancelled_leaves_the_journal_usable(
    tmp_path: Path,
) -> None:
    async with journal_in(tmp_path) as journal:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(journal.append, [block(round_=1)])
            await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
        await journal.append([block(round_=2)])
        assert block(round_=2) in [found for _, found in journal.blocks()]


async def test_a_damaged_block_is_named_forgotten_and_taken_back_in_its_old_place(
    tmp_path: Path,
) -> None:
    blocks = [block(round_=round_) for round_ in range(1, 6)]
    async with journal_in(tmp_path) as journal:
        await journal.append(blocks)
    path = tmp_path / JOURNAL_FILE
    content = path.read_bytes()
    assert content.count(blocks[2].raw) == 1
    path.write_bytes(content.replace(blocks[2].raw, blocks[2].raw.replace(b".", b",", 1)))
    async with journal_in(tmp_path) as journal:
        with pytest.raises(DamagedData) as caught:
            list(journal.blocks())
        assert (caught.value.sequence, caught.value.digest) == (3, blocks[2].digest)
        with pytest.raises(DamagedData):
            await journal.block(blocks[2].digest)
        with pytest.raises(DamagedData):
            await journal.blocks_beyond(0, [1], 10_000)
        await journal.forget_damaged(blocks[2].digest)
        assert [number for number, _ in journal.blocks()] == [1, 2, 4, 5]
        assert await journal.block(blocks[2].digest) is None
        assert await journal.blocks_beyond(0, [1], 10_000) == (blocks[1], blocks[3], blocks[4])
        await journal.append([blocks[2]])
        assert list(journal.blocks()) == list(enumerate(blocks, start=1))
        assert await journal.blocks_beyond(0, [1], 10_000) == tuple(blocks[1:])
