"""Tests of the reading of lock files."""

from pathlib import Path

import pytest

from tests.support import locks
from tests.support.locks import Pin, read_lock

HASH = f"--hash=sha256:{'0' * 64}"


@pytest.fixture
def lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(locks, "ROOT", tmp_path)
    (tmp_path / "requirements").mkdir()
    return tmp_path / "requirements" / "some.txt"


def test_pins_are_read_with_their_markers_and_hashes(lock: Path) -> None:
    lock.write_text(f"a-b==1.0 ; os_name == 'nt' \\\n    {HASH} \\\n    {HASH}\nc==2\n")
    assert read_lock("some") == (Pin("a-b", "1.0", 2), Pin("c", "2", 0))


@pytest.mark.parametrize(
    "line",
    ["a>=1", "--find-links x", "a @ file:///x", "a==1 --hash=sha256:0", "a==1 --hash=md5:0"],
)
def test_anything_but_a_pinned_requirement_is_refused(lock: Path, line: str) -> None:
    lock.write_text(f"{line}\n")
    with pytest.raises(ValueError, match="not a pinned requirement"):
        read_lock("some")
