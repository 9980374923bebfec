"""What a node answers newcomers, and that no question makes it read or send without bound."""

from collections.abc import Sequence
from dataclasses import dataclass

import pytest
import trio
import trio.testing

from p2pnode.arrival import wire
from p2pnode.arrival.serving import ASKED_AT_ONCE_MAX, SERVED_AT_ONCE, Serving
from p2pnode.arrival.wire import Standing
from p2pnode.network import RequestRefused
from p2pnode.storage import StorageError
from protocol.encoding import content_digest, encode
from protocol.ledger.certified import CERTIFICATE_BYTES_MAX
from tests.p2pnode.arrival.builders import ENDS, MemoryStore, history, peer, store_of
from tests.p2pnode.fake_ports import FakeNetwork

ASKER = b"a" * 32
LAST = ENDS - 1


async def ask(network: FakeNetwork, kind: str, question: object = b"") -> bytes:
    payload = question if isinstance(question, bytes) else encode(question)
    return await network.handlers[kind](ASKER, payload)


async def test_a_node_says_what_it_has() -> None:
    network = peer("one", store_of(history(), LAST - 1, LAST, first=2))
    told = wire.open_standing(await ask(network, wire.STANDING_KIND))
    assert told == Standing(2, LAST, 0, (LAST - 1, LAST))
    empty = peer("two", MemoryStore(history().genesis))
    told = wire.open_standing(await ask(empty, wire.STANDING_KIND))
    assert told == Standing(wire.NO_EPOCH, wire.NO_EPOCH, 0, ())


async def test_certificates_come_up_to_the_count_that_was_asked_for() -> None:
    network = peer("one", store_of(history()))
    for first, count, found in ((0, 2, 2), (4, 9, 2), (5, 1, 1)):
        raw = await ask(network, wire.CERTIFICATES_KIND, wire.CertificatesQuestion(first, count))
        assert wire.open_certificates(raw).raws == tuple(
            history().certificates[first : first + found]
        )


async def test_an_answer_with_certificates_is_bounded_in_bytes() -> None:
    large = bytes(CERTIFICATE_BYTES_MAX)
    store = MemoryStore(history().genesis, dict.fromkeys(range(wire.CERTIFICATES_MAX), large))
    question = wire.CertificatesQuestion(0, wire.CERTIFICATES_MAX)
    raw = await ask(peer("one", store), wire.CERTIFICATES_KIND, question)
    assert len(raw) <= wire.CERTIFICATES_BYTES + 2_000
    assert len(wire.open_certificates(raw).raws) == wire.CERTIFICATES_BYTES // len(large)


async def test_a_snapshot_is_served_by_its_list_and_its_pages() -> None:
    pages = history().pages[LAST]
    network = peer("one", store_of(history(), LAST))
    raw = await ask(network, wire.PAGE_LIST_KIND, wire.PageListQuestion(LAST))
    assert wire.open_page_list(raw).digests == tuple(content_digest(one) for one in pages)
    for number, page in enumerate(pages):
        assert await ask(network, wire.PAGE_KIND, wire.PageQuestion(LAST, number)) == page


@pytest.mark.parametrize(
    ("kind", "question", "words"),
    [
        (wire.CERTIFICATES_KIND, wire.CertificatesQuestion(ENDS, 1), "is not here"),
        (wire.CERTIFICATES_KIND, b"", "no CertificatesQuestion"),
        (wire.CERTIFICATES_KIND, bytes(wire.QUESTION_BYTES_MAX + 1), "larger than its limit"),
        (wire.CERTIFICATES_KIND, encode([0, wire.CERTIFICATES_MAX + 1]), "no Certificates"),
        (wire.CERTIFICATES_KIND, encode([-1, 1]), "no CertificatesQuestion"),
        (wire.PAGE_LIST_KIND, wire.PageListQuestion(1), "no snapshot of epoch 1"),
        (wire.PAGE_LIST_KIND, b"\x91\xa1x", "no PageListQuestion"),
        (wire.PAGE_KIND, wire.PageQuestion(LAST, 5_000), "no such page"),
        (wire.PAGE_KIND, wire.PageQuestion(1, 0), "no such page"),
        (wire.PAGE_KIND, encode([LAST, wire.PAGES_MAX]), "no PageQuestion"),
    ],
)
async def test_what_is_not_here_or_no_question_is_refused_in_words(
    kind: str, question: object, words: str
) -> None:
    network = peer("one", store_of(history(), LAST))
    with pytest.raises(RequestRefused, match=words):
        await ask(network, kind, question)


@dataclass
class CountingStore(MemoryStore):
    """Counts what is read, and how much of it at once."""

    reads: int = 0
    running: int = 0
    most: int = 0

    async def page(self, epoch: int, number: int) -> bytes | None:
        self.reads += 1
        self.running += 1
        self.most = max(self.most, self.running)
        await trio.testing.wait_all_tasks_blocked()
        self.running -= 1
        return await super().page(epoch, number)


async def test_a_list_is_made_once_and_few_pages_are_read_at_a_time() -> None:
    store = CountingStore(history().genesis, {}, {LAST: history().pages[LAST]})
    network = peer("one", store)
    pages = len(history().pages[LAST])
    async with trio.open_nursery() as nursery:
        for peer_number in range(5):
            question = encode(wire.PageListQuestion(LAST))
            asker = bytes([peer_number]) * 32
            nursery.start_soon(network.handlers[wire.PAGE_LIST_KIND], asker, question)
    assert store.reads == pages
    async with trio.open_nursery() as nursery:
        for number in range(pages):
            question = encode(wire.PageQuestion(LAST, number))
            nursery.start_soon(network.handlers[wire.PAGE_KIND], bytes([number]) * 32, question)
    assert store.reads == 2 * pages
    assert store.most == SERVED_AT_ONCE < pages


async def test_one_peer_alone_gets_a_few_answers_at_a_time() -> None:
    store = CountingStore(history().genesis, {}, {LAST: history().pages[LAST]})
    network = peer("one", store)
    refusals: list[str] = []

    async def ask_for(number: int) -> None:
        try:
            await ask(network, wire.PAGE_KIND, wire.PageQuestion(LAST, number))
        except RequestRefused as refusal:
            refusals.append(str(refusal))

    async with trio.open_nursery() as nursery:
        for number in range(ASKED_AT_ONCE_MAX + 2):
            nursery.start_soon(ask_for, number)
    assert refusals == ["ask for less at once"] * 2
    assert store.reads == ASKED_AT_ONCE_MAX
    await ask_for(0)
    assert len(refusals) == 2, "it may go on when it has its answers"


@dataclass
class BrokenStore(MemoryStore):
    """A store whose disk refuses."""

    async def certificates(self, first: int, count: int) -> Sequence[bytes]:
        raise StorageError("a detail of this machine")


async def test_a_store_that_cannot_be_read_is_no_matter_for_strangers() -> None:
    network = FakeNetwork()
    Serving(BrokenStore(history().genesis), network.port)
    with pytest.raises(RequestRefused, match=r"^this node cannot read its store$"):
        await ask(network, wire.CERTIFICATES_KIND, wire.CertificatesQuestion(0, 1))
