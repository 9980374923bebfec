"""Damage in the write-ahead log is told from a commit that a loss of power cut off."""

from pathlib import Path

import pytest

from p2pnode.storage import DamagedData
from p2pnode.storage.database import JOURNAL_FILE
from tests.p2pnode.storage.builders import block, journal_in, slot

LOG = f"{JOURNAL_FILE}-wal"
HEADER, FRAME = 32, 24 + 4_096


async def killed(folder: Path) -> bytearray:
    """The log of a node that was killed after eight commits."""
    make(folder)
    async with journal_in(folder):
        pass
    async with journal_in(folder) as journal:
        for round_ in range(1, 9):
            await journal.append([block(round_=round_), slot(round_)])
        database, log = ((folder / name).read_bytes() for name in (JOURNAL_FILE, LOG))
    (folder / JOURNAL_FILE).write_bytes(database)
    return bytearray(log)


def make(folder: Path) -> None:
    folder.mkdir()


async def rounds(folder: Path, log: bytes | bytearray) -> list[int]:
    (folder / LOG).write_bytes(log)
    async with journal_in(folder) as journal:
        return [found.round for _, found in journal.blocks()]


async def test_a_log_that_ends_in_half_a_commit_is_whole(tmp_path: Path) -> None:
    log = await killed(tmp_path / "node")
    assert await rounds(tmp_path / "node", log[: len(log) - 1]) == list(range(1, 8))


@pytest.mark.parametrize("place", [0, 9, 17, HEADER, HEADER + 9, HEADER + FRAME + 30])
async def test_damage_before_the_last_commit_is_refused(place: int, tmp_path: Path) -> None:
    log = await killed(tmp_path / "node")
    log[place] ^= 1
    for _ in range(2):  # looking at it does not make it sound
        with pytest.raises(DamagedData, match="commits in the journal's write-ahead log"):
            await rounds(tmp_path / "node", log)


async def test_a_header_that_gives_another_page_size_is_refused(tmp_path: Path) -> None:
    log = await killed(tmp_path / "node")
    log[10] ^= 0x30
    with pytest.raises(DamagedData, match="commits in the journal's write-ahead log"):
        await rounds(tmp_path / "node", log)


async def test_a_log_without_any_frame_is_whole(tmp_path: Path) -> None:
    log = await killed(tmp_path / "node")
    for length in (0, 10, HEADER):
        folder = tmp_path / str(length)
        await killed(folder)
        assert await rounds(folder, log[:length]) == []
