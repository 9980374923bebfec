"""Artifacts come back as they went in, within their limits, or not at all."""

import os
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio

from p2pnode.storage import (
    ArtifactMissing,
    ArtifactStore,
    ArtifactTooLarge,
    DamagedData,
    open_artifacts,
)
from p2pnode.storage.artifact_download import LIST_SUFFIX, UNFINISHED_SECONDS
from p2pnode.storage.artifact_files import artifact_path
from protocol.content import ChunkList, ContentHasher
from protocol.encoding import CHUNK_BYTES, content_digest

LARGE = random.Random(1).randbytes(2 * CHUNK_BYTES + 5)  # noqa: S311  no secret
JOB, OTHER_JOB = b"1" * 32, b"2" * 32


async def store_in(folder: Path, item: int = 1_000_000, total: int = 3_000_000) -> ArtifactStore:
    return await open_artifacts(folder / "artifacts", item, total)


def list_of(content: bytes) -> ChunkList:
    hasher = ContentHasher()
    hasher.update(content)
    return hasher.chunks()


def chunk_of(content: bytes, index: int) -> bytes:
    return content[index * CHUNK_BYTES :][:CHUNK_BYTES]


async def pieces(*content: bytes) -> AsyncIterator[bytes]:
    for piece in content:
        yield piece


def unfinished(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "artifacts" / "incoming").iterdir())


async def test_an_artifact_comes_back_also_after_a_restart(tmp_path: Path) -> None:
    store = await store_in(tmp_path)
    digest = await store.put(b"content")
    assert digest == content_digest(b"content")
    assert (tmp_path / "artifacts" / digest.hex()[:2] / digest.hex()[2:]).read_bytes() == b"content"
    again = await store_in(tmp_path)
    assert (again.has(digest), again.size_bytes(digest)) == (True, 7)
    assert await again.get(digest) == b"content"
    assert await again.put(b"content") == digest
    assert again.total_bytes == 7


async def test_a_missing_artifact_is_named(tmp_path: Path) -> None:
    store = await store_in(tmp_path)
    with pytest.raises(ArtifactMissing) as caught:
        await store.get(content_digest(b"none"))
    assert caught.value.digest == content_digest(b"none")
    with pytest.raises(ArtifactMissing):
        await store.chunk(content_digest(b"none"), 0)


async def test_a_damaged_artifact_is_detected_and_then_missing(tmp_path: Path) -> None:
    for read_first_chunk in (False, True):
        digest = await (await store_in(tmp_path)).put(b"content")
        artifact_path(tmp_path / "artifacts", digest).write_bytes(b"Content")
        store = await store_in(tmp_path)
        with pytest.raises(DamagedData) as caught:
            await (store.chunk(digest, 0) if read_first_chunk else store.get(digest))
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


async def test_chunks_make_up_the_artifact(tmp_path: Path) -> None:
    store = await store_in(tmp_path, item=4_000_000, total=4_000_000)
    digest = await store.put(LARGE)
    chunks = await (await store_in(tmp_path)).chunks(digest)
    assert chunks == list_of(LARGE)
    parts = [await store.chunk(digest, index) for index in range(4)]
    assert (b"".join(parts), [len(part) for part in parts[2:]]) == (LARGE, [5, 0])


async def test_an_artifact_above_the_limit_of_one_item_is_refused(tmp_path: Path) -> None:
    store = await store_in(tmp_path, item=10)
    with pytest.raises(ArtifactTooLarge) as caught:
        await store.put(b"x" * 11)
    assert (caught.value.size_bytes, caught.value.limit_bytes) == (11, 10)
    with pytest.raises(ArtifactTooLarge):
        async with store.resume(ChunkList(11, (content_digest(b""),))):
            pass
    with pytest.raises(ArtifactTooLarge):
        await store.receive(pieces(b"x" * 5, b"x" * 6))
    assert store.total_bytes == 0


async def test_the_artifact_unused_for_longest_makes_room_unless_an_open_job_needs_it(
    tmp_path: Path,
) -> None:
    store = await store_in(tmp_path, item=10, total=30)
    needed, old, used = [await store.put(bytes([n]) * 10) for n in range(3)]
    store.needed = lambda: {needed}
    await store.get(old)
    await store.get(used)
    await store.put(b"n" * 10)
    assert [store.has(d) for d in (needed, old, used)] == [True, False, True]
    assert not artifact_path(tmp_path / "artifacts", old).exists()
    store.needed = tuple
    await store.put(b"m" * 10)
    assert [store.has(d) for d in (needed, used)] == [False, True]


async def test_a_store_full_of_what_open_jobs_need_refuses_and_removes_nothing(
    tmp_path: Path,
) -> None:
    store = await store_in(tmp_path, item=20, total=30)
    needed, other = [await store.put(bytes([n]) * 15) for n in range(2)]
    store.needed = lambda: {needed}
    with pytest.raises(ArtifactTooLarge, match="until open jobs release theirs"):
        await store.put(b"x" * 16)
    with pytest.raises(ArtifactTooLarge):
        await store.receive(pieces(b"x" * 16))
    assert await store.get(needed) == bytes(15)
    assert store.has(other), "what could go does not when it would not suffice"


async def test_the_order_of_use_survives_a_restart(tmp_path: Path) -> None:
    store = await store_in(tmp_path, item=10, total=20)
    first, second = [await store.put(bytes([n]) * 10) for n in range(2)]
    os.utime(artifact_path(tmp_path / "artifacts", second), (1, 1))
    store = await store_in(tmp_path, item=10, total=20)
    await store.put(b"n" * 10)
    assert (store.has(first), store.has(second)) == (True, False)


async def test_a_download_takes_its_chunks_in_any_order(tmp_path: Path) -> None:
    store = await store_in(tmp_path, item=4_000_000, total=4_000_000)
    async with store.resume(list_of(LARGE)) as download:
        assert store.total_bytes == len(LARGE)
        assert download.missing == (0, 1, 2)
        for index in (2, 0, 0, 1):
            assert await download.receive(index, chunk_of(LARGE, index))
        assert download.is_whole
    assert await store.get(content_digest(LARGE)) == LARGE
    assert store.total_bytes == len(LARGE)
    assert unfinished(tmp_path) == []


async def test_a_chunk_that_is_not_the_right_one_is_not_taken(tmp_path: Path) -> None:
    store = await store_in(tmp_path, item=4_000_000, total=4_000_000)
    async with store.resume(list_of(LARGE)) as download:
        for index, content in [
            (0, bytes(CHUNK_BYTES)),
            (0, chunk_of(LARGE, 1)),
            (0, chunk_of(LARGE, 0)[:-1]),
            (2, chunk_of(LARGE, 2) + b"x"),
            (2, b""),
        ]:
            assert not await download.receive(index, content)
        assert download.missing == (0, 1, 2)
    assert not store.has(content_digest(LARGE))


@pytest.mark.parametrize("restarted", [False, True])
async def test_a_download_goes_on_with_what_is_there_and_right(
    restarted: bool, tmp_path: Path
) -> None:
    store = await store_in(tmp_path, item=4_000_000, total=4_000_000)
    async with store.resume(list_of(LARGE)) as download:
        for index in (0, 2):
            await download.receive(index, chunk_of(LARGE, index))
    path = tmp_path / "artifacts" / "incoming" / content_digest(LARGE).hex()
    with path.open("r+b") as stream:
        stream.write(b"rot")
    if restarted:
        store = await store_in(tmp_path, item=4_000_000, total=4_000_000)
    assert store.total_bytes == len(LARGE), "its room is still reserved"
    async with store.resume(list_of(LARGE)) as download:
        assert download.missing == (0, 1)
        for index in (0, 1):
            await download.receive(index, chunk_of(LARGE, index))
    assert await store.get(content_digest(LARGE)) == LARGE
    assert (store.total_bytes, unfinished(tmp_path)) == (len(LARGE), [])


async def test_downloads_that_nobody_goes_on_with_make_room_first(tmp_path: Path) -> None:
    store = await store_in(tmp_path, item=4_000_000, total=len(LARGE) + 10)
    async with store.resume(list_of(LARGE)) as download:
        await download.receive(0, chunk_of(LARGE, 0))
        with pytest.raises(ArtifactTooLarge):
            await store.put(b"x" * 11)
    small = await store.put(b"x" * 10)
    await store.put(b"y" * 10)
    assert store.has(small), "the oldest artifact was not in the way"
    assert (store.total_bytes, unfinished(tmp_path)) == (20, [])


async def test_a_download_for_which_there_is_no_room_now_keeps_what_it_has(tmp_path: Path) -> None:
    store = await store_in(tmp_path, item=4_000_000, total=len(LARGE) + 10)
    async with store.resume(list_of(LARGE)) as download:
        await download.receive(0, chunk_of(LARGE, 0))
    needed = await store.put(b"x" * 10)
    store.needed = lambda: {needed}
    other = list_of(LARGE[:-1])
    async with store.resume(other):
        with pytest.raises(ArtifactTooLarge):
            async with store.resume(list_of(LARGE)):
                pass
    assert store.total_bytes <= store.total_limit_bytes


async def test_leftovers_of_a_crash_are_deleted_at_the_start(tmp_path: Path) -> None:
    store = await store_in(tmp_path, item=4_000_000, total=4_000_000)
    async with store.resume(list_of(LARGE)) as download:
        await download.receive(0, chunk_of(LARGE, 0))
    name = content_digest(LARGE).hex()
    incoming = tmp_path / "artifacts" / "incoming"
    torn = "ab" * 32
    for leftover in ("new.1", torn, torn + LIST_SUFFIX, "odd" + LIST_SUFFIX):
        (incoming / leftover).write_bytes(b"half")
    await store_in(tmp_path)
    assert unfinished(tmp_path) == [name, name + LIST_SUFFIX]
    old = (incoming / name).stat().st_mtime - UNFINISHED_SECONDS
    os.utime(incoming / name, (old, old))
    store = await store_in(tmp_path)
    assert (unfinished(tmp_path), store.total_bytes) == ([], 0)


async def test_what_comes_in_pieces_is_stored_under_the_same_name(tmp_path: Path) -> None:
    store = await store_in(tmp_path, item=4_000_000, total=8_000_000)
    for content in (b"", b"small", LARGE[: 2 * CHUNK_BYTES], LARGE):
        parts = [content[at : at + 70_000] for at in range(0, len(content), 70_000)]
        chunks = await store.receive(pieces(*parts))
        assert (chunks.name, chunks.size_bytes) == (content_digest(content), len(content))
        assert await store.get(chunks.name) == content
        assert await store.put(content) == chunks.name
    assert unfinished(tmp_path) == []


async def test_an_upload_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"x" * 10
        raise trio.BrokenResourceError

    store = await store_in(tmp_path)
    with pytest.raises(trio.BrokenResourceError):
        await store.receive(broken())
    assert (store.total_bytes, unfinished(tmp_path)) == (0, [])


async def test_outputs_stay_for_their_time_and_for_open_jobs(tmp_path: Path) -> None:
    store = await store_in(tmp_path, item=10, total=100)
    old, young, open_one, plain, both = [await store.put(bytes([n]) * 10) for n in range(5)]
    for digest, job in [(old, JOB), (open_one, JOB), (both, JOB), (young, JOB), (both, OTHER_JOB)]:
        await store.keep_output(digest, job)
    for path in (tmp_path / "artifacts" / "outputs").iterdir():
        if path.name not in (f"{young.hex()}.{JOB.hex()}", f"{both.hex()}.{OTHER_JOB.hex()}"):
            os.utime(path, (1, 1))
    store = await store_in(tmp_path, item=10, total=100)
    store.needed = lambda: {open_one}
    assert set(store.outputs_of({JOB})) == {old, young, open_one, both}
    assert await store.expire(3_600) == 1
    assert [store.has(d) for d in (old, young, open_one, plain, both)] == [False, *[True] * 4]
    assert set(store.outputs_of({JOB})) == {young, open_one}, "the other job still keeps it"
    store.needed = tuple
    assert await store.expire(3_600) == 1
    assert await (await store_in(tmp_path, item=10, total=100)).expire(3_600) == 0


async def test_outputs_that_are_kept_make_room_last(tmp_path: Path) -> None:
    store = await store_in(tmp_path, item=10, total=30)
    output, first, second = [await store.put(bytes([n]) * 10) for n in range(3)]
    await store.keep_output(output, JOB)
    others = {await store.put(b"n" * 10), await store.put(b"m" * 10)}
    assert [store.has(d) for d in (output, first, second)] == [True, False, False]
    store.needed = lambda: others
    await store.put(b"o" * 10)
    assert not store.has(output)


async def test_files_that_are_no_outputs_are_passed_over(tmp_path: Path) -> None:
    store = await store_in(tmp_path)
    for name in ("odd", "ab.cd", f"{'ab' * 32}.x"):
        (tmp_path / "artifacts" / "outputs" / name).write_bytes(b"")
    store = await store_in(tmp_path)
    assert await store.expire(0) == 0
