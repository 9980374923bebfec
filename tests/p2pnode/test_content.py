"""Content between stores, with peers that lack it, lie about it, or are slow."""

from pathlib import Path

import msgpack
import pytest
import trio
import trio.testing

from p2pnode.content import PAGE_KIND, REQUEST_SECONDS, SIZE_KIND, Content, ContentUnavailable
from p2pnode.network import RequestRefused
from p2pnode.storage import PAGE_BYTES, ArtifactStore, artifact_digest, open_artifacts
from tests.p2pnode.fake_ports import FakeNetwork

LIMIT = 10 * PAGE_BYTES
LARGE = bytes(range(256)) * (PAGE_BYTES // 100)
"""More than two pages."""


async def node(
    folder: Path, *peers: FakeNetwork, name: bytes = b"own", total: int = LIMIT
) -> tuple[Content, ArtifactStore, FakeNetwork]:
    network = FakeNetwork(name.ljust(32, b"."))
    network.knows(*peers)
    store = await open_artifacts(folder / name.decode(), LIMIT, total)
    accounts = [peer.account for peer in peers]
    return Content(store, network.port, lambda: accounts), store, network


async def holder(folder: Path, content: bytes = LARGE, name: bytes = b"holder") -> FakeNetwork:
    _, store, network = await node(folder, name=name)
    await store.put(content)
    return network


def liar(name: bytes, size: bytes, page: bytes) -> FakeNetwork:
    """A peer with fixed answers to whatever it is asked."""
    network = FakeNetwork(name.ljust(32, b"."))

    async def answer_size(account: bytes, payload: bytes) -> bytes:
        return size

    async def answer_page(account: bytes, payload: bytes) -> bytes:
        return page

    network.handlers = {SIZE_KIND: answer_size, PAGE_KIND: answer_page}
    return network


def length(content: bytes) -> bytes:
    return len(content).to_bytes(8, "big")


async def test_content_comes_page_by_page_and_stays(tmp_path: Path) -> None:
    peer = await holder(tmp_path)
    content, store, network = await node(tmp_path, peer)
    assert await content.fetch(artifact_digest(LARGE), (), LIMIT) == LARGE
    assert [kind for _, kind in network.asked] == [SIZE_KIND, *[PAGE_KIND] * 3]
    assert store.has(artifact_digest(LARGE))
    assert await content.fetch(artifact_digest(LARGE), (), LIMIT) == LARGE
    assert len(network.asked) == 4, "what is here is asked of nobody"


async def test_holders_are_asked_before_neighbours_and_nobody_twice(tmp_path: Path) -> None:
    first, second = FakeNetwork(b"1" * 32), await holder(tmp_path)
    content, _, network = await node(tmp_path, first, second)
    holders = (b"gone" * 8, first.account, first.account)
    await content.fetch(artifact_digest(LARGE), holders, LIMIT)
    asked = [account for account, kind in network.asked if kind == SIZE_KIND]
    assert asked == [b"gone" * 8, first.account, second.account]


async def test_what_nobody_has_is_unavailable_and_says_why(tmp_path: Path) -> None:
    content, _, _ = await node(tmp_path)
    with pytest.raises(ContentUnavailable, match="no peer to ask"):
        await content.fetch(bytes(32), (), LIMIT)
    peer = await holder(tmp_path)
    asking, _, _ = await node(tmp_path, peer)
    with pytest.raises(ContentUnavailable, match="this content is not here"):
        await asking.fetch(bytes(32), (), LIMIT)


@pytest.mark.parametrize(
    ("size", "page"),
    [
        (length(LARGE), b"short"),
        (length(LARGE), b""),
        (length(LARGE), LARGE),
        (length(b"12345"), b"wrong"),
        (b"", b""),
        (length(b""), b""),
        (b"\xff" * 8, b""),
        (b"\xff" * 4_000, b""),
    ],
    ids=["short", "empty", "long", "wrong", "no size", "no content", "huge", "nonsense"],
)
async def test_a_liar_harms_nobody_and_the_next_peer_is_asked(
    size: bytes, page: bytes, tmp_path: Path
) -> None:
    bad, good = liar(b"liar", size, page), await holder(tmp_path)
    content, store, network = await node(tmp_path, bad, good)
    assert await content.fetch(artifact_digest(LARGE), (bad.account,), LIMIT) == LARGE
    assert network.asked[0] == (bad.account, SIZE_KIND), "the liar was asked"
    alone, store, _ = await node(tmp_path, bad, name=b"alone")
    with pytest.raises(ContentUnavailable, match="nobody sent"):
        await alone.fetch(artifact_digest(LARGE), (), LIMIT)
    assert store.total_bytes == 0, "and nothing of the lie is kept"


async def test_content_above_the_limit_is_not_fetched(tmp_path: Path) -> None:
    peer = await holder(tmp_path)
    content, _, network = await node(tmp_path, peer)
    with pytest.raises(ContentUnavailable, match=f"above the limit of {len(LARGE) - 1}"):
        await content.fetch(artifact_digest(LARGE), (), len(LARGE) - 1)
    assert PAGE_KIND not in [kind for _, kind in network.asked]


async def test_content_that_does_not_fit_here_is_unavailable(tmp_path: Path) -> None:
    peer = await holder(tmp_path)
    content, _, _ = await node(tmp_path, peer, total=PAGE_BYTES)
    with pytest.raises(ContentUnavailable, match="exceeds"):
        await content.fetch(artifact_digest(LARGE), (), LIMIT)


async def test_a_silent_peer_is_left_for_the_next(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    silent = FakeNetwork(b"s" * 32)

    async def never(account: bytes, payload: bytes) -> bytes:
        await trio.sleep_forever()
        raise AssertionError

    silent.serve(SIZE_KIND, never)
    content, _, network = await node(tmp_path, silent, FakeNetwork(b"e" * 32))
    begun = trio.current_time()
    with pytest.raises(ContentUnavailable, match="no answer"):
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


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xc1",
        b"\x81\x01\x02",
        msgpack.packb([bytes(32)]),
        msgpack.packb([bytes(32), -1, 10]),
        msgpack.packb([bytes(32), 0, 0]),
        msgpack.packb([bytes(32), 0, PAGE_BYTES + 1]),
        msgpack.packb([bytes(32), 0.5, 10]),
        msgpack.packb([bytes(32), 0, True]),
        msgpack.packb(["text", 0, 10]),
        msgpack.packb([[], 0, 10]),
        b"\x91" * 5_000,
    ],
)
async def test_a_malformed_question_is_refused(payload: bytes, tmp_path: Path) -> None:
    peer = await holder(tmp_path)
    with pytest.raises(RequestRefused, match="asked for as"):
        await peer.handlers[PAGE_KIND](b"asker", payload)
    with pytest.raises(RequestRefused, match="not here"):
        await peer.handlers[SIZE_KIND](b"asker", payload)


async def test_pages_of_what_is_not_here_are_refused(tmp_path: Path) -> None:
    peer = await holder(tmp_path)
    with pytest.raises(RequestRefused, match="no artifact"):
        await peer.handlers[PAGE_KIND](b"asker", msgpack.packb([bytes(32), 0, 10]))
