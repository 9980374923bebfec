"""One node per data folder: two would sign with one key."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from p2pnode.storage.disk import PRIVATE_FILE, disk_errors
from p2pnode.storage.errors import DataFolderLocked

PID_BYTES = 20
"""Enough for the decimal digits of any process number."""


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds the lock of a data folder; the kernel releases it even after a kill.

    Args:
        path: The lock file; created if missing, and left behind, since deleting it would let a
            second process lock a file of the same name.

    Raises:
        DataFolderLocked: Another process holds it; its number is named.
        StorageFailed: The disk refused.
    """
    with disk_errors():
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, PRIVATE_FILE)
    try:
        with disk_errors():
            _acquire(descriptor, path)
        yield
    finally:
        os.close(descriptor)


def _acquire(descriptor: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise DataFolderLocked(str(path.parent), _holder(descriptor)) from error
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, str(os.getpid()).encode(), 0)


def _holder(descriptor: int) -> int:
    written = os.pread(descriptor, PID_BYTES, 0)
    return int(written) if written.isdigit() else 0
