"""Fetches the pages of one snapshot from several peers at once.

Each page is compared with its digest in the list when it comes. Whether the list itself is that of
the certified state shows when all pages are here: those who gave a wrong list lied together.

What came lies on a shelf until then, so that a node that is stopped meanwhile fetches only the rest
after its restart. A page from there is compared with its digest like one from a peer. When all are
here the shelf is emptied before the state is written: a small disk has no room for both.
"""

from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import structlog
import trio

from p2pnode.arrival.asking import PeerLied
from p2pnode.arrival.company import Company
from p2pnode.arrival.progress import Progress
from p2pnode.network import NetworkError, RequestRefused
from p2pnode.storage import StorageError
from protocol.errors import Rejected
from protocol.snapshot import decode_pages
from protocol.tree.tree import Tree
from protocol.units import Digest

ASKED_AT_ONCE: Final = 2
"""Pages on their way from one peer."""
SNAPSHOT_BYTES_MAX: Final = 4 * 1024**3
"""The most that a list may lead to: more than ten million accounts need, and what memory has."""

log = structlog.get_logger(__name__)


class Shelf(Protocol):
    """Where pages wait until all are here; each method may raise `StorageError`."""

    async def keep_only(self, digests: Collection[bytes]) -> None:
        """Drops all pages but these."""

    async def page(self, digest: bytes) -> bytes | None:
        """One page, if it is here and has this digest."""

    async def put(self, digest: bytes, raw: bytes) -> None:
        """Keeps a page, if there is room."""


@dataclass(frozen=True, slots=True)
class Certified:
    """The state that is looked for."""

    epoch: int
    root: Digest


@dataclass(frozen=True, slots=True)
class _Wanted:
    """One list, and the numbers in it that nobody is being asked for."""

    epoch: int
    digests: Sequence[bytes]
    missing: deque[int]
    refused: dict[bytes, None] = field(default_factory=dict)
    """Who said no: it has a newer snapshot meanwhile, or is busy."""


async def emptied(shelf: Shelf) -> None:
    """Drops all pages of a shelf; where its disk refuses, they stay and the log says so."""
    try:
        await shelf.keep_only(())
    except StorageError as error:
        log.warning("pages_not_dropped", detail=str(error), consequence="they take space")


class PageFetch:
    """Brings the pages of certified states here; pages that came stay for the next attempt.

    Args:
        company: Whom to ask.
        progress: Told how far it is.
        shelf: Where pages outlive this process. Where its disk refuses, they do not.
    """

    def __init__(self, company: Company, progress: Progress, shelf: Shelf) -> None:
        self._company = company
        self._progress = progress
        self._shelf = shelf
        self._has_shelf = True
        """Whether its disk has not refused yet."""
        self._here: dict[bytes, bytes] = {}
        """Pages by digest."""
        self._here_bytes = 0

    async def run(self, certified: Certified, holders: Sequence[bytes]) -> tuple[bytes, ...] | None:
        """Fetches one snapshot from those who say that they have it.

        Args:
            certified: Which one, and the root that it must have.
            holders: Accounts of the peers.

        Returns:
            All pages, whose entries have the certified root, and none of them on the shelf any
            more; None when nobody gave them.
        """
        lists = await self._lists(certified.epoch, holders)
        await self._drop_all_but({digest for digests, _ in lists for digest in digests})
        for digests, group in lists:
            self._forget_all_but(digests)
            pages = await self._download(certified.epoch, digests, group)
            if pages is None:
                continue
            if await trio.to_thread.run_sync(_has_root, pages, certified.root):
                await emptied(self._shelf)
                return pages
            self._forget_all_but(())
            await self._drop_all_but(())
            for account in group:
                lie = PeerLied(f"its pages of epoch {certified.epoch} have not the certified root")
                self._company.ban(account, lie)
        return None

    def _forget_all_but(self, digests: Sequence[bytes]) -> None:
        """Makes room: what one list led to must not count against those who gave another."""
        self._here = {one: self._here[one] for one in digests if one in self._here}
        self._here_bytes = sum(map(len, self._here.values()))

    async def _lists(
        self, epoch: int, holders: Sequence[bytes]
    ) -> list[tuple[tuple[bytes, ...], list[bytes]]]:
        """Asks all for their lists; the one that most of them give comes first."""
        given: dict[bytes, tuple[bytes, ...]] = {}
        async with trio.open_nursery() as nursery:
            for account in holders:
                nursery.start_soon(self._ask_list, account, epoch, given)
        groups: dict[tuple[bytes, ...], list[bytes]] = {}
        for account in sorted(given):
            groups.setdefault(given[account], []).append(account)
        return sorted(groups.items(), key=lambda one: (-len(one[1]), one[1]))

    async def _ask_list(
        self, account: bytes, epoch: int, given: dict[bytes, tuple[bytes, ...]]
    ) -> None:
        try:
            given[account] = await self._company.asking.page_list(account, epoch)
        except PeerLied as lie:
            self._company.ban(account, lie)
        except RequestRefused:
            return
        except NetworkError as failure:
            self._company.excuse(account, failure)

    async def _download(
        self, epoch: int, digests: Sequence[bytes], group: list[bytes]
    ) -> tuple[bytes, ...] | None:
        """Fetches what is missing of one list; None when those who gave it do not give it all."""
        await self._take_from_shelf(epoch, digests)
        while True:
            missing = [number for number, one in enumerate(digests) if one not in self._here]
            if not missing:
                return tuple(self._here[one] for one in digests)
            wanted = _Wanted(epoch, digests, deque(missing))
            async with trio.open_nursery() as nursery:
                for account in group * ASKED_AT_ONCE:
                    nursery.start_soon(self._work, account, wanted)
            if len(wanted.missing) == len(missing):
                return None

    async def _work(self, account: bytes, wanted: _Wanted) -> None:
        """Fetches missing pages from one peer until there are none, or it is of no use."""
        while wanted.missing and account not in wanted.refused and self._company.may_ask(account):
            number = wanted.missing.popleft()
            try:
                await self._fetch(account, number, wanted)
                continue
            except PeerLied as lie:
                self._company.ban(account, lie)
            except RequestRefused:
                wanted.refused[account] = None
            except NetworkError as failure:
                self._company.excuse(account, failure)
            wanted.missing.append(number)

    async def _fetch(self, account: bytes, number: int, wanted: _Wanted) -> None:
        digest = wanted.digests[number]
        raw = await self._company.asking.page(account, wanted.epoch, number, digest)
        if digest not in self._here:
            if self._here_bytes + len(raw) > SNAPSHOT_BYTES_MAX:
                raise PeerLied("its list leads to more bytes than a state has")
            self._here[digest] = raw
            self._here_bytes += len(raw)
            await self._put_on_shelf(digest, raw)
        total = len(wanted.digests)
        self._progress.pages(wanted.epoch, total - len(wanted.missing), total)

    async def _take_from_shelf(self, epoch: int, digests: Sequence[bytes]) -> None:
        """Takes what an earlier start fetched of a list, up to what memory may hold."""
        taken = 0
        try:
            for digest in digests:
                if not self._has_shelf or self._here_bytes >= SNAPSHOT_BYTES_MAX:
                    break
                raw = None if digest in self._here else await self._shelf.page(digest)
                if raw is not None:
                    self._here[digest] = raw
                    self._here_bytes += len(raw)
                    taken += 1
        except StorageError as error:
            await self._do_without_shelf(error)
        if taken:
            log.info("pages_here_already", epoch=epoch, pages=taken, of=len(digests))

    async def _put_on_shelf(self, digest: bytes, raw: bytes) -> None:
        if self._has_shelf:
            try:
                await self._shelf.put(digest, raw)
            except StorageError as error:
                await self._do_without_shelf(error)

    async def _drop_all_but(self, digests: Collection[bytes]) -> None:
        if self._has_shelf:
            try:
                await self._shelf.keep_only(digests)
            except StorageError as error:
                await self._do_without_shelf(error)

    async def _do_without_shelf(self, error: StorageError) -> None:
        """Gives the space back that the pages took: the disk may have none left for the rest."""
        if self._has_shelf:
            self._has_shelf = False
            consequence = "a restart before all pages are here fetches them again"
            log.warning("pages_not_kept", detail=str(error), consequence=consequence)
            await emptied(self._shelf)


def _has_root(pages: Sequence[bytes], root: Digest) -> bool:
    """Whether what the pages hold is the state with this root."""
    try:
        return Tree().updated(decode_pages(pages)).root == root
    except Rejected:
        return False
