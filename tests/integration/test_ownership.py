"""No process of a local network outlives the command that runs it."""

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.integration.local_network import PROGRAM, is_alive, printed_rows, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(60)]


def test_nodes_die_with_a_killed_owner_even_when_paused_or_restarted(tmp_path: Path) -> None:
    options = ["--data-dir", str(tmp_path / "net")]
    up = [*PROGRAM, "testnet", "up", "--nodes", "2", *options]
    with subprocess.Popen(up, stdout=subprocess.PIPE, text=True) as owner:
        pids = [row["pid"] for row in printed_rows(owner) if "pid" in row]
        restart = [*PROGRAM, "testnet", "restart", "1", *options]
        done = subprocess.run(restart, capture_output=True, text=True, timeout=30, check=True)
        restarted = json.loads(done.stdout)["pid"]
        assert restarted not in pids
        os.kill(pids[0], signal.SIGSTOP)
        living = [pids[0], restarted]
        assert all(map(is_alive, living))
        owner.kill()
    assert wait_until(lambda: not any(map(is_alive, living)), 10)
