"""Content-addressed artifacts (programs, models, inputs, outputs) under two size limits.

An artifact is named by its digest, so that whoever serves it cannot pass off anything else. What an
open job needs stays. The others make room for new ones: first downloads that nobody goes on with,
then what was unused for longest, and last the outputs that the operator keeps.
"""

import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import trio

from p2pnode.storage.artifact_download import Download, find_downloads, forget_download
from p2pnode.storage.artifact_files import (
    INCOMING,
    admit_file,
    find_artifacts,
    list_chunks,
    read_artifact,
    read_chunk,
    remove_artifact,
    write_artifact,
)
from p2pnode.storage.artifact_outputs import (
    NANOSECONDS,
    KeptOutput,
    find_outputs,
    forget_output,
    note_output,
)
from p2pnode.storage.artifact_upload import Upload
from p2pnode.storage.errors import ArtifactMissing, ArtifactTooLarge, DamagedData
from protocol.content import ChunkList
from protocol.encoding import content_digest


@dataclass(frozen=True, slots=True)
class Found:
    """What lies in a folder of artifacts; each digest with its size, the oldest first."""

    artifacts: list[tuple[bytes, int]]
    downloads: list[tuple[bytes, int]]
    outputs: list[KeptOutput]


class ArtifactStore:
    """The artifacts of one node; belongs to one event loop. Made by `open_artifacts`.

    Attributes:
        needed: Tells what open jobs need, which is never removed.
    """

    def __init__(
        self, folder: Path, found: Found, item_limit_bytes: int, total_limit_bytes: int
    ) -> None:
        self.needed: Callable[[], Collection[bytes]] = tuple
        self._folder = folder
        self._sizes = OrderedDict(found.artifacts)
        """Size of every artifact, the one unused for longest first."""
        self._idle = OrderedDict(found.downloads)
        """Size of every unfinished download that is not going on now."""
        self._outputs = found.outputs
        self._chunks: dict[bytes, ChunkList] = {}
        """Artifacts whose content this process has checked or written: chunks may be served."""
        self._reserved_bytes = 0
        self._temporary_names = 0
        self._item_limit_bytes = item_limit_bytes
        self._total_limit_bytes = total_limit_bytes
        self._changing = trio.Lock()

    @property
    def total_bytes(self) -> int:
        """Bytes of all artifacts, and of those that are being received."""
        return sum(self._sizes.values()) + sum(self._idle.values()) + self._reserved_bytes

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

    async def put(self, content: bytes) -> bytes:
        """Stores an artifact durably and returns its digest.

        Raises:
            ArtifactTooLarge: It exceeds the limit of one item, or what is needed leaves no room.
            StorageFailed: The disk refused.
        """
        digest = await trio.to_thread.run_sync(content_digest, content)
        async with self._changing:
            if digest in self._sizes:
                return digest
            await self._make_room(len(content))
            temporary = self._temporary()
            await trio.to_thread.run_sync(write_artifact, self._folder, digest, content, temporary)
            self._record(digest, len(content))
        return digest

    async def receive(self, pieces: AsyncIterator[bytes]) -> ChunkList:
        """Stores durably what comes in pieces, in bounded memory, and returns its chunks.

        Raises:
            ArtifactTooLarge: It exceeds the limit of one item, or what is needed leaves no room.
            StorageFailed: The disk refused.
        """
        upload, reserved_bytes = Upload(self._temporary()), 0
        try:
            await upload.create()
            async for piece in pieces:
                await self._reserve(len(piece), reserved_bytes + len(piece))
                reserved_bytes += len(piece)
                await upload.write(piece)
            chunks = upload.finish()
            await self._admit(chunks, upload.path)
        finally:
            self._reserved_bytes -= reserved_bytes
            with trio.CancelScope(shield=True):
                await upload.abandon()
        return chunks

    async def get(self, digest: bytes) -> bytes:
        """The whole content, checked; a damaged artifact is dropped.

        Raises:
            ArtifactMissing: It is not stored here.
            DamagedData: Its content has changed; now it is missing.
            StorageFailed: The disk refused.
        """
        self._use(digest)
        async with self._dropping(digest):
            return await trio.to_thread.run_sync(read_artifact, self._folder, digest)

    async def chunks(self, digest: bytes) -> ChunkList:
        """What an artifact consists of; its content is checked once, before anybody sees of it.

        Raises:
            ArtifactMissing: It is not stored here.
            DamagedData: Its content has changed; now it is missing.
            StorageFailed: The disk refused.
        """
        self._use(digest)
        if digest not in self._chunks:
            async with self._dropping(digest):
                self._chunks[digest] = await trio.to_thread.run_sync(
                    list_chunks, self._folder, digest
                )
        return self._chunks[digest]

    async def chunk(self, digest: bytes, index: int) -> bytes:
        """One chunk, empty beyond the end: what is served to a peer, which checks it again.

        Raises:
            ArtifactMissing: It is not stored here.
            DamagedData: Its content has changed; now it is missing.
            StorageFailed: The disk refused.
        """
        assert index >= 0, "chunks are counted from the start"
        await self.chunks(digest)
        async with self._dropping(digest):
            return await trio.to_thread.run_sync(read_chunk, self._folder, digest, index)

    @asynccontextmanager
    async def resume(self, chunks: ChunkList) -> AsyncIterator[Download]:
        """Receives an artifact chunk by chunk, going on where an earlier attempt ended.

        Its size counts against the limit from the start, so that promised bytes cannot fill the
        disk. What is unfinished at the end of the block stays for the next attempt.

        Raises:
            ArtifactTooLarge: It exceeds the limit of one item, or what is needed leaves no room.
            StorageFailed: The disk refused.
        """
        digest, size_bytes = chunks.name, chunks.size_bytes
        was_idle = self._idle.pop(digest, None) is not None
        try:
            await self._reserve(size_bytes, size_bytes)
        except ArtifactTooLarge:
            if was_idle:
                self._idle[digest] = size_bytes
            raise
        download = Download(self._folder, chunks)
        try:
            await download.prepare()
            yield download
            if download.is_whole:
                await self._admit(chunks, download.path)
        finally:
            self._reserved_bytes -= size_bytes
            if self.has(digest):
                await trio.to_thread.run_sync(forget_download, self._folder, digest)
            else:
                self._idle[digest] = size_bytes

    async def keep_output(self, digest: bytes, job: bytes) -> None:
        """Keeps an artifact as the output of a job, from now on.

        Raises:
            StorageFailed: The disk refused.
        """
        kept = await trio.to_thread.run_sync(note_output, self._folder, digest, job)
        rest = [one for one in self._outputs if (one.digest, one.job) != (digest, job)]
        self._outputs = [*rest, kept]

    def outputs_of(self, jobs: Collection[bytes]) -> Iterator[bytes]:
        """The outputs of these jobs that are here."""
        return (one.digest for one in self._outputs if one.job in jobs)

    async def expire(self, kept_seconds: float) -> int:
        """Removes outputs that were made longer ago and that no open job needs.

        Returns:
            How many artifacts went.

        Raises:
            StorageFailed: The disk refused.
        """
        oldest_ns = time.time_ns() - int(kept_seconds * NANOSECONDS)
        async with self._changing:
            needed = frozenset(self.needed())
            old = [o for o in self._outputs if o.made_ns < oldest_ns and o.digest not in needed]
            young = {one.digest for one in self._outputs if one not in old}
            gone = {one.digest for one in old if self.has(one.digest)} - young
            for digest in gone:
                await self._remove(digest)
            for one in old:
                await trio.to_thread.run_sync(forget_output, self._folder, one)
            self._outputs = [one for one in self._outputs if one not in old]
        return len(gone)

    def _temporary(self) -> Path:
        self._temporary_names += 1
        return self._folder / INCOMING / f"new.{self._temporary_names}"

    async def _admit(self, chunks: ChunkList, path: Path) -> None:
        async with self._changing:
            await trio.to_thread.run_sync(admit_file, self._folder, chunks.name, path)
            self._record(chunks.name, chunks.size_bytes)
            self._chunks[chunks.name] = chunks

    def _record(self, digest: bytes, size_bytes: int) -> None:
        self._sizes[digest] = size_bytes
        self._sizes.move_to_end(digest)

    def _use(self, digest: bytes) -> None:
        if digest not in self._sizes:
            raise ArtifactMissing(digest)
        self._sizes.move_to_end(digest)

    @asynccontextmanager
    async def _dropping(self, digest: bytes) -> AsyncIterator[None]:
        """Drops an artifact that turns out to be damaged or gone."""
        try:
            yield
        except (DamagedData, ArtifactMissing):
            async with self._changing:
                await self._remove(digest)
            raise

    async def _reserve(self, size_bytes: int, item_bytes: int) -> None:
        """Sets room aside for what is being received."""
        async with self._changing:
            await self._make_room(size_bytes, item_bytes)
            self._reserved_bytes += size_bytes

    async def _make_room(self, size_bytes: int, item_bytes: int | None = None) -> None:
        """Removes what may go until a new artifact fits; nothing when it cannot fit at all."""
        if (item_bytes or size_bytes) > self._item_limit_bytes:
            raise ArtifactTooLarge(item_bytes or size_bytes, self._item_limit_bytes)
        free_bytes = self._total_limit_bytes - self.total_bytes
        leaving = []
        for digest, unused_bytes in self._removable() if free_bytes < size_bytes else ():
            if free_bytes >= size_bytes:
                break
            leaving.append(digest)
            free_bytes += unused_bytes
        if free_bytes < size_bytes:
            raise ArtifactTooLarge(size_bytes, max(free_bytes, 0))
        for digest in leaving:
            await self._remove(digest)

    def _removable(self) -> Iterator[tuple[bytes, int]]:
        """What may go, with its size, in the order in which it goes."""
        needed = frozenset(self.needed())
        kept = {one.digest for one in self._outputs}
        yield from self._idle.items()
        for is_kept in (False, True):
            for digest, size_bytes in self._sizes.items():
                if digest not in needed and (digest in kept) is is_kept:
                    yield digest, size_bytes

    async def _remove(self, digest: bytes) -> None:
        if self._idle.pop(digest, None) is not None:
            await trio.to_thread.run_sync(forget_download, self._folder, digest)
        await trio.to_thread.run_sync(remove_artifact, self._folder, digest)
        self._sizes.pop(digest, None)
        self._chunks.pop(digest, None)


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

    def find() -> Found:
        return Found(find_artifacts(folder), find_downloads(folder), find_outputs(folder))

    found = await trio.to_thread.run_sync(find)
    return ArtifactStore(folder, found, item_limit_bytes, total_limit_bytes)
