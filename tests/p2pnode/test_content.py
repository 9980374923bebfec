"""Content between stores, with peers that lack it; what peers do wrong is in `test_pulling`."""

import shutil
from pathlib import Path

import msgpack
import pytest
import trio
import trio.testing

from p2pnode.content import ContentUnavailable
from p2pnode.network import RequestRefused
from p2pnode.pulling import CHUNK_KIND, LIST_KIND, REQUEST_SECONDS
from protocol.content import ChunkList
from protocol.encoding import CHUNK_BYTES, content_digest
from tests.p2pnode.builders_of_content import LARGE, LIMIT, SMALL, holder, node
from tests.p2pnode.fake_ports import FakeNetwork


async def test_content_comes_chunk_by_chunk_and_stays(tmp_path: Path) -> None:
    peer = await holder(tmp_path)
    content, store, network = await node(tmp_path, peer)
    assert await content.fetch(content_digest(LARGE), (), LIMIT) == LARGE
    assert [kind for _, kind in network.asked] == [LIST_KIND, *[CHUNK_KIND] * 3]
    assert store.has(content_digest(LARGE))
    assert await content.fetch(content_digest(LARGE), (), LIMIT) == LARGE
    assert len(network.asked) == 4, "what is here is asked of nobody"


@pytest.mark.parametrize("whole", [b"", SMALL, bytes(CHUNK_BYTES), bytes(CHUNK_BYTES + 1)])
async def test_content_of_any_size_comes(whole: bytes, tmp_path: Path) -> None:
    peer = await holder(tmp_path, whole)
    content, store, _ = await node(tmp_path, peer)
    assert await content.fetch(content_digest(whole), (), LIMIT) == whole
    assert store.total_bytes == len(whole)


async def test_holders_are_asked_before_neighbours_and_nobody_twice(tmp_path: Path) -> None:
    first, second = FakeNetwork(b"1" * 32), await holder(tmp_path, SMALL)
    content, _, network = await node(tmp_path, first, second)
    holders = (b"gone" * 8, first.account, first.account)
    await content.fetch(content_digest(SMALL), holders, LIMIT)
    asked = [account for account, kind in network.asked if kind == LIST_KIND]
    assert asked == [b"gone" * 8, first.account, second.account]


async def test_what_nobody_has_is_unavailable_and_says_why(tmp_path: Path) -> None:
    content, _, _ = await node(tmp_path)
    with pytest.raises(ContentUnavailable, match="no peer to ask"):
        await content.fetch(bytes(32), (), LIMIT)
    peer = await holder(tmp_path)
    asking, _, _ = await node(tmp_path, peer)
    with pytest.raises(ContentUnavailable, match="this content is not here"):
        await asking.fetch(bytes(32), (), LIMIT)


@pytest.mark.parametrize("whole", [LARGE, SMALL])
async def test_content_above_the_limit_is_not_fetched(whole: bytes, tmp_path: Path) -> None:
    peer = await holder(tmp_path, whole)
    content, store, network = await node(tmp_path, peer)
    with pytest.raises(ContentUnavailable, match=f"above the limit of {len(whole) - 1}"):
        await content.fetch(content_digest(whole), (), len(whole) - 1)
    assert CHUNK_KIND not in [kind for _, kind in network.asked]
    assert store.total_bytes == 0


async def test_content_that_does_not_fit_here_is_unavailable(tmp_path: Path) -> None:
    peer = await holder(tmp_path)
    content, _, _ = await node(tmp_path, peer, total=CHUNK_BYTES)
    with pytest.raises(ContentUnavailable, match="exceeds"):
        await content.fetch(content_digest(LARGE), (), LIMIT)


async def test_a_silent_peer_is_left_for_the_next(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    silent = FakeNetwork(b"s" * 32)

    async def never(account: bytes, payload: bytes) -> bytes:
        await trio.sleep_forever()
        raise AssertionError

    silent.serve(LIST_KIND, never)
    content, _, network = await node(tmp_path, silent, FakeNetwork(b"e" * 32))
    begun = trio.current_time()
    with pytest.raises(ContentUnavailable, match="not served"):
        await content.fetch(bytes(32), (), LIMIT)
    assert trio.current_time() - begun == pytest.approx(REQUEST_SECONDS)
    assert [account for account, _ in network.asked] == [b"s" * 32, b"e" * 32]


async def test_content_that_was_damaged_here_is_fetched_again(tmp_path: Path) -> None:
    peer = await holder(tmp_path)
    content, store, network = await node(tmp_path, peer)
    digest = await store.put(LARGE)
    for path in (tmp_path / "own").rglob("*"):
        if path.is_file():
            path.write_bytes(b"rot" + path.read_bytes()[3:])
    assert await content.fetch(digest, (), LIMIT) == LARGE
    assert network.asked, "it came from the peer"
    assert await store.get(digest) == LARGE


async def test_two_that_want_the_same_wait_for_one_pull(
    tmp_path: Path, nursery: trio.Nursery
) -> None:
    peer = await holder(tmp_path)
    content, _, network = await node(tmp_path, peer)
    async with trio.open_nursery() as both:
        for _ in range(2):
            both.start_soon(content.bring, content_digest(LARGE), (), LIMIT)
    assert [kind for _, kind in network.asked].count(CHUNK_KIND) == 3
    first = trio.CancelScope()

    async def bring(scope: trio.CancelScope) -> None:
        with scope:
            await content.bring(content_digest(SMALL), (), LIMIT)

    peer.serve(LIST_KIND, slow := _Slow())
    nursery.start_soon(bring, first)
    await slow.asked.wait()
    first.cancel()
    peer.serve(LIST_KIND, _listing(SMALL))
    peer.serve(CHUNK_KIND, _giving(SMALL))
    await content.bring(content_digest(SMALL), (), LIMIT)


async def test_an_output_is_brought_and_kept_for_its_job(tmp_path: Path) -> None:
    peer = await holder(tmp_path)
    content, store, network = await node(tmp_path, peer)
    for _ in range(2):
        await content.bring_output(b"j" * 32, content_digest(LARGE), (), LIMIT)
    assert list(store.outputs_of({b"j" * 32})) == [content_digest(LARGE)]
    assert [kind for _, kind in network.asked].count(LIST_KIND) == 1, "what is here stays here"
    shutil.rmtree(tmp_path / "own" / "outputs")
    with pytest.raises(ContentUnavailable, match="the disk refused"):
        await content.bring_output(b"i" * 32, content_digest(LARGE), (), LIMIT)


class _Slow:
    """Answers nothing, and tells when it was asked."""

    def __init__(self) -> None:
        self.asked = trio.Event()

    async def __call__(self, account: bytes, payload: bytes) -> bytes:
        self.asked.set()
        await trio.sleep_forever()
        raise AssertionError


def _listing(whole: bytes):  # type: ignore[no-untyped-def]  # a handler
    async def answer(account: bytes, payload: bytes) -> bytes:
        return ChunkList(len(whole), (content_digest(whole),)).encode()

    return answer


def _giving(whole: bytes):  # type: ignore[no-untyped-def]  # a handler
    async def answer(account: bytes, payload: bytes) -> bytes:
        return whole

    return answer


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xc1",
        b"\x81\x01\x02",
        msgpack.packb([bytes(32)]),
        msgpack.packb([bytes(32), -1]),
        msgpack.packb([bytes(32), 2**32]),
        msgpack.packb([bytes(32), 0, 10]),
        msgpack.packb([bytes(32), 0.5]),
        msgpack.packb([bytes(32), True]),
        msgpack.packb(["text", 0]),
        msgpack.packb([[], 0]),
        b"\x91" * 5_000,
    ],
)
async def test_a_malformed_question_is_refused(payload: bytes, tmp_path: Path) -> None:
    peer = await holder(tmp_path)
    with pytest.raises(RequestRefused, match="asked for as"):
        await peer.handlers[CHUNK_KIND](b"asker", payload)
    with pytest.raises(RequestRefused, match="not here"):
        await peer.handlers[LIST_KIND](b"asker", payload)


async def test_chunks_of_what_is_not_here_are_refused(tmp_path: Path) -> None:
    peer = await holder(tmp_path)
    with pytest.raises(RequestRefused, match="no artifact"):
        await peer.handlers[CHUNK_KIND](b"asker", msgpack.packb([bytes(32), 0]))
    wanted = msgpack.packb([content_digest(LARGE), 2**32 - 1])
    assert await peer.handlers[CHUNK_KIND](b"asker", wanted) == b""
