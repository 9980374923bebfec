"""A history of some epochs, and peers that have it, in memory; any of them can be made to lie."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest
from msgspec.structs import replace

from p2pnode.arrival.asking import Asking
from p2pnode.arrival.company import Company
from p2pnode.arrival.pages import SNAPSHOT_BYTES_MAX, Shelf
from p2pnode.arrival.serving import Serving
from p2pnode.arrival.wire import NO_EPOCH, Standing
from p2pnode.storage import PageShelf, layout
from protocol import snapshot
from protocol.ledger.certificate import Boundary
from protocol.ledger.certified import (
    boundary_of,
    certificate_of,
    encode_certificate,
    open_certificate,
)
from protocol.messages import Genesis, Registration, StakeDeposit, network_of
from protocol.units import Epoch
from tests.p2pnode.fake_ports import FakeNetwork
from tests.support.builders import STAKE, vrf_key
from tests.support.town import Town

PAGE_BYTES = 200
"""So that a small state has several pages."""
ENDS = 6


@dataclass
class History:
    """What a node that lived through some epochs has of their ends."""

    genesis: Genesis
    certificates: list[bytes] = field(default_factory=list)
    boundaries: list[Boundary] = field(default_factory=list)
    pages: list[tuple[bytes, ...]] = field(default_factory=list)


@cache
def history(ends: int = ENDS, *, forked: bool = False) -> History:
    """Lives through epochs of one commit; a fork differs in what the last of them ordered."""
    town = Town()
    lived = History(town.genesis)
    town.commit((9, StakeDeposit(STAKE)), (9, Registration(vrf_key(9))))
    for end in range(ends):
        if forked and end == ends - 1:
            town.commit()
        town.close(0, 1, 2)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(snapshot, "PAGE_BYTES", PAGE_BYTES)
            lived.pages.append(tuple(town.state.encode_pages()))
        town.commit(*[(number, town.attestation(number)) for number in (0, 1, 2)])
        closed = town.state.epochs.closed[-1]
        lived.boundaries.append(closed.boundary)
        members = town.state.committee.members
        lived.certificates.append(encode_certificate(certificate_of(closed, members)))
    return lived


def without_quorum(raw: bytes) -> bytes:
    """The same certificate with one signature less."""
    certificate = open_certificate(raw)
    return encode_certificate(replace(certificate, signatures=certificate.signatures[1:]))


@dataclass
class MemoryShelf:
    """Pages that outlive an arrival, in memory."""

    pages: dict[bytes, bytes] = field(default_factory=dict)
    put_here: int = 0

    async def keep_only(self, digests: Collection[bytes]) -> None:
        self.pages = {digest: raw for digest, raw in self.pages.items() if digest in digests}

    async def page(self, digest: bytes) -> bytes | None:
        return self.pages.get(digest)

    async def put(self, digest: bytes, raw: bytes) -> None:
        self.put_here += 1
        self.pages[digest] = raw


def shelf_in(folder: Path) -> PageShelf:
    """The shelf of a node, as a start makes it."""
    return PageShelf(layout(folder).arriving, SNAPSHOT_BYTES_MAX)


@dataclass
class MemoryStore:
    """What a node keeps, with the interface that arrival and serving ask of it."""

    genesis: Genesis
    kept: dict[int, bytes] = field(default_factory=dict)
    snapshots: dict[int, tuple[bytes, ...]] = field(default_factory=dict)
    installed: list[Boundary] = field(default_factory=list)
    first_blocks: int = 0
    shelf: Shelf = field(default_factory=MemoryShelf)

    async def standing(self) -> Standing:
        first, newest = min(self.kept, default=NO_EPOCH), max(self.kept, default=NO_EPOCH)
        return Standing(first, newest, self.first_blocks, tuple(sorted(self.snapshots)))

    async def certificates(self, first: int, count: int) -> Sequence[bytes]:
        found = []
        while first + len(found) in self.kept and len(found) < count:
            found.append(self.kept[first + len(found)])
        return found

    async def page_count(self, epoch: int) -> int:
        return len(self.snapshots.get(epoch, ()))

    async def page(self, epoch: int, number: int) -> bytes | None:
        pages = self.snapshots.get(epoch, ())
        return pages[number] if number < len(pages) else None

    async def keep_certificates(self, first: Epoch, raws: Sequence[bytes]) -> None:
        for number, raw in enumerate(raws):
            self.kept.setdefault(first + number, raw)

    async def install(self, boundary: Boundary, pages: Sequence[bytes]) -> None:
        certificate = open_certificate(self.kept[boundary.epoch])
        assert boundary_of(certificate, network_of(self.genesis)) == boundary
        self.snapshots[boundary.epoch] = tuple(pages)
        self.installed.append(boundary)


def store_of(lived: History, *snapshots: int, first: int = 0) -> MemoryStore:
    """The store of a node with all certificates from one on, and the snapshots of some ends."""
    kept = {epoch: raw for epoch, raw in enumerate(lived.certificates) if epoch >= first}
    return MemoryStore(lived.genesis, kept, {one: lived.pages[one] for one in snapshots})


def peer(name: str, store: MemoryStore) -> FakeNetwork:
    """A peer that serves what its store has."""
    network = FakeNetwork(name.encode().ljust(32, b"."))
    Serving(store, network.port)
    return network


def company_of(*peers: FakeNetwork, epochs_max: int = 1_000) -> tuple[Company, FakeNetwork]:
    """Whom a newcomer asks, and the newcomer's own network."""
    own = FakeNetwork(b"newcomer".ljust(32, b"."))
    own.knows(*peers)
    accounts = [one.account for one in peers]
    return Company(Asking(own.port), lambda: accounts, epochs_max), own


@dataclass
class Shown:
    """Remembers what it was told of the progress."""

    epochs: list[tuple[int, int]] = field(default_factory=list)
    fetched: list[tuple[int, int, int]] = field(default_factory=list)

    def chain(self, epoch: int, newest: int) -> None:
        self.epochs.append((epoch, newest))

    def pages(self, epoch: int, done: int, total: int) -> None:
        self.fetched.append((epoch, done, total))
