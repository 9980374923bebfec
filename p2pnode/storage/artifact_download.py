"""An artifact that arrives page by page, in any order, without ever being held in memory."""

import os
from pathlib import Path

import trio

from p2pnode.storage.disk import PRIVATE_FILE, disk_errors

PAGE_BYTES = 256 * 1024
"""Size of every page but the last; a frame of the network carries one with room to spare."""


class Download:
    """The pages received so far; made by `ArtifactStore.begin`."""

    def __init__(self, path: Path, size_bytes: int) -> None:
        self.size_bytes = size_bytes
        """Promised size of the whole artifact."""
        self._path = path
        self._received = bytearray(-(-size_bytes // PAGE_BYTES))
        """1 for each page that has arrived."""

    async def create(self) -> None:
        """Creates the file that collects the pages.

        Raises:
            StorageFailed: The disk refused.
        """
        await trio.to_thread.run_sync(_create, self._path)

    def missing(self, limit: int) -> tuple[int, ...]:
        """Offsets of the first pages that have not arrived, at most `limit`."""
        offsets: list[int] = []
        page = self._received.find(0)
        while page >= 0 and len(offsets) < limit:
            offsets.append(page * PAGE_BYTES)
            page = self._received.find(0, page + 1)
        return tuple(offsets)

    def fits(self, offset: int, length: int) -> bool:
        """Whether a page of this length belongs at this offset: ask before `receive`."""
        if offset < 0 or offset % PAGE_BYTES or offset >= self.size_bytes:
            return False
        return length == min(PAGE_BYTES, self.size_bytes - offset)

    async def receive(self, offset: int, content: bytes) -> None:
        """Takes a page; one that has arrived before is ignored.

        Raises:
            StorageFailed: The disk refused; the page is still missing.
        """
        assert self.fits(offset, len(content)), "the caller asks `fits` first"
        page = offset // PAGE_BYTES
        if not self._received[page]:
            await trio.to_thread.run_sync(_write_page, self._path, offset, content)
            self._received[page] = 1

    def release(self) -> Path:
        """Hands the file over to whoever turns it into an artifact."""
        return self._path

    async def abandon(self) -> None:
        """Deletes what was received, unless it became an artifact.

        Raises:
            StorageFailed: The disk refused.
        """
        await trio.to_thread.run_sync(_remove, self._path)


def _create(path: Path) -> None:
    with disk_errors():
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE))


def _write_page(path: Path, offset: int, content: bytes) -> None:
    with disk_errors(), path.open("r+b") as stream:
        stream.seek(offset)
        stream.write(content)


def _remove(path: Path) -> None:
    with disk_errors():
        path.unlink(missing_ok=True)
