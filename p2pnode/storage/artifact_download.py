"""An artifact that arrives chunk by chunk, in any order, without ever being held in memory.

The file and the list of its chunks stay when the node stops or every source is gone. Which chunks
are there is not written down: they are compared with the list when the download goes on, so that
nothing has to be synced before its end and nothing torn is ever taken for whole.
"""

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import trio

from p2pnode.storage.artifact_files import INCOMING
from p2pnode.storage.disk import PRIVATE_FILE, disk_errors, write_new
from protocol.content import ChunkList
from protocol.encoding import CHUNK_BYTES, content_digest
from protocol.units import DIGEST_BYTES

LIST_SUFFIX = ".chunks"
UNFINISHED_SECONDS = 24 * 3600
"""A download that nobody went on with for so long is dropped at a start."""


class Download:
    """The chunks received so far; made by `ArtifactStore.resume`.

    Attributes:
        chunks: What the whole artifact consists of.
        path: Where the chunks are collected.
    """

    def __init__(self, folder: Path, chunks: ChunkList) -> None:
        self.chunks = chunks
        self.path = download_path(folder, chunks.name)
        self._has = bytearray(len(chunks.digests))
        """1 for each chunk that is here."""

    @property
    def missing(self) -> tuple[int, ...]:
        """The chunks that are not here, in order."""
        return tuple(index for index, has in enumerate(self._has) if not has)

    @property
    def is_whole(self) -> bool:
        """Whether every chunk is here."""
        return 0 not in self._has

    def has(self, index: int) -> bool:
        """Whether a chunk is here."""
        return bool(self._has[index])

    async def prepare(self) -> None:
        """Creates the files, or finds out what an earlier attempt left in them.

        Raises:
            StorageFailed: The disk refused.
        """
        for index in await trio.to_thread.run_sync(_begin, self.path, self.chunks):
            self._has[index] = 1

    async def receive(self, index: int, content: bytes) -> bool:
        """Takes a chunk if it is the right one; False if it is not, and nothing was kept.

        Raises:
            StorageFailed: The disk refused; the chunk is still missing.
        """
        wanted = self.chunks.digests[index]
        if len(content) != self.chunks.length(index):
            return False
        is_right = await trio.to_thread.run_sync(_write, self.path, index, content, wanted)
        self._has[index] |= is_right
        return is_right


def download_path(folder: Path, digest: bytes) -> Path:
    """Where the chunks of an artifact are collected."""
    return folder / INCOMING / digest.hex()


def find_downloads(folder: Path) -> list[tuple[bytes, int]]:
    """Drops what cannot go on, and lists what can: digest and size, the oldest first.

    Raises:
        StorageFailed: The disk refused.
    """
    with disk_errors():
        found = sorted(_downloads(folder))
        kept = {digest.hex() for _, digest, _ in found}
        for path in (folder / INCOMING).iterdir():
            if path.name.removesuffix(LIST_SUFFIX) not in kept:
                path.unlink()
    return [(digest, size_bytes) for _, digest, size_bytes in found]


def _downloads(folder: Path) -> Iterator[tuple[int, bytes, int]]:
    oldest_ns = time.time_ns() - UNFINISHED_SECONDS * 10**9
    for path in (folder / INCOMING).glob(f"*{LIST_SUFFIX}"):
        with suppress(ValueError, FileNotFoundError):
            digest = bytes.fromhex(path.name.removesuffix(LIST_SUFFIX))
            chunks = ChunkList.decode(path.read_bytes(), digest)
            changed_ns = download_path(folder, digest).stat().st_mtime_ns
            if len(digest) == DIGEST_BYTES and chunks is not None and changed_ns > oldest_ns:
                yield changed_ns, digest, chunks.size_bytes


def forget_download(folder: Path, digest: bytes) -> None:
    """Deletes what was received, unless it became an artifact.

    Raises:
        StorageFailed: The disk refused.
    """
    path = download_path(folder, digest)
    with disk_errors():
        path.unlink(missing_ok=True)
        _list_path(path).unlink(missing_ok=True)


def _begin(path: Path, chunks: ChunkList) -> list[int]:
    """Makes the files of a download, and finds which chunks are there already."""
    with disk_errors():
        if not path.exists():
            _list_path(path).unlink(missing_ok=True)
            write_new(_list_path(path), chunks.encode())
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE))
            return []
        with path.open("rb") as stream:
            return [
                index
                for index, wanted in enumerate(chunks.digests)
                if content_digest(stream.read(CHUNK_BYTES)) == wanted
            ]


def _list_path(path: Path) -> Path:
    return path.with_name(path.name + LIST_SUFFIX)


def _write(path: Path, index: int, content: bytes, wanted: bytes) -> bool:
    if content_digest(content) != wanted:
        return False
    with disk_errors(), path.open("r+b") as stream:
        stream.seek(index * CHUNK_BYTES)
        stream.write(content)
    return True
