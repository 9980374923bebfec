"""The few operations on files that have to be durable or private, and the meaning of `OSError`."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from p2pnode.storage.errors import StorageFailed

PRIVATE_FILE = 0o600
PRIVATE_FOLDER = 0o700


@contextmanager
def disk_errors() -> Iterator[None]:
    """Turns what the operating system reports into `StorageFailed`."""
    try:
        yield
    except OSError as error:
        raise StorageFailed(str(error)) from error


def free_bytes(folder: Path) -> int:
    """What an ordinary user may still write on the disk that holds a folder.

    Raises:
        StorageFailed: The folder is not there.
    """
    with disk_errors():
        seen = os.statvfs(folder)
    return seen.f_bavail * seen.f_frsize


def sync_folder(folder: Path) -> None:
    """Makes the names in a folder durable: a file's own sync does not cover its name.

    Raises:
        StorageFailed: The disk refused.
    """
    with disk_errors():
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write_durably(path: Path, content: bytes, temporary: Path) -> None:
    """Replaces a file as a whole: after a crash it holds the old content or the new.

    Args:
        path: The file.
        content: Its new content.
        temporary: An unused name on the same file system.

    Raises:
        StorageFailed: The disk refused; the file is as it was.
    """
    with disk_errors():
        try:
            write_new(temporary, content)
            temporary.replace(path)
        except OSError:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise
    sync_folder(path.parent)


def write_new(path: Path, content: bytes) -> None:
    """Creates a private file and syncs it.

    Raises:
        OSError: The disk refused, or the file exists.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    with os.fdopen(os.open(path, flags, PRIVATE_FILE), "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
