"""What an operator is told to do about a disk that refuses."""

import errno
import os

import pytest

from p2pnode.storage import StorageFailed
from p2pnode.storage.disk import disk_errors


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_asks_for_space(number: int) -> None:
    with pytest.raises(StorageFailed, match="free some space"), disk_errors():
        raise OSError(number, os.strerror(number), "/data/journal")


def test_a_full_database_asks_for_space() -> None:
    assert "free some space" in str(StorageFailed("FullError: database or disk is full"))


@pytest.mark.parametrize("number", [errno.ENOENT, errno.EACCES, errno.EROFS, errno.EIO])
def test_any_other_refusal_asks_to_look_at_the_path_and_the_device(number: int) -> None:
    with pytest.raises(StorageFailed) as refused, disk_errors():
        raise OSError(number, os.strerror(number), "/data/journal")
    assert "/data/journal" in str(refused.value)
    assert "check that the path exists" in str(refused.value)
    assert "space" not in str(refused.value)
