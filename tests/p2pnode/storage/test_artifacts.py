"""Artifacts come back as they went in, within their limits, or not at all."""

import os
from pathlib import Path

import pytest

from p2pnode.storage import (
    PAGE_BYTES,
    ArtifactMissing,
    ArtifactStore,
    ArtifactTooLarge,
    DamagedData,
    artifact_digest,
    open_artifacts,
)
from p2pnode.storage.artifact_files import artifact_path


async def store_in(folder: Path, item: int = 1_000_000, total: int = 3_000_000) -> ArtifactStore:
    return await open_artifacts(folder / "artifacts", item, total)


async def test_an_artifact_comes_back_also_after_a_restart(tmp_path: Path) -> None:
    store = await store_in(tmp_path)
    digest = await store.put(b"content")
    assert digest == artifact_digest(b"content")
    assert (tmp_path / "artifacts" / digest.hex()[:2] / digest.hex()[2:]).read_bytes() == b"content"
    again = await store_in(tmp_path)
    assert (again.has(digest), again.size_bytes(digest)) == (True, 7)
    assert await again.get(digest) == b"content"
    assert await again.put(b"content") == digest
    assert again.total_bytes == 7


async def test_a_missing_artifact_is_named(tmp_path: Path) -> None:
    store = await store_in(tmp_path)
    with pytest.raises(ArtifactMissing) as caught:
        await store.get(artifact_digest(b"none"))
    assert caught.value.digest == artifact_digest(b"none")
    with pytest.raises(ArtifactMissing):
        await store.page(artifact_digest(b"none"), 0, 10)


async def test_a_damaged_artifact_is_detected_and_then_missing(tmp_path: Path) -> None:
    for read_first_page in (False, True):
        digest = await (await store_in(tmp_path)).put(b"content")
        artifact_path(tmp_path / "artifacts", digest).write_bytes(b"Content")
        store = await store_in(tmp_path)
        with pytest.raises(DamagedData) as caught:
            await (store.page(digest, 0, 4) if read_first_page else store.get(digest))
        assert caught.value.digest == digest
        assert not store.has(digest)
        with pytest.raises(ArtifactMissing):
            await store.get(digest)


async def test_an_artifact_that_somebody_deleted_is_missing(tmp_path: Path) -> None:
    store = await store_in(tmp_path)
    digest = await store.put(b"content")
    artifact_path(tmp_path / "artifacts", digest).unlink()
    with pytest.raises(ArtifactMissing):
        await store.get(digest)
    assert store.total_bytes == 0


async def test_pages_make_up_the_artifact(tmp_path: Path) -> None:
    content = os.urandom(1_000)
    store = await store_in(tmp_path)
    digest = await store.put(content)
    pages = [await store.page(digest, offset, 300) for offset in range(0, 1_200, 300)]
    assert (b"".join(pages), len(pages[-1])) == (content, 100)
    assert await store.page(digest, 5_000, 300) == b""


async def test_an_artifact_above_the_limit_of_one_item_is_refused(tmp_path: Path) -> None:
    store = await store_in(tmp_path, item=10)
    with pytest.raises(ArtifactTooLarge) as caught:
        await store.put(b"x" * 11)
    assert (caught.value.size_bytes, caught.value.limit_bytes) == (11, 10)
    with pytest.raises(ArtifactTooLarge):
        async with store.begin(artifact_digest(b""), 11):
            pass
    assert store.total_bytes == 0


async def test_the_artifact_unused_for_longest_makes_room_unless_it_is_pinned(
    tmp_path: Path,
) -> None:
    store = await store_in(tmp_path, item=10, total=30)
    pinned, old, used = [await store.put(bytes([n]) * 10) for n in range(3)]
    store.pin(pinned)
    await store.get(old)
    await store.get(used)
    await store.put(b"n" * 10)
    assert [store.has(d) for d in (pinned, old, used)] == [True, False, True]
    assert not artifact_path(tmp_path / "artifacts", old).exists()
    store.unpin(pinned)
    await store.put(b"m" * 10)
    assert [store.has(d) for d in (pinned, used)] == [False, True]


async def test_pinned_artifacts_that_leave_no_room_refuse_a_new_one_and_evict_nothing(
    tmp_path: Path,
) -> None:
    store = await store_in(tmp_path, item=20, total=30)
    pinned, other = [await store.put(bytes([n]) * 15) for n in range(2)]
    store.pin(pinned)
    with pytest.raises(ArtifactTooLarge):
        await store.put(b"x" * 16)
    assert store.has(pinned)
    assert store.has(other)


async def test_the_order_of_use_survives_a_restart(tmp_path: Path) -> None:
    store = await store_in(tmp_path, item=10, total=20)
    first, second = [await store.put(bytes([n]) * 10) for n in range(2)]
    os.utime(artifact_path(tmp_path / "artifacts", second), (1, 1))
    store = await store_in(tmp_path, item=10, total=20)
    await store.put(b"n" * 10)
    assert (store.has(first), store.has(second)) == (True, False)


async def test_a_download_takes_its_pages_in_any_order(tmp_path: Path) -> None:
    content = os.urandom(2 * PAGE_BYTES + 5)
    digest = artifact_digest(content)
    store = await store_in(tmp_path)
    async with store.begin(digest, len(content)) as download:
        assert store.total_bytes == len(content)
        assert download.missing(2) == (0, PAGE_BYTES)
        for offset in (2 * PAGE_BYTES, 0, 0, PAGE_BYTES):
            await download.receive(offset, content[offset : offset + PAGE_BYTES])
        assert download.missing(10) == ()
        await store.finish(digest, download)
    assert await store.get(digest) == content
    assert store.total_bytes == len(content)
    assert list((tmp_path / "artifacts" / "incoming").iterdir()) == []


async def test_pages_that_do_not_belong_are_told_apart(tmp_path: Path) -> None:
    store = await store_in(tmp_path)
    async with store.begin(artifact_digest(b""), PAGE_BYTES + 5) as download:
        fits = [(0, PAGE_BYTES), (PAGE_BYTES, 5)]
        not_fits = [(0, 5), (1, PAGE_BYTES), (PAGE_BYTES, 6), (2 * PAGE_BYTES, 0), (-1, 5)]
        assert all(download.fits(*place) for place in fits)
        assert not any(download.fits(*place) for place in not_fits)


async def test_a_download_with_lying_pages_leaves_nothing_behind(tmp_path: Path) -> None:
    digest = artifact_digest(b"promised")
    store = await store_in(tmp_path)
    async with store.begin(digest, 8) as download:
        await download.receive(0, b"PROMISED")
        with pytest.raises(DamagedData):
            await store.finish(digest, download)
    assert (store.has(digest), store.total_bytes) == (False, 0)
    assert list((tmp_path / "artifacts" / "incoming").iterdir()) == []


async def test_an_unfinished_download_gives_its_room_back(tmp_path: Path) -> None:
    store = await store_in(tmp_path, item=10, total=10)
    async with store.begin(artifact_digest(b"a"), 10) as download:
        await download.receive(0, b"x" * 10)
        with pytest.raises(ArtifactTooLarge):
            await store.put(b"y")
    assert await store.put(b"y")


async def test_leftovers_of_a_crash_are_deleted_at_the_start(tmp_path: Path) -> None:
    await store_in(tmp_path)
    leftover = tmp_path / "artifacts" / "incoming" / "ab.1"
    leftover.write_bytes(b"half")
    store = await store_in(tmp_path)
    assert (leftover.exists(), store.total_bytes) == (False, 0)
