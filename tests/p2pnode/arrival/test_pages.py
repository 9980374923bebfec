"""Pages that came outlive their arrival: the next start fetches the rest."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import pytest
import structlog

from p2pnode.arrival import wire
from p2pnode.arrival.arrival import Way, arrive
from p2pnode.network import RequestRefused
from p2pnode.storage import StorageFailed
from protocol.encoding import content_digest
from protocol.ledger.certificate import Boundary
from tests.p2pnode.arrival.builders import (
    ENDS,
    MemoryShelf,
    MemoryStore,
    Shown,
    company_of,
    history,
    peer,
    store_of,
)
from tests.p2pnode.fake_ports import FakeNetwork

LAST = ENDS - 1
WAY = Way(history().genesis, None)
PAGES = history().pages[LAST]


def asked_pages(network: FakeNetwork) -> int:
    return [kind for _, kind in network.asked].count(wire.PAGE_KIND)


def fading(answers: int) -> FakeNetwork:
    """A peer that has the last snapshot and gives some of its pages."""
    network, left = peer("one", store_of(history(), LAST)), [answers]
    whole = network.handlers[wire.PAGE_KIND]

    async def answer(account: bytes, payload: bytes) -> bytes:
        left[0] -= 1
        if left[0] < 0:
            raise RequestRefused("no more")
        return await whole(account, payload)

    network.handlers[wire.PAGE_KIND] = answer
    return network


async def test_a_restart_fetches_only_what_is_missing_and_leaves_nothing_behind() -> None:
    shelf = MemoryShelf()
    store = MemoryStore(history().genesis, shelf=shelf)
    assert await arrive(WAY, store, company_of(fading(3))[0], Shown()) is None
    assert len(shelf.pages) == 3
    shown = Shown()
    company, own = company_of(peer("one", store_of(history(), LAST)))
    with structlog.testing.capture_logs() as logs:
        assert await arrive(WAY, store, company, shown) == LAST
    assert store.snapshots[LAST] == PAGES
    assert asked_pages(own) == len(PAGES) - 3
    here = [one for one in logs if one["event"] == "pages_here_already"]
    assert [(one["pages"], one["of"]) for one in here] == [(3, len(PAGES))]
    assert shelf.pages == {}


@dataclass
class SmallStore(MemoryStore):
    """Has no room for the state while pages of it lie on the shelf."""

    shelf: MemoryShelf = field(default_factory=MemoryShelf)

    async def install(self, boundary: Boundary, pages: Sequence[bytes]) -> None:
        if self.shelf.pages:
            raise StorageFailed("no space left on device")
        await super().install(boundary, pages)


async def test_a_disk_has_to_hold_the_pages_or_the_state_and_never_both() -> None:
    store = SmallStore(history().genesis)
    assert await arrive(WAY, store, company_of(fading(3))[0], Shown()) is None
    assert len(store.shelf.pages) == 3
    company, _ = company_of(peer("one", store_of(history(), LAST)))
    assert await arrive(WAY, store, company, Shown()) == LAST
    assert store.snapshots[LAST] == PAGES


async def test_a_shelf_that_is_full_gives_its_space_back() -> None:
    class FullShelf(MemoryShelf):
        async def put(self, digest: bytes, raw: bytes) -> None:
            if self.put_here == 2:
                raise StorageFailed("no space left on device")
            await super().put(digest, raw)

    shelf = FullShelf()
    store = MemoryStore(history().genesis, shelf=shelf)
    with structlog.testing.capture_logs() as logs:
        assert await arrive(WAY, store, company_of(fading(4))[0], Shown()) is None
    assert [one["event"] for one in logs].count("pages_not_kept") == 1
    assert (shelf.put_here, shelf.pages) == (2, {})


async def test_pages_of_another_snapshot_go_and_equal_ones_are_used() -> None:
    shelf = MemoryShelf()
    store = MemoryStore(history().genesis, shelf=shelf)
    older = history().pages[LAST - 1]
    shelf.pages = {content_digest(page): page for page in (*older, b"of nobody")}
    company, own = company_of(fading(0))
    assert await arrive(WAY, store, company, Shown()) is None
    equal = {content_digest(page) for page in set(older) & set(PAGES)}
    assert set(shelf.pages) == equal
    company, own = company_of(peer("one", store_of(history(), LAST)))
    assert await arrive(WAY, store, company, Shown()) == LAST
    assert asked_pages(own) == len(PAGES) - len(equal)


async def test_pages_that_lead_to_another_root_are_not_used_again() -> None:
    forged = store_of(history(), LAST)
    last = PAGES[-1]
    forged.snapshots[LAST] = (*PAGES[:-1], last[:-1] + bytes((last[-1] ^ 1,)))
    shelf = MemoryShelf()
    store = MemoryStore(history().genesis, shelf=shelf)
    assert await arrive(WAY, store, company_of(peer("liar", forged))[0], Shown()) is None
    assert shelf.put_here == len(PAGES)
    assert shelf.pages == {}


@dataclass
class RefusingShelf:
    """A shelf on a disk that takes nothing, or does not even answer."""

    is_dead: bool
    tries: int = 0

    async def keep_only(self, digests: Collection[bytes]) -> None:
        if self.is_dead:
            raise StorageFailed("input/output error")

    async def page(self, digest: bytes) -> bytes | None:
        return None

    async def put(self, digest: bytes, raw: bytes) -> None:
        self.tries += 1
        raise StorageFailed("no space left on device")


@pytest.mark.parametrize(("is_dead", "tries"), [(False, 1), (True, 0)])
async def test_a_disk_that_refuses_costs_the_pages_and_not_the_arrival(
    is_dead: bool, tries: int
) -> None:
    shelf = RefusingShelf(is_dead)
    store = MemoryStore(history().genesis, shelf=shelf)
    company, _ = company_of(peer("one", store_of(history(), LAST)))
    with structlog.testing.capture_logs() as logs:
        assert await arrive(WAY, store, company, Shown()) == LAST
    assert [one["event"] for one in logs].count("pages_not_kept") == 1
    assert shelf.tries == tries
