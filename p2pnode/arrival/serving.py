"""Answers newcomers out of what this node keeps, whatever its core is doing meanwhile."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol, TypeVar

import structlog
import trio

from p2pnode.arrival import wire
from p2pnode.network import Network, RequestRefused
from p2pnode.storage import StorageError
from protocol.encoding import content_digest, decode, encode
from protocol.errors import Rejected
from protocol.units import Digest

SERVED_AT_ONCE: Final = 4
"""Answers that are read from the disk at a time, for all peers together: the node comes first."""
ASKED_AT_ONCE_MAX: Final = 4
"""Questions of one peer that wait or are answered at a time: twice what our newcomers ask."""
LISTS_KEPT: Final = 2
"""Page lists remembered: making one reads the whole snapshot."""

Question = TypeVar("Question")
Answer = TypeVar("Answer")

log = structlog.get_logger(__name__)


class Kept(Protocol):
    """What a node keeps for newcomers; each method may raise `StorageError`."""

    async def standing(self) -> wire.Standing:
        """What there is."""

    async def certificates(self, first: int, count: int) -> Sequence[bytes]:
        """Certificates of consecutive epochs from this one on; none where it is not here."""

    async def page_count(self, epoch: int) -> int:
        """How many pages the snapshot at an epoch's end has; 0 where there is none."""

    async def page(self, epoch: int, number: int) -> bytes | None:
        """One of its pages; None where there is none."""


class Serving:
    """One node's answers."""

    def __init__(self, kept: Kept, network: Network) -> None:
        self._kept = kept
        self._limit = trio.Semaphore(SERVED_AT_ONCE)
        self._lists: dict[int, tuple[Digest, ...]] = {}
        self._listing = trio.Lock()
        self._open: dict[bytes, int] = {}
        self._serve(network, wire.STANDING_KIND, self._answer_standing)
        self._serve(network, wire.CERTIFICATES_KIND, self._answer_certificates)
        self._serve(network, wire.PAGE_LIST_KIND, self._answer_page_list)
        self._serve(network, wire.PAGE_KIND, self._answer_page)

    def _serve(
        self, network: Network, kind: str, answer: Callable[[bytes], Awaitable[bytes]]
    ) -> None:
        """Answers a kind of question, some of one peer at a time."""

        async def bounded(account: bytes, payload: bytes) -> bytes:
            if self._open.get(account, 0) >= ASKED_AT_ONCE_MAX:
                raise RequestRefused("ask for less at once")
            self._open[account] = self._open.get(account, 0) + 1
            try:
                return await answer(payload)
            finally:
                self._open[account] -= 1
                if not self._open[account]:
                    del self._open[account]

        network.serve(kind, bounded)

    async def _answer_standing(self, payload: bytes) -> bytes:
        async with self._limit:
            return encode(await self._read(self._kept.standing))

    async def _answer_certificates(self, payload: bytes) -> bytes:
        question = _opened(payload, wire.CertificatesQuestion)

        async def read() -> Sequence[bytes]:
            return await self._kept.certificates(question.first, question.count)

        async with self._limit:
            found = await self._read(read)
        if not found:
            raise RequestRefused(f"the certificate of epoch {question.first} is not here")
        return encode(wire.Certificates(tuple(_within(found, wire.CERTIFICATES_BYTES))))

    async def _answer_page_list(self, payload: bytes) -> bytes:
        epoch = _opened(payload, wire.PageListQuestion).epoch

        async def read() -> tuple[Digest, ...]:
            return await self._list_of(epoch)

        async with self._listing:
            return encode(wire.PageList(await self._read(read)))

    async def _answer_page(self, payload: bytes) -> bytes:
        question = _opened(payload, wire.PageQuestion)

        async def read() -> bytes | None:
            return await self._kept.page(question.epoch, question.number)

        async with self._limit:
            page = await self._read(read)
        if page is None:
            raise RequestRefused(f"there is no such page of a snapshot of epoch {question.epoch}")
        return page

    async def _list_of(self, epoch: int) -> tuple[Digest, ...]:
        """Reads a snapshot once and remembers its list."""
        if epoch not in self._lists:
            digests = []
            for number in range(await self._kept.page_count(epoch)):
                async with self._limit:
                    page = await self._kept.page(epoch, number)
                if page is None:
                    break
                digests.append(content_digest(page))
            else:
                if digests:
                    self._remember(epoch, tuple(digests))
        if epoch not in self._lists:
            raise RequestRefused(f"there is no snapshot of epoch {epoch} here")
        return self._lists[epoch]

    def _remember(self, epoch: int, digests: tuple[Digest, ...]) -> None:
        self._lists[epoch] = digests
        if len(self._lists) > LISTS_KEPT:
            del self._lists[min(self._lists)]

    async def _read(self, read: Callable[[], Awaitable[Answer]]) -> Answer:
        try:
            return await read()
        except StorageError as error:
            log.error("newcomer_not_served", detail=str(error))
            raise RequestRefused("this node cannot read its store") from error


def _within(raws: Sequence[bytes], limit_bytes: int) -> Sequence[bytes]:
    """The first of them that together have so many bytes; at least one."""
    total, count = 0, 0
    for raw in raws:
        total += len(raw)
        if count and total > limit_bytes:
            break
        count += 1
    return raws[:count]


def _opened(payload: bytes, kind: type[Question]) -> Question:
    try:
        return decode(payload, kind, wire.QUESTION_BYTES_MAX)
    except Rejected as refusal:
        raise RequestRefused(f"this is no {kind.__name__}: {refusal}") from refusal
