"""An artifact whose name is not known before its last byte: written and hashed as it comes."""

import os
from pathlib import Path

import trio

from p2pnode.storage.disk import PRIVATE_FILE, disk_errors
from protocol.content import ChunkList, ContentHasher


class Upload:
    """What has come so far; made by `ArtifactStore.receive`.

    Attributes:
        path: Where it is collected.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._hasher = ContentHasher()

    async def create(self) -> None:
        """Creates the file.

        Raises:
            StorageFailed: The disk refused.
        """
        await trio.to_thread.run_sync(_create, self.path)

    async def write(self, piece: bytes) -> None:
        """Takes the next bytes.

        Raises:
            StorageFailed: The disk refused.
        """
        await trio.to_thread.run_sync(_append, self.path, piece)
        self._hasher.update(piece)

    def finish(self) -> ChunkList:
        """Ends the content, and says what it consists of."""
        return self._hasher.chunks()

    async def abandon(self) -> None:
        """Deletes the file, unless it became an artifact.

        Raises:
            StorageFailed: The disk refused.
        """
        await trio.to_thread.run_sync(_remove, self.path)


def _create(path: Path) -> None:
    with disk_errors():
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE))


def _append(path: Path, piece: bytes) -> None:
    with disk_errors(), path.open("ab") as stream:
        stream.write(piece)


def _remove(path: Path) -> None:
    with disk_errors():
        path.unlink(missing_ok=True)
