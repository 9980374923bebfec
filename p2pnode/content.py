"""Artefacts, inputs and outputs: from the own store, or pulled from peers chunk by chunk.

Content is named by its digest, so it does not matter who sends it; it never travels by gossip.
"""

from collections.abc import Callable, Sequence

import msgpack
import structlog
import trio

from p2pnode.network import Network, RequestRefused
from p2pnode.pulling import CHUNK_KIND, LIST_KIND, ContentUnavailable, Pull
from p2pnode.storage import ArtifactStore, StorageError
from protocol.units import DIGEST_BYTES

__all__ = ["Content", "ContentUnavailable"]

INDEX_MAX = 2**32

log = structlog.get_logger(__name__)


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
        self._pulled: dict[bytes, trio.Event] = {}
        """What is on its way; two that want the same wait for one."""
        network.serve(LIST_KIND, self._answer_list)
        network.serve_in_turn(CHUNK_KIND, self._answer_chunk)

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
        await self.bring(digest, holders, limit_bytes)
        try:
            return await self._store.get(digest)
        except StorageError as error:
            raise ContentUnavailable(str(error)) from error

    async def bring(self, digest: bytes, holders: Sequence[bytes], limit_bytes: int) -> None:
        """Brings content into the store, unless it is there; none of it stays in memory.

        Args:
            digest: Names the content.
            holders: Accounts that should have it, asked first.
            limit_bytes: Larger content is not fetched.

        Raises:
            ContentUnavailable: nobody has it, or it is too large.
        """
        while digest in self._pulled:
            await self._pulled[digest].wait()
        if self._store.has(digest):
            return
        ended = self._pulled[digest] = trio.Event()
        try:
            accounts = tuple(dict.fromkeys((*holders, *self._peers())))
            await Pull(self._network, self._store, digest, limit_bytes).run(accounts)
        finally:
            del self._pulled[digest]
            ended.set()

    async def bring_output(
        self, job: bytes, output: bytes, holders: Sequence[bytes], limit_bytes: int
    ) -> None:
        """Brings the output of a job into the store, and keeps it there as such.

        Raises:
            ContentUnavailable: nobody has it, it is too large, or the disk refused.
        """
        await self.bring(output, holders, limit_bytes)
        try:
            await self._store.keep_output(output, job)
        except StorageError as error:
            raise ContentUnavailable(str(error)) from error

    async def _answer_list(self, account: bytes, payload: bytes) -> bytes:
        if len(payload) != DIGEST_BYTES or not self._store.has(payload):
            raise RequestRefused("this content is not here")
        try:
            return (await self._store.chunks(payload)).encode()
        except StorageError as error:
            raise RequestRefused(str(error)) from error

    async def _answer_chunk(self, account: bytes, payload: bytes) -> bytes:
        try:
            digest, index = msgpack.unpackb(payload, use_list=True, max_map_len=0)
            is_sound = (type(digest), type(index)) == (bytes, int) and 0 <= index < INDEX_MAX
        except (ValueError, TypeError, msgpack.UnpackException):
            is_sound = False
        if not is_sound:
            raise RequestRefused("a chunk is asked for as [digest, index]")
        try:
            return await self._store.chunk(digest, index)
        except StorageError as error:
            raise RequestRefused(str(error)) from error
