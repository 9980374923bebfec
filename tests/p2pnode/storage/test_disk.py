"""What the operating system says of a disk, in this folder's terms."""

from pathlib import Path

import pytest

from p2pnode.storage import StorageFailed, free_bytes


def test_what_a_disk_has_left_is_asked_of_the_system(tmp_path: Path) -> None:
    assert free_bytes(tmp_path) > 0
    with pytest.raises(StorageFailed):
        free_bytes(tmp_path / "missing")
