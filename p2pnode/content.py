"""Artefacts, inputs and outputs: from the own store, or pulled from peers page by page.

Content is named by its digest, so it does not matter who sends it; it never travels by gossip.
"""

from collections.abc import Callable, Sequence
from typing import Final

import msgpack
import structlog

from p2pnode.network import Network, NetworkError, RequestRefused
from p2pnode.storage import PAGE_BYTES, ArtifactStore, StorageError

SIZE_KIND: Final = "artefact-size"
PAGE_KIND: Final = "artefact-page"
REQUEST_SECONDS: Final = 20.0

log = structlog.get_logger(__name__)


class ContentUnavailable(Exception):  # noqa: N818  nobody asked has it, which is an answer
    """Nobody that could be asked has this content."""


class Content:
    """One node's content, and everybody else's.

    Args:
        store: This node's own files.
        network: Where to ask others and answer them.
        peers: Tells whom to ask when those named do not have it.
    """

    def __init__(
        self, store: ArtifactStore, network: Network, peers: Callable[[], Sequence[bytes]]
    ) -> None:
        self._store = store
        self._network = network
        self._peers = peers
        network.serve(SIZE_KIND, self._answer_size)
        network.serve(PAGE_KIND, self._answer_page)

    async def fetch(self, digest: bytes, holders: Sequence[bytes], limit_bytes: int) -> bytes:
        """Returns content, bringing it here first when it is elsewhere.

        Args:
            digest: Names the content.
            holders: Accounts that should have it, asked first.
            limit_bytes: Larger content is not fetched.

        Raises:
            ContentUnavailable: nobody has it, or it is too large.
        """
        if self._store.has(digest):
            try:
                return await self._store.get(digest)
            except StorageError as error:
                log.warning("content_lost", digest=digest.hex(), detail=str(error))
        await self._pull(digest, holders, limit_bytes)
        try:
            return await self._store.get(digest)
        except StorageError as error:
            raise ContentUnavailable(str(error)) from error

    async def _pull(self, digest: bytes, holders: Sequence[bytes], limit_bytes: int) -> None:
        asked: dict[bytes, None] = {}
        refusals = []
        for account in (*holders, *self._peers()):
            if account in asked:
                continue
            asked[account] = None
            try:
                await self._pull_from(account, digest, limit_bytes)
                return
            except (ContentUnavailable, NetworkError, StorageError) as error:
                refusals.append(str(error))
        detail = refusals[0] if refusals else "no peer to ask"
        raise ContentUnavailable(f"nobody sent {digest.hex()[:16]}: {detail}")

    async def _pull_from(self, account: bytes, digest: bytes, limit_bytes: int) -> None:
        raw = await self._network.request(account, SIZE_KIND, digest, REQUEST_SECONDS)
        size = int.from_bytes(raw, "big")
        if size > limit_bytes:
            raise ContentUnavailable(f"the peer's copy is above the limit of {limit_bytes} bytes")
        async with self._store.begin(digest, size) as download:
            for offset in range(0, size, PAGE_BYTES):
                wanted = msgpack.packb([digest, offset, min(PAGE_BYTES, size - offset)])
                page = await self._network.request(account, PAGE_KIND, wanted, REQUEST_SECONDS)
                if not download.fits(offset, len(page)):
                    raise ContentUnavailable("the peer sent a page of another size than asked for")
                await download.receive(offset, page)
            await self._store.finish(digest, download)

    async def _answer_size(self, account: bytes, payload: bytes) -> bytes:
        if len(payload) != 32 or not self._store.has(payload):
            raise RequestRefused("this content is not here")
        return self._store.size_bytes(payload).to_bytes(8, "big")

    async def _answer_page(self, account: bytes, payload: bytes) -> bytes:
        try:
            digest, offset, length = msgpack.unpackb(payload, use_list=True, max_map_len=0)
            kinds = (type(digest), type(offset), type(length))
            is_sound = kinds == (bytes, int, int) and offset >= 0 and 0 < length <= PAGE_BYTES
        except (ValueError, TypeError, msgpack.UnpackException):
            is_sound = False
        if not is_sound:
            raise RequestRefused("a page is asked for as [digest, offset, length]")
        try:
            return await self._store.page(digest, offset, length)
        except StorageError as error:
            raise RequestRefused(str(error)) from error
