"""The file system that SQLite opens its files on: real files, and a model of what is durable.

Only what was synced survives a power loss for certain. Of the rest, each sector arrives or not; the
names of files are durable when their folder was synced, which SQLite does with the first sync of a
write-ahead log. Two connections of one process share the files and the model.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from random import Random
from typing import Final

import apsw

from tests.support.fault_vfs.image import Cut, Damage, Image, Write

ARRIVAL: Final = (0.0, 0.1, 0.5, 0.9, 1.0)
"""Shares of un-synced sectors that arrive; each power loss draws one."""


class Call(Enum):
    """What SQLite asks of a file."""

    READ = "read"
    WRITE = "write"
    SYNC = "sync"
    DELETE = "delete"


@dataclass(slots=True)
class Faults:
    """What is wrong with the disk now; a countdown of 0 never ends."""

    power_loss_in: int = 0
    """Changes until the power goes."""
    failing: frozenset[Call] = frozenset()
    """Calls that end in an input/output error."""
    capacity_bytes: int | None = None
    """A file may not grow beyond this."""
    read_only: bool = False
    """Nothing may be changed."""


@dataclass(slots=True)
class Bites:
    """What the faults did: a test of a fault asserts that it happened."""

    power_losses: int = 0
    damage: Damage = field(default_factory=Damage)
    names_lost: int = 0
    """Files that appeared, vanished or came back with a power loss."""
    errors: int = 0
    refusals: int = 0
    """Writes that found no space."""


class FaultDisk(apsw.VFS):
    """Real files in one folder, of which a power loss leaves only what was synced.

    Attributes:
        faults: What is wrong now; set by the test.
        bites: What the faults did so far.
    """

    def __init__(self, name: str, folder: Path, chance: Random) -> None:
        super().__init__(name, "")
        self.name = name
        self.faults = Faults()
        self.bites = Bites()
        self.is_dead = False
        self.changes = 0
        self._folder = folder
        self._chance = chance
        self._files: dict[str, Image] = {}
        self._durable: dict[str, Image] = {}
        """Files by the names that a power loss leaves."""

    # What SQLite calls

    def xOpen(  # noqa: N802  the library's name
        self, name: str | apsw.URIFilename | None, flags: list[int]
    ) -> "FaultFile":
        text = name.filename() if isinstance(name, apsw.URIFilename) else name
        assert text is not None, "temporary tables are in memory"
        key = Path(text).name
        self.consider(Call.READ)
        image = self._files.get(key)
        if image is None:
            if self.faults.read_only:
                self.bites.errors += 1
                raise apsw.CantOpenError("read-only")
            image = self._files[key] = Image()
        return FaultFile(self, image, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802  the library's name
        self.consider(Call.DELETE)
        super().xDelete(filename, False)
        self._files.pop(Path(filename).name, None)
        if syncdir:
            self.sync_names()

    # What files and tests call

    def consider(self, call: Call, end_bytes: int = 0) -> None:
        """Fails a call if a fault wants it.

        Args:
            call: What is asked.
            end_bytes: Where the file ends if a write succeeds.
        """
        faults = self.faults
        if call is not Call.READ:
            self.changes += 1
            if faults.power_loss_in and not self.is_dead:
                faults.power_loss_in -= 1
                self.is_dead = not faults.power_loss_in
        if self.is_dead:
            raise apsw.IOError("no power")
        if faults.capacity_bytes is not None and end_bytes > faults.capacity_bytes:
            self.bites.refusals += 1
            raise apsw.FullError("database or disk is full")
        if call in faults.failing or (faults.read_only and call is not Call.READ):
            self.bites.errors += 1
            raise apsw.ReadOnlyError("read-only") if faults.read_only else apsw.IOError("I/O error")

    def sync_names(self) -> None:
        """Makes the names of all files durable."""
        self._durable = dict(self._files)

    def forget(self, image: Image) -> None:
        """Fails a sync as Linux does: what could not be written counts as written from then on."""
        image.lose(lambda: self._chance.random() < 0.5, self.bites.damage)

    def restart(self) -> None:
        """Cuts the power and brings it back: the files become what reached the platter."""
        self.bites.power_losses += 1
        share = self._chance.choice(ARRIVAL)
        for image in {id(one): one for one in self._images()}.values():
            image.lose(lambda: self._chance.random() < share, self.bites.damage)
        for name in sorted({*self._files, *self._durable}):
            self._settle(name)
        self._durable = dict(self._files)
        for path in self._folder.glob("*-shm"):
            path.unlink()
        for name, image in self._files.items():
            (self._folder / name).write_bytes(image.durable)
        self.is_dead = False
        self.faults = Faults()

    def load(self, contents: dict[str, bytes]) -> None:
        """Puts durable files onto the disk, and takes all others away."""
        for path in self._folder.iterdir():
            path.unlink()
        self._files = {name: Image(bytearray(content)) for name, content in contents.items()}
        self._durable = dict(self._files)
        for name, content in contents.items():
            (self._folder / name).write_bytes(content)

    def contents(self) -> dict[str, bytes]:
        """The files as a running program sees them."""
        return {name: (self._folder / name).read_bytes() for name in sorted(self._files)}

    def _images(self) -> list[Image]:
        return [*self._files.values(), *self._durable.values()]

    def _settle(self, name: str) -> None:
        """Decides which of two files, or none, has a name after a power loss."""
        live, durable = self._files.get(name), self._durable.get(name)
        if live is durable:
            return
        self.bites.names_lost += 1
        chosen = self._chance.choice((live, durable))
        if chosen is None:
            self._files.pop(name, None)
            (self._folder / name).unlink(missing_ok=True)
        else:
            self._files[name] = chosen


class FaultFile(apsw.VFSFile):
    """One open file on a failing disk."""

    def __init__(
        self,
        disk: FaultDisk,
        image: Image,
        name: str | apsw.URIFilename | None,
        flags: list[int],
    ) -> None:
        self._disk = disk
        self._image = image
        self._is_log = bool(flags[0] & (apsw.SQLITE_OPEN_WAL | apsw.SQLITE_OPEN_MAIN_JOURNAL))
        super().__init__("", name, flags)

    def xRead(self, amount: int, offset: int) -> bytes:  # noqa: N802  the library's name
        self._disk.consider(Call.READ)
        return super().xRead(amount, offset)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802  the library's name
        self._disk.consider(Call.WRITE, offset + len(data))
        super().xWrite(data, offset)
        self._image.pending.append(Write(offset, bytes(data)))

    def xTruncate(self, newsize: int) -> None:  # noqa: N802  the library's name
        self._disk.consider(Call.WRITE)
        super().xTruncate(newsize)
        self._image.pending.append(Cut(newsize))

    def xSync(self, flags: int) -> None:  # noqa: N802  the library's name
        try:
            self._disk.consider(Call.SYNC)
        except apsw.IOError:
            if not self._disk.is_dead:
                self._disk.forget(self._image)
            raise
        self._image.sync()
        if self._is_log:
            self._disk.sync_names()


@contextmanager
def fault_disk(name: str, folder: Path, seed: int = 0) -> Iterator[FaultDisk]:
    """Registers a disk for the length of a block.

    Args:
        name: The name under which SQLite finds it.
        folder: Where its files lie.
        seed: Decides what a power loss leaves.
    """
    disk = FaultDisk(name, folder, Random(seed))  # noqa: S311  seeded, not secret
    try:
        yield disk
    finally:
        disk.unregister()
