"""One artefact from several peers, of which some lie, are slow, fall silent or die."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest
import trio
import trio.testing
from structlog.testing import capture_logs

from p2pnode.content import ContentUnavailable
from p2pnode.network import PeerUnreachable, RequestRefused
from p2pnode.pulling import (
    ASKED_AT_ONCE,
    CHUNK_KIND,
    LIST_KIND,
    REFUSALS_MAX,
    REQUEST_SECONDS,
    SOURCES_MAX,
)
from p2pnode.storage import ArtifactStore, StorageFailed
from protocol.content import ChunkList
from protocol.encoding import CHUNK_BYTES, content_digest
from tests.p2pnode.builders_of_content import (
    LARGE,
    LIMIT,
    SMALL,
    Answer,
    Sender,
    list_of,
    made,
    node,
)
from tests.p2pnode.fake_ports import FakeNetwork

LONG = made(12.25, seed=2)
"""Thirteen chunks."""
NAME = content_digest(LONG)


Result = TypeVar("Result")


@pytest.fixture
def one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time that jumps when all wait would also jump while another thread works on the disk."""

    async def run_here(work: Callable[..., Result], *arguments: object) -> Result:
        await trio.lowlevel.checkpoint()
        return work(*arguments)

    monkeypatch.setattr(trio.to_thread, "run_sync", run_here)


def wrong(index: int, right: bytes) -> bytes:
    return bytes(len(right))


def short(index: int, right: bytes) -> bytes:
    return right[:-1]


def long(index: int, right: bytes) -> bytes:
    return right + b"x"


def empty(index: int, right: bytes) -> bytes:
    return b""


def another(index: int, right: bytes) -> bytes:
    return LONG[CHUNK_BYTES * (12 - index) :][:CHUNK_BYTES]


def silent(index: int, right: bytes) -> None:
    return None


async def test_chunks_come_from_all_peers_at_once(
    tmp_path: Path, one_thread: None, autojump_clock: trio.testing.MockClock
) -> None:
    senders = [Sender(b"%d" % one, LONG, seconds=1.0) for one in range(3)]
    content, store, _ = await node(tmp_path, *(one.network for one in senders))
    await content.bring(NAME, (), LIMIT)
    assert await store.get(NAME) == LONG
    sent = [index for one in senders for index in one.sent]
    assert sorted(sent) == list(range(13)), "each chunk was sent once"
    assert all(one.sent for one in senders)
    assert [one.open_most for one in senders] == [ASKED_AT_ONCE] * 3
    assert trio.current_time() < 13 / ASKED_AT_ONCE, "faster than any one of them"


@pytest.mark.parametrize("answer", [wrong, short, long, empty, another])
async def test_a_liar_is_dropped_after_one_round_and_the_others_finish(
    answer: Answer, tmp_path: Path
) -> None:
    liar, honest = Sender(b"liar", LONG, answer), Sender(b"honest", LONG)
    content, store, _ = await node(tmp_path, liar.network, honest.network)
    with capture_logs() as logs:
        await content.bring(NAME, (liar.network.account,), LIMIT)
    assert await store.get(NAME) == LONG
    assert 0 < len(liar.sent) <= ASKED_AT_ONCE, "it is asked for no more than was under way"
    assert len(set(honest.sent)) == 13
    dropped = [one["account"] for one in logs if one["event"] == "artefact_source_dropped"]
    assert set(dropped) == {liar.network.account.hex()}


@pytest.mark.parametrize("answer", [wrong, short, empty])
async def test_of_a_liar_alone_nothing_is_kept(answer: Answer, tmp_path: Path) -> None:
    for whole in (LONG, SMALL):
        liar = Sender(b"liar", whole, answer)
        content, store, _ = await node(tmp_path, liar.network)
        with pytest.raises(ContentUnavailable, match=r"another chunk|other content"):
            await content.bring(content_digest(whole), (), LIMIT)
        assert not store.has(content_digest(whole))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\xff" * 8,
        b"\xff" * 4_000,
        ChunkList(5, (content_digest(SMALL),)).encode(),
        list_of(LARGE).encode(),
        list_of(LONG).encode()[:-1],
        (len(LONG) + 1).to_bytes(8, "big") + list_of(LONG).encode()[8:],
    ],
    ids=["nothing", "huge", "nonsense", "small", "another", "cut", "size"],
)
async def test_a_lie_about_the_list_is_found_before_any_chunk(raw: bytes, tmp_path: Path) -> None:
    liar, honest = FakeNetwork(b"liar".ljust(32)), Sender(b"honest", LONG)

    async def lie(account: bytes, payload: bytes) -> bytes:
        return raw

    liar.serve(LIST_KIND, lie)
    content, store, network = await node(tmp_path, liar, honest.network)
    await content.bring(NAME, (liar.account,), LIMIT)
    assert store.has(NAME)
    assert (liar.account, LIST_KIND) in network.asked
    assert (liar.account, CHUNK_KIND) not in network.asked


async def test_a_false_size_of_small_content_harms_nobody(tmp_path: Path) -> None:
    liar, honest = Sender(b"liar", SMALL, empty), Sender(b"honest", SMALL)

    async def lie(account: bytes, payload: bytes) -> bytes:
        return ChunkList(5, (content_digest(SMALL),)).encode()

    liar.network.serve(LIST_KIND, lie)
    content, store, _ = await node(tmp_path, liar.network, honest.network)
    await content.bring(content_digest(SMALL), (liar.network.account,), LIMIT)
    assert await store.get(content_digest(SMALL)) == SMALL


async def test_a_peer_that_falls_silent_delays_the_end_by_seconds_only(
    tmp_path: Path, one_thread: None, autojump_clock: trio.testing.MockClock
) -> None:
    dumb, honest = Sender(b"dumb", LONG, silent), Sender(b"honest", LONG, seconds=0.1)
    content, store, _ = await node(tmp_path, dumb.network, honest.network)
    await content.bring(NAME, (dumb.network.account,), LIMIT)
    assert store.has(NAME)
    assert dumb.open_most == ASKED_AT_ONCE, "it was asked, and owes chunks"
    assert trio.current_time() < REQUEST_SECONDS / 2, "nobody waited for it"


async def test_a_slow_peer_is_asked_for_one_chunk_at_a_time(
    tmp_path: Path, one_thread: None, autojump_clock: trio.testing.MockClock
) -> None:
    slow = Sender(b"slow", LONG, seconds=6.0)
    content, store, _ = await node(tmp_path, slow.network)
    await content.bring(NAME, (), LIMIT)
    assert store.has(NAME)
    assert trio.current_time() == pytest.approx(6 * (1 + 13 - ASKED_AT_ONCE))


async def test_a_peer_that_dies_leaves_its_chunks_to_the_others(tmp_path: Path) -> None:
    def dies(index: int, right: bytes) -> bytes:
        if len(mortal.sent) >= 3:
            raise PeerUnreachable("the connection broke")
        return right

    mortal, other = Sender(b"mortal", LONG, dies), Sender(b"other", LONG)
    content, store, _ = await node(tmp_path, mortal.network, other.network)
    await content.bring(NAME, (mortal.network.account,), LIMIT)
    assert store.has(NAME)
    assert len(mortal.sent) == 3
    assert len(mortal.sent + other.sent) == 13, "what it sent is not fetched again"


async def test_after_a_restart_only_the_rest_is_fetched(tmp_path: Path) -> None:
    def dies(index: int, right: bytes) -> bytes:
        if len(mortal.sent) >= 5:
            raise PeerUnreachable("the connection broke")
        return right

    mortal, other = Sender(b"mortal", LONG, dies), Sender(b"other", LONG)
    content, _, _ = await node(tmp_path, mortal.network)
    with pytest.raises(ContentUnavailable, match="broke"):
        await content.bring(NAME, (), LIMIT)
    again, store, _ = await node(tmp_path, other.network)
    assert store.total_bytes == len(LONG), "its place is reserved"
    await again.bring(NAME, (), LIMIT)
    assert sorted(mortal.sent + other.sent) == list(range(13))
    assert await store.get(NAME) == LONG
    assert store.total_bytes == len(LONG)


async def test_a_busy_peer_is_asked_again(
    tmp_path: Path, one_thread: None, autojump_clock: trio.testing.MockClock
) -> None:
    refused: list[int] = []

    def busy(index: int, right: bytes) -> bytes:
        if len(refused) < REFUSALS_MAX:
            refused.append(index)
            raise RequestRefused("too many requests")
        return right

    sender = Sender(b"busy", LONG, busy)
    content, store, _ = await node(tmp_path, sender.network)
    await content.bring(NAME, (), LIMIT)
    assert (store.has(NAME), len(refused)) == (True, REFUSALS_MAX)

    def refusing(index: int, right: bytes) -> bytes:
        raise RequestRefused("I changed my mind")

    stubborn = Sender(b"stubborn", LARGE, refusing)
    content, store, _ = await node(tmp_path, stubborn.network)
    with pytest.raises(ContentUnavailable, match="changed my mind"):
        await content.bring(content_digest(LARGE), (), LIMIT)


async def test_no_more_peers_than_the_limit_are_asked_at_once(
    tmp_path: Path, one_thread: None, autojump_clock: trio.testing.MockClock
) -> None:
    whole = made(ASKED_AT_ONCE * SOURCES_MAX, seed=3)
    senders = [Sender(b"%d" % one, whole, seconds=1) for one in range(SOURCES_MAX + 3)]
    content, _, _ = await node(tmp_path, *(one.network for one in senders))
    await content.bring(content_digest(whole), (), LIMIT)
    assert sum(bool(one.open_most) for one in senders) == SOURCES_MAX


async def test_a_disk_that_refuses_ends_the_pull_and_blames_no_peer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object) -> bool:
        raise StorageFailed("[Errno 28] No space left on device")

    sender = Sender(b"honest", LONG)
    content, store, _ = await node(tmp_path, sender.network)
    monkeypatch.setattr("p2pnode.storage.artifact_download._write", refuse)
    with capture_logs() as logs, pytest.raises(ContentUnavailable, match="free some space"):
        await content.bring(NAME, (), LIMIT)
    assert isinstance(store, ArtifactStore)
    assert not store.has(NAME)
    assert logs == []
