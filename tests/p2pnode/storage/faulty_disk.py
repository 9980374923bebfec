"""A disk that refuses to write or to sync on command."""

from collections.abc import Iterator
from contextlib import contextmanager

import apsw


class FaultyDisk(apsw.VFS):
    """The real file system, until `full` or `broken` is set."""

    def __init__(self, name: str) -> None:
        super().__init__(name, "")
        self.full = False
        """Whether a write finds no space."""
        self.broken = False
        """Whether a sync fails."""
        self.refusals = 0

    def xOpen(  # noqa: N802  the library's name
        self, name: str | apsw.URIFilename | None, flags: list[int]
    ) -> "FaultyFile":
        return FaultyFile(self, name, flags)

    def refuse(self, condition: bool, error: type[apsw.Error]) -> None:
        if condition:
            self.refusals += 1
            raise error


class FaultyFile(apsw.VFSFile):
    """One file on a faulty disk."""

    def __init__(
        self, disk: FaultyDisk, name: str | apsw.URIFilename | None, flags: list[int]
    ) -> None:
        self._disk = disk
        super().__init__("", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802  the library's name
        self._disk.refuse(self._disk.full, apsw.FullError)
        super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:  # noqa: N802  the library's name
        self._disk.refuse(self._disk.broken, apsw.IOError)
        super().xSync(flags)


@contextmanager
def faulty_disk(name: str) -> Iterator[FaultyDisk]:
    disk = FaultyDisk(name)
    try:
        yield disk
    finally:
        disk.unregister()
