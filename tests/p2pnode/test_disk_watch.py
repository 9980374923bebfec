"""What the status says of the disk, and what it warns of."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import structlog
import trio
import trio.testing

from p2pnode import disk_watch
from p2pnode.disk_watch import LOOK_SECONDS, DiskWatch
from p2pnode.settings import Settings
from p2pnode.snapshots import keep_snapshot
from p2pnode.storage import Journal, StorageFailed, StoredCertificate, open_artifacts
from tests.p2pnode.storage.builders import block, journal_in
from tests.p2pnode.test_snapshots import PAGES, effect

STORE_BYTES = 2_000
FREE = 10**9


@asynccontextmanager
async def watched(
    folder: Path, *epochs: int, **choices: int
) -> AsyncIterator[tuple[DiskWatch, Journal]]:
    """A disk that is looked at in these epochs, and in the last of them from then on."""
    left = [*epochs] or [4]
    artefacts = await open_artifacts(folder / "artefacts", 1_000, STORE_BYTES)
    await artefacts.put(b"artefact")
    settings = Settings(folder, **choices)  # type: ignore[arg-type]  # as the fields are
    async with journal_in(folder) as journal:
        yield (
            DiskWatch(settings, journal, artefacts, lambda: left.pop(0) if left[1:] else left[0]),
            journal,
        )


@pytest.fixture(autouse=True)
def free(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What the disk has left; the last value counts."""
    left = [FREE]
    monkeypatch.setattr(disk_watch, "free_bytes", lambda _: left[-1])
    return left


async def test_the_status_shows_what_is_kept_since_when_and_within_which_bounds(
    tmp_path: Path,
) -> None:
    before = time.time_ns() // 10**6
    async with watched(tmp_path, keep_epochs=3, keep_chain=9) as (disk, journal):
        assert disk.view() == {}
        await journal.append([block()])
        await keep_snapshot(journal, effect(2))
        await keep_snapshot(journal, effect(3))
        await journal.append([StoredCertificate(epoch, b"c") for epoch in (2, 3)])
        await disk.look()
        view = disk.view()
    written = view["snapshot"]["written_ms"]  # type: ignore[index]  # a mapping for programs
    assert before <= written <= time.time_ns() // 10**6
    size = sum(map(len, PAGES))
    assert view["snapshot"] == {"epoch": 3, "pages": 2, "bytes": size, "written_ms": written}
    assert view["snapshot_bytes"] == 2 * size
    assert (view["oldest_block_epoch"], view["blocks"]) == (0, 1)
    certificates = (view["oldest_certificate"], view["newest_certificate"], view["certificates"])
    assert certificates == (2, 3, 2)
    assert (view["artefact_bytes"], view["artefact_bytes_max"]) == (8, STORE_BYTES)
    assert view["newcomers"] == (
        "with a --checkpoint of epoch 2 or later; without one they need an archive"
    )
    assert (view["keep"], view["keep_chain"], view["bounded"]) == (3, 9, True)
    assert view["warnings"] == []


async def test_an_archive_is_not_bounded_and_warned_of_nothing(tmp_path: Path) -> None:
    async with watched(tmp_path) as (disk, journal):
        await disk.look()
        assert disk.view()["newcomers"] == "none yet: no snapshot is certified"
        await keep_snapshot(journal, effect(1))
        await journal.append([StoredCertificate(0, b"c")])
        await disk.look()
        assert disk.view()["newcomers"] == "none yet: no snapshot is certified"
        await journal.append([StoredCertificate(1, b"c")])
        await disk.look()
        view = disk.view()
    assert view["newcomers"] == "all, from genesis on"
    assert (view["keep"], view["keep_chain"], view["bounded"]) == ("all", "all", False)
    assert view["warnings"] == []


async def test_what_stands_in_the_way_of_a_bound_is_said_once_it_holds(
    tmp_path: Path, free: list[int]
) -> None:
    async with watched(tmp_path, 9, keep_epochs=3, keep_chain=9) as (disk, journal):
        await keep_snapshot(journal, effect(3))
        free.append(1)
        disk.hear_pruning("the disk refused")
        with structlog.testing.capture_logs() as logs:
            await disk.look()
            await disk.look()
        told = disk.warnings()
        assert [one["detail"] for one in logs if one["event"] == "disk_not_bounded"] == list(told)
        words = ("the disk refused", "5 epochs old", "the next snapshot may need", "artefacts may")
        assert len(told) == len(words)
        assert all(word in one for word, one in zip(words, told, strict=True))
        free.append(FREE)
        disk.hear_pruning("")
        await keep_snapshot(journal, effect(8))
        await disk.look()
        assert disk.warnings() == ()


async def test_a_warning_with_other_figures_is_not_said_again_and_one_that_comes_back_is(
    tmp_path: Path, free: list[int]
) -> None:
    async with watched(tmp_path) as (disk, _):
        with structlog.testing.capture_logs() as logs:
            for left in (1_000, 999, 998, FREE, 997):
                free.append(left)
                await disk.look()
                assert len(disk.warnings()) == (0 if left == FREE else 2)
        assert "997 left" in disk.warnings()[1]
    said = [str(one["detail"]) for one in logs if one["event"] == "disk_not_bounded"]
    assert len(said) == 4
    artefacts = [text for text in said if "--artefact-store-gib" in text]
    assert ["1,000 left" in text or "997 left" in text for text in artefacts] == [True, True]


@pytest.mark.parametrize("first", [0, 5])
async def test_who_lacks_a_certificate_does_not_serve_all(tmp_path: Path, first: int) -> None:
    async with watched(tmp_path) as (disk, journal):
        await keep_snapshot(journal, effect(9))
        epochs = [epoch for epoch in range(first, 10) if epoch != 7]
        await journal.append([StoredCertificate(epoch, b"c") for epoch in epochs])
        await disk.look()
        assert disk.view()["newcomers"] == (
            f"with a --checkpoint behind all gaps: of the epochs from {first} to 9, 1 have no "
            "certificate here; others need an archive"
        )
        await journal.append([StoredCertificate(7, b"c")])
        await disk.look()
        assert str(disk.view()["newcomers"]).startswith("with a" if first else "all, from")


async def test_an_old_look_is_judged_by_the_epoch_in_which_it_was_made(tmp_path: Path) -> None:
    async with watched(tmp_path, 4, 99, keep_epochs=3, keep_chain=9) as (disk, journal):
        await keep_snapshot(journal, effect(3))
        await disk.look()
        assert disk.warnings() == disk.warnings() == ()
        await disk.look()
        assert "95 epochs old" in disk.warnings()[0]


async def test_blocks_alone_do_not_make_a_disk_bounded(tmp_path: Path) -> None:
    async with watched(tmp_path, 0, keep_epochs=3) as (disk, _):
        await disk.look()
        (warning,) = disk.warnings()
        assert "--keep-chain" in warning
        assert disk.view()["bounded"] is False


async def test_a_store_that_cannot_be_read_leaves_what_was_seen_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with watched(tmp_path) as (disk, journal):
        await disk.look()
        before = disk.view()

        async def fail() -> None:
            raise StorageFailed("no")

        monkeypatch.setattr(journal, "sizes", fail)
        with structlog.testing.capture_logs() as logs:
            await disk.look()
        assert [one["event"] for one in logs] == ["disk_not_looked_at"]
        assert disk.view() == before


async def test_it_looks_again_and_again(
    tmp_path: Path, autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = []

    async def look(_: DiskWatch) -> None:
        looks.append(trio.current_time())

    monkeypatch.setattr(DiskWatch, "look", look)
    async with watched(tmp_path) as (disk, _):
        with trio.move_on_after(2 * LOOK_SECONDS + 1):
            await disk.run()
    assert [at - looks[0] for at in looks] == [0, LOOK_SECONDS, 2 * LOOK_SECONDS]
