"""What a peer that catches up is given, and reading beside a running node."""

import random
import time
from dataclasses import replace
from pathlib import Path

import pytest

from p2pnode.storage import (
    JournalMissing,
    StoredBlock,
    copy_journal,
    open_readonly,
    replace_journal,
)
from p2pnode.storage.database import JOURNAL_FILE
from tests.p2pnode.storage.builders import (
    block,
    digest_of,
    journal_in,
    slot,
)


async def test_a_peer_is_given_what_lies_beyond_its_rounds_in_order_of_acceptance(
    tmp_path: Path,
) -> None:
    blocks = [block(author, round_) for round_ in range(1, 5) for author in range(3)]
    async with journal_in(tmp_path) as journal:
        await journal.append(blocks)
        assert await journal.blocks_beyond(0, [4, 4, 4], 10_000) == ()
        expected = tuple(b for b in blocks if b.round > (3, 1, 4)[b.author])
        assert await journal.blocks_beyond(0, [3, 1, 4], 10_000) == expected
        assert await journal.blocks_beyond(0, [4], 10_000) == tuple(b for b in blocks if b.author)
        assert await journal.blocks_beyond(0, [], 10_000) == tuple(blocks)
        assert await journal.blocks_beyond(0, [], 299) == tuple(blocks[:2])
        assert await journal.blocks_beyond(0, [], 99) == ()


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
            assert await journal.blocks_beyond(0, have, limit) == _expected(blocks, have, limit)


def _expected(
    blocks: list[StoredBlock], have: list[int], limit_bytes: int
) -> tuple[StoredBlock, ...]:
    beyond = [b for b in blocks if b.author >= len(have) or b.round > have[b.author]]
    return tuple(beyond[: limit_bytes // 100])


async def test_the_answer_for_a_peer_near_the_end_of_many_blocks_is_quick(tmp_path: Path) -> None:
    blocks = [block(author, round_) for round_ in range(1_000) for author in range(20)]
    async with journal_in(tmp_path) as journal:
        await journal.append(blocks)
        begun = time.process_time()
        for _ in range(20):
            assert await journal.blocks_beyond(0, [998] * 20, 10_000) == tuple(blocks[-20:])
        assert time.process_time() - begun < 1, "of computing, however busy the machine is"


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


async def test_blocks_of_one_index_in_two_epochs_are_kept_apart(tmp_path: Path) -> None:
    old = [block(0, round_) for round_ in (1, 2, 9)]
    new = [replace(block(0, round_, variant=1), epoch=1) for round_ in (1, 2, 3)]
    async with journal_in(tmp_path) as journal:
        await journal.append([*old, *new])
        assert await journal.blocks_beyond(0, [2], 10_000) == (old[2],)
        assert await journal.blocks_beyond(1, [1], 10_000) == tuple(new[1:])
        assert await journal.blocks_beyond(2, [], 10_000) == ()
        assert [one.epoch for _, one in journal.blocks()] == [0, 0, 0, 1, 1, 1]


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
