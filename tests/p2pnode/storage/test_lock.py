"""One process per data folder."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from p2pnode.storage import DataFolderLocked, StorageFailed, locked

HOLDER = """
import sys, time, pathlib
from p2pnode.storage.lock import locked
with locked(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_process_is_refused_and_the_first_is_named(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    arguments = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == b"held\n"
            with pytest.raises(DataFolderLocked) as caught, locked(path):
                pass
            assert caught.value.pid == holder.pid
            assert str(holder.pid) in str(caught.value)
        finally:
            holder.send_signal(signal.SIGKILL)
    with locked(path):
        assert path.read_text() == str(os.getpid())


def test_the_lock_can_be_taken_again_after_it_was_given_back(tmp_path: Path) -> None:
    for _ in range(2):
        with locked(tmp_path / "lock"):
            with pytest.raises(DataFolderLocked) as caught, locked(tmp_path / "lock"):
                pass
            assert caught.value.pid == os.getpid()


def test_a_holder_that_has_not_written_its_number_is_unknown(tmp_path: Path) -> None:
    with locked(tmp_path / "lock"):
        (tmp_path / "lock").write_text("")
        with pytest.raises(DataFolderLocked) as caught, locked(tmp_path / "lock"):
            pass
    assert caught.value.pid == 0


def test_a_lock_in_a_folder_that_does_not_exist_fails_with_a_reason(tmp_path: Path) -> None:
    with pytest.raises(StorageFailed, match="No such file"), locked(tmp_path / "none" / "lock"):
        pass
