"""What a peer that catches up is given, and reading beside a running node."""

import random
from pathlib import Path

import pytest
import trio

from p2pnode.storage import (
    DamagedData,
    JournalMissing,
    Note,
    StoredBlock,
    copy_journal,
    open_readonly,
    replace_journal,
)
from p2pnode.storage.database import JOURNAL_FILE
from tests.p2pnode.storage.builders import (
    block,
    digest_of,
    final,
    journal_in,
    operation,
    reveal,
    slot,
)


async def test_a_peer_is_given_what_lies_beyond_its_rounds_in_order_of_acceptance(
    tmp_path: Path,
) -> None:
    blocks = [block(author, round_) for round_ in range(1, 5) for author in range(3)]
    async with journal_in(tmp_path) as journal:
        await journal.append(blocks)
        assert await journal.blocks_beyond([4, 4, 4], 10_000) == ()
        expected = tuple(b for b in blocks if b.round > (3, 1, 4)[b.author])
        assert await journal.blocks_beyond([3, 1, 4], 10_000) == expected
        assert await journal.blocks_beyond([4], 10_000) == tuple(b for b in blocks if b.author)
        assert await journal.blocks_beyond([], 10_000) == tuple(blocks)
        assert await journal.blocks_beyond([], 299) == tuple(blocks[:2])
        assert await journal.blocks_beyond([], 99) == ()


async def test_all_variants_of_equivocating_authors_are_given_alike(tmp_path: Path) -> None:
    generator = random.Random(7)  # noqa: S311  a seeded order, not a secret
    blocks = [block(a, r, v) for a in range(4) for r in range(12) for v in range(1 + a % 3)]
    for _ in range(20):
        generator.shuffle(blocks)
        folder = tmp_path / str(_)
        folder.mkdir()
        async with journal_in(folder) as journal:
            await journal.append(blocks)
            have = [generator.randrange(-1, 13) for _ in range(generator.randrange(5))]
            limit = generator.randrange(100, 6_000)
            assert await journal.blocks_beyond(have, limit) == _expected(blocks, have, limit)


def _expected(
    blocks: list[StoredBlock], have: list[int], limit_bytes: int
) -> tuple[StoredBlock, ...]:
    beyond = [b for b in blocks if b.author >= len(have) or b.round > have[b.author]]
    return tuple(beyond[: limit_bytes // 100])


async def test_the_answer_for_a_peer_near_the_end_of_many_blocks_is_quick(tmp_path: Path) -> None:
    blocks = [block(author, round_) for round_ in range(1_000) for author in range(20)]
    async with journal_in(tmp_path) as journal:
        await journal.append(blocks)
        with trio.fail_after(1):
            for _ in range(20):
                assert await journal.blocks_beyond([998] * 20, 10_000) == tuple(blocks[-20:])


async def test_a_journal_can_be_read_beside_its_writer(tmp_path: Path) -> None:
    async with journal_in(tmp_path) as journal:
        await journal.append([block(round_=1)])
        with open_readonly(tmp_path, digest_of) as reader:
            walk = reader.blocks()
            assert next(walk) == (1, block(round_=1))
            await journal.append([block(round_=2), slot()])
            assert list(walk) == [(2, block(round_=2))]
            assert reader.own_slots() == (slot(),)
    with open_readonly(tmp_path, digest_of) as reader:
        assert len(list(reader.blocks())) == 2


def test_reading_where_no_journal_is_names_the_place(tmp_path: Path) -> None:
    with pytest.raises(JournalMissing) as caught, open_readonly(tmp_path, digest_of):
        pass
    assert caught.value.path == str(tmp_path / JOURNAL_FILE)
    assert list(tmp_path.iterdir()) == []


async def test_every_flipped_bit_is_detected_or_harmless(tmp_path: Path) -> None:
    async with journal_in(tmp_path) as journal:
        for round_ in range(1, 60):
            records = [block(author, round_, size_bytes=400 * author) for author in range(1, 4)]
            await journal.append([*records, slot(round_), operation(round_), final(round_)])
        await journal.append([reveal(str(n).encode()) for n in range(20)])
        await journal.append([Note(str(n), b"value") for n in range(20)])
    whole = (tmp_path / JOURNAL_FILE).read_bytes()
    expected = await _everything(tmp_path)
    generator = random.Random(11)  # noqa: S311  a seeded choice, not a secret
    detected = 0
    for number in range(100):
        folder = tmp_path / str(number)
        folder.mkdir()
        damaged = bytearray(whole)
        position = generator.randrange(len(whole) * 8)
        damaged[position // 8] ^= 1 << position % 8
        (folder / JOURNAL_FILE).write_bytes(damaged)
        try:
            found = await _everything(folder)
        except DamagedData:
            detected += 1
        else:
            assert found == expected, position
    assert detected > 30, "most bits carry content, so most flips have to be noticed"


async def _everything(folder: Path) -> list[object]:
    async with journal_in(folder) as journal:
        blocks = list(journal.blocks())
        found: list[object] = [blocks, [await journal.block(b.digest) for _, b in blocks]]
        found += [await journal.blocks_beyond([], 10_000_000)]
        found += [journal.own_slots(), journal.own_operations(), journal.prepared_reveals()]
        found += [journal.last_final(), [journal.final(index) for index in range(61)]]
        return [*found, [journal.note(str(n)) for n in range(21)]]


async def test_a_copy_is_one_moment_of_a_running_journal_and_can_take_its_place(
    tmp_path: Path,
) -> None:
    copy = tmp_path / "copy"
    async with journal_in(tmp_path) as journal:
        await journal.append([slot(1)])
        copy_journal(tmp_path, copy)
        await journal.append([slot(2)])
    replace_journal(tmp_path, copy)
    assert not copy.exists()
    async with journal_in(tmp_path) as journal:
        assert journal.own_slots() == (slot(1),)
    with pytest.raises(JournalMissing):
        copy_journal(tmp_path / "nowhere", copy)
