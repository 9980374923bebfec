"""Finding peers and keeping them: exchange of addresses, dials with back-off, the book on disk."""

import random
import time
from dataclasses import dataclass
from pathlib import Path

import trio
from libp2p.network.swarm import Swarm
from libp2p.peer.id import ID
from multiaddr import Multiaddr

from p2pnode.network import limits
from p2pnode.network.addresses import DialAddress, parse_address, peer_id_of, prefix_of
from p2pnode.network.book import AddressBook, Entry, write_whole
from p2pnode.network.counters import Counters
from p2pnode.network.errors import (
    BadAddress,
    NetworkError,
    PeerUnreachable,
    RequestRefused,
)
from p2pnode.network.framing import STREAM_FAILURES
from p2pnode.network.link import Link
from p2pnode.network.link_filter import LinkShaper
from p2pnode.network.links import Links
from p2pnode.network.records import decode_records, encode_records, sign_record
from p2pnode.network.requests import Requests

EXCHANGE_KIND = "addresses"

_TICK_SECONDS = 0.25
_DIALS_AT_ONCE = 4
_SHORT_LINK_SECONDS = 10.0
_EXCHANGE_TIMEOUT_SECONDS = 5.0
_EXCHANGE_RETRY_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class DiscoveryParts:
    """What discovery works with."""

    swarm: Swarm
    links: Links
    requests: Requests
    shaper: LinkShaper
    counters: Counters
    nursery: trio.Nursery
    seed: bytes
    own: bytes
    transports: tuple[str, ...]
    """Where this node tells others to dial it."""
    target_links: int
    book_path: Path | None


class Discovery:
    """Owns the address book and every dial."""

    def __init__(self, parts: DiscoveryParts, bootstrap: tuple[DialAddress, ...]) -> None:
        self._parts = parts
        self.book = AddressBook(parts.own, parts.counters)
        self._record = sign_record(parts.seed, parts.transports, int(time.time() * 1000))
        self._dialling: set[bytes] = set()
        self._next_save = 0.0
        self._next_exploration = 0.0
        if parts.book_path is not None:
            self.book.load(parts.book_path)
        for address in bootstrap:
            if address.account != parts.own:
                self.book.give(address)
        parts.requests.serve(EXCHANGE_KIND, self._answer_exchange)
        parts.links.on_end = self._lost
        parts.links.on_join = self._joined

    async def run(self) -> None:
        """Dial, exchange and save for as long as the network is open."""
        self._next_exploration = trio.current_time() + limits.EXPLORE_SECONDS
        while True:
            now = trio.current_time()
            self._start_dials(now)
            self._start_exchanges(now)
            if self.book.changed and now >= self._next_save:
                self._next_save = now + limits.SAVE_SECONDS
                await self.save()
            await trio.sleep(_TICK_SECONDS)

    def own_addresses(self) -> tuple[str, ...]:
        """Where others can dial this node, as it tells them."""
        return tuple(f"{text}/p2p/{peer_id_of(self._parts.own)}" for text in self._parts.transports)

    async def save(self) -> None:
        """Write the book, where there is a place for it."""
        path = self._parts.book_path
        if path is None:
            return
        try:
            await trio.to_thread.run_sync(write_whole, path, self.book.text())
        except OSError:
            self._parts.counters.add("book_unwritable")

    async def connect(self, text: str) -> bytes:
        """Dial one address now; see `Network.connect`."""
        address = parse_address(text)
        if address.account == self._parts.own:
            raise BadAddress("this is the node's own address")
        entry = self.book.give(address)
        await self._reach(entry, (address.transport,))
        return address.account

    async def reach(self, account: bytes) -> None:
        """Connect to an account by what the book knows.

        Raises:
            PeerUnreachable: No address is known, or none works.
        """
        if self._parts.links.get(account) is not None:
            return
        entry = self.book.get(account)
        if entry is None or not entry.transports():
            raise PeerUnreachable("no address of this peer is known")
        await self._reach(entry, entry.transports())

    async def _reach(self, entry: Entry, transports: tuple[str, ...]) -> None:
        if self._parts.shaper.is_cut(entry.account):
            raise PeerUnreachable("the link to this peer is cut")
        while entry.account in self._dialling:  # noqa: ASYNC110
            await trio.sleep(0.02)
        if self._parts.links.get(entry.account) is not None:
            return
        self._dialling.add(entry.account)
        try:
            await self._dial(entry, transports)
        except PeerUnreachable:
            entry.failed(trio.current_time())
            raise
        finally:
            self._dialling.discard(entry.account)

    async def _dial(self, entry: Entry, transports: tuple[str, ...]) -> None:
        self._parts.counters.add("dials")
        peer_id = ID.from_string(peer_id_of(entry.account))
        reason = "no address"
        for transport in transports:
            try:
                with trio.fail_after(limits.DIAL_SECONDS):
                    await self._parts.swarm.dial_addr(Multiaddr(transport), peer_id)
            except STREAM_FAILURES as error:
                self._parts.counters.add("dials_failed")
                reason = f"{transport}: {type(error).__name__} {error}"
                continue
            return
        raise PeerUnreachable(f"cannot reach {peer_id} ({reason})")

    async def _try(self, entry: Entry) -> None:
        try:
            await self._reach(entry, entry.transports())
        except PeerUnreachable:
            return

    def _start_dials(self, now: float) -> None:
        slots = _DIALS_AT_ONCE - len(self._dialling)
        for entry in self._choose(now)[: max(0, slots)]:
            self._parts.nursery.start_soon(self._try, entry)

    def _choose(self, now: float) -> list[Entry]:
        """Whom to dial now: lost neighbours while there is room, others up to the target."""
        links, room = self._parts.links.all(), self._parts.links.room()
        if room <= 0:
            return []
        due = [entry for entry in self.book.entries() if self._is_due(entry, now)]
        missing = self._parts.target_links - sum(not link.surplus for link in links)
        lost = [entry for entry in due if entry.wanted]
        others = [entry for entry in due if not entry.wanted]
        taken = [prefix_of(text) for link in links if (text := _known_transport(self.book, link))]
        random.shuffle(others)
        others.sort(key=lambda entry: (entry.failures, _crowding(entry, taken)))
        if missing <= 0 and now >= self._next_exploration:
            self._next_exploration = now + limits.EXPLORE_SECONDS * _spread(0.5)
            missing = 1 if room > 2 else 0
        return (lost + others[: max(0, missing)])[:room]

    def _is_due(self, entry: Entry, now: float) -> bool:
        if entry.account in self._dialling or now < entry.not_before:
            return False
        if self._parts.links.get(entry.account) is not None or not entry.transports():
            return False
        if self._parts.shaper.is_cut(entry.account):
            entry.failed(now)
            return False
        return True

    def _start_exchanges(self, now: float) -> None:
        for link in self._parts.links.all():
            if now >= link.next_exchange:
                link.next_exchange = now + limits.EXCHANGE_SECONDS * _spread(0.1)
                self._parts.nursery.start_soon(self._exchange, link)

    async def _exchange(self, link: Link) -> None:
        try:
            answer = await self._parts.requests.ask(
                link.account, EXCHANGE_KIND, self._told(), _EXCHANGE_TIMEOUT_SECONDS
            )
            self._learn(answer, link.account)
        except NetworkError:
            self._parts.counters.add("exchanges_failed")
            link.next_exchange = trio.current_time() + _EXCHANGE_RETRY_SECONDS

    async def _answer_exchange(self, account: bytes, payload: bytes) -> bytes:
        try:
            self._learn(payload, account)
        except BadAddress as error:
            self._parts.links.reject(account, "addresses")
            raise RequestRefused(str(error)) from error
        return self._told()

    def _told(self) -> bytes:
        return encode_records([self._record, *self.book.sample()])

    def _learn(self, data: bytes, source: bytes) -> None:
        before = self.book.accounts_learned
        for record in decode_records(data):
            if not self.book.learn(record, source):
                self._parts.links.reject(source, "addresses")
                return
        if self.book.accounts_learned > before:
            self._spread_soon()

    def _joined(self, link: Link) -> None:
        # One peer that came back is a sign that the network did: dial the other lost ones at once.
        returned = self.book.get(link.account)
        if returned is not None and returned.wanted:
            for entry in self.book.entries():
                if entry.wanted:
                    entry.reset()

    def _spread_soon(self) -> None:
        # A newcomer's record reaches the whole network in some seconds instead of minutes.
        soon = trio.current_time() + random.uniform(0.3, 1.5)  # noqa: S311
        for link in self._parts.links.all():
            link.next_exchange = min(link.next_exchange, soon)

    def _lost(self, link: Link) -> None:
        entry = self.book.get(link.account)
        if entry is None:
            return
        now = trio.current_time()
        if link.shunned:
            entry.shunned(now)
            return
        entry.wanted = entry.wanted or link.joined
        if link.joined and now - link.since > _SHORT_LINK_SECONDS:
            entry.reset()
        entry.failed(now)


def _known_transport(book: AddressBook, link: Link) -> str | None:
    entry = book.get(link.account)
    transports = entry.transports() if entry else ()
    return transports[0] if transports else None


def _crowding(entry: Entry, taken: list[str]) -> int:
    return taken.count(prefix_of(entry.transports()[0]))


def _spread(share: float) -> float:
    """A factor near 1, so that nodes that started together do not act together."""
    return random.uniform(1 - share, 1 + share)  # noqa: S311  spreads load, keeps no secret
