"""One seed is one run, in any process."""

import os
import subprocess
import sys

import pytest

from tests.support.sources import ROOT

pytestmark = pytest.mark.slow


def printed(seed: int, hash_seed: str) -> str:
    command = [sys.executable, "-m", "protocol.simulator", "--seed", str(seed)]
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=True
    )
    return done.stdout


@pytest.mark.parametrize("seed", [2, 10])
def test_the_hash_seed_of_the_process_does_not_count(seed: int) -> None:
    first = printed(seed, "1")
    assert "trace " in first
    assert printed(seed, "2") == first
