"""Two jobs, of one node or of two, never have one GPU."""

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from p2pnode.execution.leases import LeaseError, Leases, LeaseTaken
from tests.support.nvml import ROOT, gpu, mig_slice

HOLDER = """
import sys, time, pathlib
from p2pnode.execution.devices import Device
from p2pnode.execution.leases import Leases
with Leases(pathlib.Path(sys.argv[1])).hold(Device("cuda:0", "", "GPU-0", 1)):
    print("held", flush=True)
    time.sleep(60)
"""
"""Another node of this machine, as far as leases go."""


@contextmanager
def another_node(folder: Path) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-c", HOLDER, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_gpu_is_leased_to_one_job_at_a_time(tmp_path: Path) -> None:
    leases = Leases(tmp_path / "leases")
    taken = f"cuda:0 is leased to process {os.getpid()}"
    with (
        leases.hold(gpu(0)),
        leases.hold(gpu(1)),
        leases.hold(mig_slice(2, 0)),
        pytest.raises(LeaseTaken, match=taken),
        leases.hold(gpu(0)),
    ):
        pass
    with leases.hold(gpu(0)):
        pass


def test_two_nodes_never_lease_one_gpu_and_a_dead_node_holds_none(tmp_path: Path) -> None:
    leases = Leases(tmp_path)
    with another_node(tmp_path) as process:
        taken = f"cuda:0 is leased to process {process.pid}"
        with pytest.raises(LeaseTaken, match=taken), leases.hold(gpu(0)):
            pass
        process.send_signal(signal.SIGKILL)
        process.wait()
        with leases.hold(gpu(0)):
            pass


def test_a_lease_ends_with_an_error_of_its_block(tmp_path: Path) -> None:
    leases = Leases(tmp_path)
    with pytest.raises(RuntimeError), leases.hold(gpu(0)):
        raise RuntimeError
    with leases.hold(gpu(0)):
        pass


def test_the_folder_is_shared_with_other_accounts(tmp_path: Path) -> None:
    folder = tmp_path / "leases"
    with Leases(folder).hold(mig_slice(0, 1)):
        pass
    assert stat.S_IMODE(folder.stat().st_mode) == 0o1777
    (file,) = folder.iterdir()
    assert file.name == "MIG-0-1.lock"
    assert stat.S_IMODE(file.stat().st_mode) == 0o666


def test_a_planted_link_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / "GPU-0.lock").symlink_to(victim)
    with pytest.raises(LeaseError), Leases(tmp_path).hold(gpu(0)):
        pass
    assert victim.read_text() == "precious"


def test_a_folder_that_cannot_be_used_is_named_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LeaseError) as caught, Leases(tmp_path / "file").hold(gpu(0)):
        pass
    assert str(caught.value) == (
        f"no GPU can be leased, {tmp_path / 'file'}: Not a directory: give all nodes of this "
        "machine one folder that they may write, as lease_folder in the policy file"
    )
