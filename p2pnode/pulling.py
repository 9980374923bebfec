"""One artefact pulled from several peers at once, each chunk checked as it arrives.

Every peer first gives the list of the chunks, which is checked against the artefact's name. Then
all that have it are asked for different chunks, a few at a time. A peer that sends a wrong chunk,
or none in time, is asked for nothing more; what it owed is asked of the others. At the end, what a
slow peer still owes is asked of another one as well.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import msgpack
import structlog
import trio

from p2pnode.network import Conversation, Network, NetworkError, RequestRefused
from p2pnode.storage import ArtifactStore, Download, StorageError
from protocol.content import ChunkList
from protocol.encoding import content_digest

LIST_KIND: Final = "artefact-chunks"
CHUNK_KIND: Final = "artefact-chunk"
REQUEST_SECONDS: Final = 20.0
"""The longest wait for a list or a chunk: a peer that sends less than 50 KiB/s is no source."""
NEXT_SECONDS: Final = 2.0
"""While nobody has answered, one more peer is asked each time this has passed."""
LATE_SECONDS: Final = 2.0
"""A chunk that is awaited for longer is asked of a second peer that has nothing else to do."""
SLOW_SECONDS: Final = 5.0
"""A peer that takes longer for a chunk is asked for one at a time."""
SOURCES_MAX: Final = 8
"""Peers that are asked at the same time."""
ASKED_AT_ONCE: Final = 4
"""Chunks that are asked of one peer at the same time: what bounds the memory, with the above."""
REFUSALS_MAX: Final = 8
"""A peer that gives its list and then refuses may be busy, so often in a row."""
REFUSED_SECONDS: Final = 1.0

log = structlog.get_logger(__name__)


class ContentUnavailable(Exception):  # noqa: N818  nobody asked has it, which is an answer
    """Nobody that could be asked has this content."""


class NotAsPromised(Exception):  # noqa: N818  named for what a peer sent
    """A peer sent something else than it was asked for."""


_USELESS: Final = (NetworkError, NotAsPromised, ContentUnavailable)
"""What makes one peer of no use, and says nothing about the others."""


@dataclass(eq=False, slots=True)
class _Source:
    """One peer that is asked for chunks."""

    account: bytes
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    refusals: int = 0
    """In a row."""
    is_slow: bool = False


@dataclass(slots=True)
class _Awaited:
    """A chunk that somebody was asked for."""

    since: float
    askers: list[_Source]


class Pull:
    """Brings one artefact into the store; used once.

    Args:
        network: To ask peers.
        store: Where it goes.
        digest: Names it.
        limit_bytes: Larger content is not fetched.
    """

    def __init__(
        self, network: Network, store: ArtifactStore, digest: bytes, limit_bytes: int
    ) -> None:
        self._network = network
        self._store = store
        self._digest = digest
        self._limit_bytes = limit_bytes
        self._refusals: list[str] = []
        self._chunks: ChunkList | None = None
        self._listed: set[bytes] = set()
        """Who is known to have it."""

    async def run(self, accounts: Sequence[bytes]) -> None:
        """Asks peers, those named first first, until the artefact is here.

        Raises:
            ContentUnavailable: none of them has it, it is too large, or it cannot be stored.
        """
        try:
            await self._find(accounts)
            if self._chunks is not None:
                await self._collect(self._chunks, accounts)
        except StorageError as error:
            self._refusals.insert(0, str(error))
        if not self._store.has(self._digest):
            detail = self._refusals[0] if self._refusals else "no peer to ask"
            raise ContentUnavailable(f"nobody sent {self._digest.hex()[:16]}: {detail}")

    async def _find(self, accounts: Sequence[bytes]) -> None:
        """Asks one peer after the other for the list, and for content of one chunk itself."""
        found: list[tuple[bytes, ChunkList, bytes]] = []

        async def ask(account: bytes, ended: trio.Event) -> None:
            try:
                found.append((account, *await self._first_of(account)))
                nursery.cancel_scope.cancel()
            except _USELESS as error:
                self._note(account, error)
            finally:
                ended.set()

        async with trio.open_nursery() as nursery:
            for account in accounts:
                ended = trio.Event()
                nursery.start_soon(ask, account, ended)
                with trio.move_on_after(NEXT_SECONDS):
                    await ended.wait()
        for account, chunks, content in found[:1]:
            if len(chunks.digests) == 1:
                await self._store.put(content)
            else:
                self._chunks = chunks
                self._listed.add(account)

    async def _first_of(self, account: bytes) -> tuple[ChunkList, bytes]:
        chunks = await self._list_of(account)
        if len(chunks.digests) > 1:
            return chunks, b""
        async with self._network.converse(account, CHUNK_KIND, REQUEST_SECONDS) as conversation:
            wanted = msgpack.packb([self._digest, 0])
            content = await conversation.ask(wanted, REQUEST_SECONDS)
        if content_digest(content) != self._digest:
            raise NotAsPromised("the peer sent other content than it was asked for")
        if len(content) > self._limit_bytes:
            raise ContentUnavailable(f"it is above the limit of {self._limit_bytes} bytes")
        return chunks, content

    async def _list_of(self, account: bytes) -> ChunkList:
        raw = await self._network.request(account, LIST_KIND, self._digest, REQUEST_SECONDS)
        chunks = ChunkList.decode(raw, self._digest)
        if chunks is None:
            raise NotAsPromised("the peer's list of chunks is not the artefact's")
        if chunks.size_bytes > self._limit_bytes:
            raise ContentUnavailable(f"it is above the limit of {self._limit_bytes} bytes")
        return chunks

    async def _collect(self, chunks: ChunkList, accounts: Sequence[bytes]) -> None:
        """Gets the chunks from all that have them, until all are here or nobody is left."""
        sources = sorted(map(_Source, accounts), key=lambda one: one.account not in self._listed)
        async with self._store.resume(chunks) as download:
            collecting = _Collecting(download)
            room = trio.Semaphore(SOURCES_MAX)
            async with trio.open_nursery() as nursery:
                collecting.end = nursery.cancel_scope
                for source in sources if not download.is_whole else ():
                    await room.acquire()
                    nursery.start_soon(self._draw, source, collecting, room)
            if collecting.failure is not None:
                raise collecting.failure

    async def _draw(self, source: _Source, collecting: "_Collecting", room: trio.Semaphore) -> None:
        """Gets chunks from one peer for as long as it is of use."""
        try:
            with source.scope:
                if source.account not in self._listed:
                    await self._list_of(source.account)
                await self._converse(source, collecting)
        except _USELESS as error:
            self._note(source.account, error)
        finally:
            room.release()

    async def _converse(self, source: _Source, collecting: "_Collecting") -> None:
        conversing = self._network.converse(source.account, CHUNK_KIND, REQUEST_SECONDS)
        async with conversing as conversation, trio.open_nursery() as nursery:
            for number in range(ASKED_AT_ONCE):
                nursery.start_soon(self._draw_on, conversation, source, collecting, number)

    async def _draw_on(
        self,
        conversation: Conversation,
        source: _Source,
        collecting: "_Collecting",
        number: int,
    ) -> None:
        """Gets one chunk after the other; of a slow peer only the first of these tasks goes on."""
        while number == 0 or not source.is_slow:
            index = await collecting.next(source)
            if index is None:
                return
            try:
                await self._bring(conversation, source, collecting, index)
            except RequestRefused as error:
                source.refusals += 1
                if source.refusals > REFUSALS_MAX:
                    self._drop(source, error)
                await trio.sleep(REFUSED_SECONDS)
            except (NetworkError, NotAsPromised) as error:
                self._drop(source, error)
            except StorageError as error:
                collecting.fail(error)
            finally:
                collecting.give_back(source, index)

    async def _bring(
        self, conversation: Conversation, source: _Source, collecting: "_Collecting", index: int
    ) -> None:
        begun = trio.current_time()
        wanted = msgpack.packb([self._digest, index])
        content = await conversation.ask(wanted, REQUEST_SECONDS)
        source.is_slow = trio.current_time() - begun > SLOW_SECONDS
        if not await collecting.take(index, content):
            raise NotAsPromised(f"the peer sent another chunk than number {index}")
        source.refusals = 0

    def _drop(self, source: _Source, error: Exception) -> None:
        self._note(source.account, error)
        source.scope.cancel()

    def _note(self, account: bytes, error: Exception) -> None:
        self._refusals.append(str(error))
        if isinstance(error, NotAsPromised):
            log.warning("artefact_source_dropped", account=account.hex(), detail=str(error))


class _Collecting:
    """Which chunks nobody was asked for yet, and who owes the others."""

    def __init__(self, download: Download) -> None:
        self.end = trio.CancelScope()
        """Ends everything: all chunks are here, or none can be kept."""
        self.failure: StorageError | None = None
        self._download = download
        self._untaken = deque(download.missing)
        self._awaited: dict[int, _Awaited] = {}
        self._changed = trio.Event()

    async def next(self, source: _Source) -> int | None:
        """Says what to ask a peer for; None when nothing is left."""
        while self._untaken or self._awaited:
            now = trio.current_time()
            if self._untaken:
                index = self._untaken.popleft()
                self._awaited[index] = _Awaited(now, [source])
                return index
            for index, awaited in self._awaited.items():
                if source not in awaited.askers and now - awaited.since >= LATE_SECONDS:
                    awaited.since = now
                    awaited.askers.append(source)
                    return index
            with trio.move_on_after(LATE_SECONDS):
                await self._changed.wait()
        return None

    async def take(self, index: int, content: bytes) -> bool:
        """Keeps a chunk if it is the right one."""
        if not await self._download.receive(index, content):
            return False
        if self._download.is_whole:
            self.end.cancel()
        return True

    def give_back(self, source: _Source, index: int) -> None:
        """Says that a peer is not awaited any more, be it that the chunk is here."""
        awaited = self._awaited[index]
        awaited.askers.remove(source)
        if not awaited.askers:
            del self._awaited[index]
            if not self._download.has(index):
                self._untaken.append(index)
        elif self._download.has(index):
            awaited.since = trio.current_time()
        self._changed.set()
        self._changed = trio.Event()

    def fail(self, error: StorageError) -> None:
        """Ends everything because this node cannot keep what comes."""
        self.failure = error
        self.end.cancel()
