"""Pages on their way outlive the process, are checked when they are read, and stay bounded."""

from pathlib import Path

import pytest
import structlog

from p2pnode.storage import PageShelf, StorageFailed, page_shelf
from p2pnode.storage.page_shelf import UNFINISHED
from protocol.encoding import content_digest

PAGES = [bytes([number]) * 100 for number in range(4)]
DIGESTS = [content_digest(page) for page in PAGES]


async def filled(folder: Path, count: int = 3) -> PageShelf:
    shelf = PageShelf(folder, 350)
    await shelf.keep_only(DIGESTS)
    for digest, page in zip(DIGESTS[:count], PAGES, strict=False):
        await shelf.put(digest, page)
    return shelf


async def test_pages_are_here_after_a_restart_and_those_not_asked_for_go(tmp_path: Path) -> None:
    folder = tmp_path / "arriving"
    await filled(folder)
    again = PageShelf(folder, 350)
    await again.keep_only(DIGESTS[1:])
    assert [await again.page(digest) for digest in DIGESTS] == [None, *PAGES[1:3], None]
    assert len(list(folder.iterdir())) == 2
    await again.keep_only(())
    assert not folder.exists()


async def test_a_page_that_a_crash_tore_is_fetched_again(tmp_path: Path) -> None:
    folder = tmp_path / "arriving"
    shelf = await filled(folder)
    torn = folder / DIGESTS[0].hex()
    torn.write_bytes(PAGES[0][:50])
    (folder / f"{DIGESTS[3].hex()}{UNFINISHED}").write_bytes(b"half")
    assert await shelf.page(DIGESTS[0]) is None
    assert not torn.exists()
    again = PageShelf(folder, 350)
    await again.keep_only(DIGESTS)
    assert {path.name for path in folder.iterdir()} == {one.hex() for one in DIGESTS[1:3]}
    await again.put(DIGESTS[0], PAGES[0])
    assert await again.page(DIGESTS[0]) == PAGES[0]


async def test_a_page_that_was_damaged_can_be_kept_again(tmp_path: Path) -> None:
    shelf = await filled(tmp_path)
    (tmp_path / DIGESTS[0].hex()).write_bytes(b"damaged")
    assert await shelf.page(DIGESTS[0]) is None
    await shelf.put(DIGESTS[0], PAGES[0])
    assert await shelf.page(DIGESTS[0]) == PAGES[0]


async def test_a_page_that_is_not_here_is_not_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf = await filled(tmp_path)
    looked: list[str] = []
    read = page_shelf._read

    def watched(path: Path, digest: bytes) -> bytes | None:
        looked.append(path.name)
        return read(path, digest)

    monkeypatch.setattr(page_shelf, "_read", watched)
    assert [await shelf.page(digest) for digest in DIGESTS] == [*PAGES[:3], None]
    assert looked == [digest.hex() for digest in DIGESTS[:3]]


@pytest.mark.parametrize("name", ["notes", DIGESTS[0].hex()])
async def test_a_folder_that_somebody_put_there_stays_and_is_said(
    name: str, tmp_path: Path
) -> None:
    folder = tmp_path / "arriving"
    await filled(folder)
    strange = folder / name
    strange.unlink(missing_ok=True)
    (strange / "within").mkdir(parents=True)
    shelf = PageShelf(folder, 350)
    with structlog.testing.capture_logs() as logs:
        await shelf.keep_only(())
    assert [(one["event"], one["path"]) for one in logs] == [("not_dropped", str(strange))]
    assert list(folder.iterdir()) == [strange]
    await shelf.keep_only(DIGESTS)
    assert await shelf.page(DIGESTS[0]) is None
    await shelf.put(DIGESTS[1], PAGES[1])
    assert await shelf.page(DIGESTS[1]) == PAGES[1]


async def test_what_has_no_room_is_not_kept(tmp_path: Path) -> None:
    shelf = await filled(tmp_path / "arriving", count=4)
    assert [await shelf.page(digest) for digest in DIGESTS] == [*PAGES[:3], None]


async def test_a_disk_that_refuses_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    shelf = PageShelf(tmp_path / "file" / "arriving", 350)
    await shelf.keep_only(())
    with pytest.raises(StorageFailed):
        await shelf.put(DIGESTS[0], PAGES[0])
