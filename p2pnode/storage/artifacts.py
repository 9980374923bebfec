"""Content-addressed artifacts (programs, models, inputs, outputs) under two size limits.

An artifact is named by its digest, so that whoever serves it cannot pass off anything else. Pinned
artifacts stay; the others make room, the one unused for longest first.
"""

from collections import Counter, OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import trio

from p2pnode.storage.artifact_download import Download
from p2pnode.storage.artifact_files import (
    INCOMING,
    admit_file,
    artifact_digest,
    check_artifact,
    prepare_folder,
    read_artifact,
    read_page,
    remove_artifact,
    write_artifact,
)
from p2pnode.storage.errors import ArtifactMissing, ArtifactTooLarge, DamagedData


class ArtifactStore:
    """The artifacts of one node; belongs to one event loop. Made by `open_artifacts`."""

    def __init__(
        self,
        folder: Path,
        found: list[tuple[bytes, int]],
        item_limit_bytes: int,
        total_limit_bytes: int,
    ) -> None:
        self._folder = folder
        self._sizes = OrderedDict(found)
        """Size of every artifact, the one unused for longest first."""
        self._pins: Counter[bytes] = Counter()
        self._checked: set[bytes] = set()
        """Artifacts whose content this process has checked or written: pages may be served."""
        self._reserved_bytes = 0
        self._temporary_names = 0
        self._item_limit_bytes = item_limit_bytes
        self._total_limit_bytes = total_limit_bytes
        self._changing = trio.Lock()

    @property
    def total_bytes(self) -> int:
        """Bytes of all artifacts, and of those that are being received."""
        return sum(self._sizes.values()) + self._reserved_bytes

    @property
    def total_limit_bytes(self) -> int:
        """The most that they may have together."""
        return self._total_limit_bytes

    def has(self, digest: bytes) -> bool:
        """Whether an artifact is stored here."""
        return digest in self._sizes

    def size_bytes(self, digest: bytes) -> int:
        """The size of an artifact.

        Raises:
            ArtifactMissing: It is not stored here.
        """
        if digest not in self._sizes:
            raise ArtifactMissing(digest)
        return self._sizes[digest]

    def pin(self, digest: bytes) -> None:
        """Keeps an artifact, present or expected, until as many calls of `unpin`."""
        self._pins[digest] += 1

    def unpin(self, digest: bytes) -> None:
        """Takes one `pin` back."""
        assert self._pins[digest] > 0, "only what was pinned can be released"
        self._pins[digest] -= 1
        if not self._pins[digest]:
            del self._pins[digest]

    async def put(self, content: bytes) -> bytes:
        """Stores an artifact durably and returns its digest.

        Raises:
            ArtifactTooLarge: It exceeds the limit of one item, or pinned ones leave no room.
            StorageFailed: The disk refused.
        """
        digest = await trio.to_thread.run_sync(artifact_digest, content)
        async with self._changing:
            if digest in self._sizes:
                return digest
            await self._make_room(len(content))
            temporary = self._temporary(digest)
            await trio.to_thread.run_sync(write_artifact, self._folder, digest, content, temporary)
            self._record(digest, len(content))
        return digest

    async def get(self, digest: bytes) -> bytes:
        """The whole content, checked; a damaged artifact is dropped.

        Raises:
            ArtifactMissing: It is not stored here.
            DamagedData: Its content has changed; now it is missing.
            StorageFailed: The disk refused.
        """
        self._use(digest)
        try:
            return await trio.to_thread.run_sync(read_artifact, self._folder, digest)
        except (DamagedData, ArtifactMissing):
            await self._drop(digest)
            raise

    async def page(self, digest: bytes, offset: int, length: int) -> bytes:
        """Part of an artifact, shorter at its end: what is served to a peer.

        The content is checked as a whole before its first page; the peer checks it again.

        Raises:
            ArtifactMissing: It is not stored here.
            DamagedData: Its content has changed; now it is missing.
            StorageFailed: The disk refused.
        """
        assert offset >= 0, "an offset counts from the start"
        assert length >= 0, "a length is not negative"
        self._use(digest)
        try:
            if digest not in self._checked:
                await trio.to_thread.run_sync(check_artifact, self._folder, digest)
                self._checked.add(digest)
            return await trio.to_thread.run_sync(read_page, self._folder, digest, offset, length)
        except (DamagedData, ArtifactMissing):
            await self._drop(digest)
            raise

    @asynccontextmanager
    async def begin(self, digest: bytes, size_bytes: int) -> AsyncIterator[Download]:
        """Receives an artifact page by page; what is unfinished at the end of the block is dropped.

        Its size counts against the limit from the start, so that promised bytes cannot fill the
        disk.

        Raises:
            ArtifactTooLarge: It exceeds the limit of one item, or pinned ones leave no room.
            StorageFailed: The disk refused.
        """
        async with self._changing:
            await self._make_room(size_bytes)
            self._reserved_bytes += size_bytes
        download = Download(self._temporary(digest), size_bytes)
        try:
            await download.create()
            yield download
        finally:
            self._reserved_bytes -= size_bytes
            with trio.CancelScope(shield=True):
                await download.abandon()

    async def finish(self, digest: bytes, download: Download) -> None:
        """Checks a complete download and makes it an artifact.

        Raises:
            DamagedData: The pages do not make up the promised artifact: whoever sent them lied or
                the connection failed; what was received is gone.
            StorageFailed: The disk refused.
        """
        assert not download.missing(1), "a download is finished when no page is missing"
        path = download.release()
        async with self._changing:
            await trio.to_thread.run_sync(admit_file, self._folder, digest, path)
            self._record(digest, download.size_bytes)

    def _temporary(self, digest: bytes) -> Path:
        self._temporary_names += 1
        return self._folder / INCOMING / f"{digest.hex()}.{self._temporary_names}"

    def _record(self, digest: bytes, size_bytes: int) -> None:
        self._sizes[digest] = size_bytes
        self._sizes.move_to_end(digest)
        self._checked.add(digest)

    def _use(self, digest: bytes) -> None:
        if digest not in self._sizes:
            raise ArtifactMissing(digest)
        self._sizes.move_to_end(digest)

    async def _drop(self, digest: bytes) -> None:
        async with self._changing:
            await trio.to_thread.run_sync(remove_artifact, self._folder, digest)
            self._sizes.pop(digest, None)
            self._checked.discard(digest)

    async def _make_room(self, size_bytes: int) -> None:
        """Evicts unpinned artifacts until a new one fits; none when it cannot fit at all."""
        if size_bytes > self._item_limit_bytes:
            raise ArtifactTooLarge(size_bytes, self._item_limit_bytes)
        free_bytes = self._total_limit_bytes - self.total_bytes
        evicted: list[bytes] = []
        for digest, unused_bytes in self._sizes.items():
            if free_bytes >= size_bytes:
                break
            if digest not in self._pins:
                evicted.append(digest)
                free_bytes += unused_bytes
        if free_bytes < size_bytes:
            raise ArtifactTooLarge(size_bytes, max(free_bytes, 0))
        for digest in evicted:
            await trio.to_thread.run_sync(remove_artifact, self._folder, digest)
            self._sizes.pop(digest, None)
            self._checked.discard(digest)


async def open_artifacts(
    folder: Path, item_limit_bytes: int, total_limit_bytes: int
) -> ArtifactStore:
    """Opens the artifact store of a data folder whose lock the caller holds.

    Args:
        folder: Its folder; created if missing.
        item_limit_bytes: Most bytes of one artifact.
        total_limit_bytes: Most bytes of all artifacts, including those being received.

    Raises:
        StorageFailed: The disk refused.
    """
    found = await trio.to_thread.run_sync(prepare_folder, folder)
    return ArtifactStore(folder, found, item_limit_bytes, total_limit_bytes)
