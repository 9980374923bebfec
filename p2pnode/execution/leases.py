"""One job at a time on a GPU, across all nodes of a machine.

Each GPU or MIG slice has a file, named by its UUID, in a folder that all nodes of a machine share.
Who holds the kernel's lock on the file may use the GPU. The kernel drops the lock when its holder
dies, however that happens, so nothing has to be cleaned up; the files stay.
"""

import contextlib
import fcntl
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from p2pnode.execution.devices import Device

FOLDER_NAME = "p2pnode-leases"
SHARED_FOLDER = 0o1777
"""Anybody may put a file there, and nobody may remove another's."""
SHARED_FILE = 0o666
HOLDER_BYTES_MAX = 32


class LeaseError(Exception):
    """No lease can be had at all; the text says why and what to do."""


class LeaseTaken(Exception):  # noqa: N818  nothing is wrong
    """Somebody else has the GPU now; the text says who."""


class Leases:
    """The leases of one node."""

    def __init__(self, folder: Path | None = None) -> None:
        """Take note of the folder that all nodes of this machine share.

        Args:
            folder: By default one in the system's folder for temporary files.
        """
        self._folder: Final = folder or Path(tempfile.gettempdir()) / FOLDER_NAME

    @contextmanager
    def hold(self, device: Device) -> Iterator[None]:
        """Hold a GPU for the length of a block.

        Raises:
            LeaseTaken: if another job has it, of this node or of another one.
            LeaseError: if the folder or the file cannot be used.
        """
        fd = self._open(device)
        try:
            self._lock(fd, device)
            os.ftruncate(fd, 0)
            os.pwrite(fd, str(os.getpid()).encode(), 0)
            yield
        finally:
            os.close(fd)

    def _lock(self, fd: int, device: Device) -> None:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            written = os.pread(fd, HOLDER_BYTES_MAX, 0)
            holder = f"process {int(written)}" if written.isdigit() else "another process"
            raise LeaseTaken(f"{device.identifier} is leased to {holder}") from None
        except OSError as error:
            raise self._unusable(error) from error

    def _open(self, device: Device) -> int:
        path = self._folder / (re.sub("[^A-Za-z0-9-]", "_", device.uuid) + ".lock")
        try:
            self._make_folder()
            # A file of another account must not be opened with O_CREAT in a shared folder.
            with contextlib.suppress(FileNotFoundError):
                return os.open(path, os.O_RDWR | os.O_NOFOLLOW)
            with contextlib.suppress(FileExistsError):
                fd = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CREAT | os.O_EXCL, SHARED_FILE)
                os.fchmod(fd, SHARED_FILE)  # whatever the umask took away
                return fd
            return os.open(path, os.O_RDWR | os.O_NOFOLLOW)
        except OSError as error:
            raise self._unusable(error) from error

    def _make_folder(self) -> None:
        with contextlib.suppress(FileExistsError):
            self._folder.mkdir(parents=True)
            self._folder.chmod(SHARED_FOLDER)

    def _unusable(self, error: OSError) -> LeaseError:
        reason = error.strerror or "cannot be used"
        return LeaseError(
            f"no GPU can be leased, {self._folder}: {reason}: give all nodes of this machine one "
            "folder that they may write, as lease_folder in the policy file"
        )
