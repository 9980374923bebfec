"""Pages of a snapshot on their way: kept until all are here, so that a restart fetches the rest.

Each lies in a file named by its digest and is compared with it when it is read. So nothing has to
be synced: what a crash tore, or a disk lost, is fetched again.
"""

from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import structlog
import trio

from p2pnode.storage.disk import PRIVATE_FOLDER, disk_errors
from protocol.encoding import content_digest

UNFINISHED: Final = ".unfinished"
"""What the name of a file ends with while it is written."""

log = structlog.get_logger(__name__)


class PageShelf:
    """The pages in one folder, which is there only while it has some.

    Args:
        folder: Where they lie; nothing else may.
        limit_bytes: The most that they take; a page that has no place is fetched again.
    """

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        self._folder = folder
        self._limit_bytes = limit_bytes
        self._sizes: dict[bytes, int] | None = None
        """Bytes of each page; None before the first look."""

    async def keep_only(self, digests: Collection[bytes]) -> None:
        """Drops all other pages, what was not finished, and the folder if nothing is left in it.

        What cannot be dropped stays, and the log says so.

        Raises:
            StorageFailed: The folder cannot be read.
        """
        self._sizes = await trio.to_thread.run_sync(_tidied, self._folder, frozenset(digests))

    async def page(self, digest: bytes) -> bytes | None:
        """One page, if it is here and whole; one that is damaged goes.

        Raises:
            StorageFailed: The disk refused.
        """
        if self._sizes is not None and digest not in self._sizes:
            return None  # most of a long list is not here, and each look takes a worker thread
        raw = await trio.to_thread.run_sync(_read, self._folder / digest.hex(), digest)
        if raw is None and self._sizes is not None:
            self._sizes.pop(digest, None)
        return raw

    async def put(self, digest: bytes, raw: bytes) -> None:
        """Keeps a page whose digest was compared; needs `keep_only` before the first one.

        Raises:
            StorageFailed: The disk refused.
        """
        assert self._sizes is not None, "the folder was looked at"
        if digest in self._sizes or sum(self._sizes.values()) + len(raw) > self._limit_bytes:
            return
        self._sizes[digest] = len(raw)
        await trio.to_thread.run_sync(_write, self._folder, digest.hex(), raw)


def _tidied(folder: Path, digests: Collection[bytes]) -> dict[bytes, int]:
    with disk_errors():
        if not folder.exists():
            return {}
        for path in folder.iterdir():
            if _digest_of(path) not in digests:
                _drop(path)
        found = dict(_sizes(folder))
        if not any(folder.iterdir()):
            folder.rmdir()
        return found


def _drop(path: Path) -> None:
    """Drops a file; a node does not fail to start because of what somebody else put here."""
    try:
        path.unlink()
    except OSError as error:
        log.warning("not_dropped", path=str(path), detail=str(error), advice="remove it by hand")


def _sizes(folder: Path) -> Iterator[tuple[bytes, int]]:
    for path in folder.iterdir():
        digest = _digest_of(path)
        if digest is not None and path.is_file():
            yield digest, path.stat().st_size


def _digest_of(path: Path) -> bytes | None:
    with suppress(ValueError):
        return bytes.fromhex(path.name)
    return None


def _read(path: Path, digest: bytes) -> bytes | None:
    with disk_errors():
        try:
            raw = path.read_bytes()
        except FileNotFoundError:
            return None
        if content_digest(raw) == digest:
            return raw
        path.unlink()
        return None


def _write(folder: Path, name: str, raw: bytes) -> None:
    with disk_errors():
        folder.mkdir(PRIVATE_FOLDER, exist_ok=True)
        unfinished = folder / f"{name}{UNFINISHED}"
        unfinished.write_bytes(raw)
        unfinished.replace(folder / name)
