"""Tests of how tests are shared out, and that nothing is lost on the way."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.sharing import LONG, REAL_NODES, WORKERS_MAX, number_of_workers
from tests.support.sharing import place_of as place
from tests.support.sharing import unit_of as unit
from tests.support.sources import ROOT

REAL = (
    "tests/integration/test_kills.py::test_a",
    "tests/p2pnode/test_node_starting.py::test_b[x::y]",
    "tests/p2pnode/lab/real/test_run.py::test_c",
)
SEEDS = "tests/simulation/test_seeds.py::test_d[1]"
CHAINS = "tests/simulation/test_chains.py::test_e"
OTHER = "tests/protocol/job/test_offer.py::test_f[a::b]"

OUTCOMES = """
from tests.support.tools import needs_tool

def test_one_that_passes():
    pass

@needs_tool("no-such-tool-anywhere")
def test_one_that_is_skipped():
    pass
"""
CRASH = """
import os

def test_one_that_ends_its_process():
    os._exit(0)
"""


def test_real_nodes_are_one_unit_and_every_other_file_is_its_own() -> None:
    assert {unit(one) for one in REAL} == {"real nodes"}
    assert unit(SEEDS) == "tests/simulation/test_seeds.py"
    assert unit(OTHER) == "tests/protocol/job/test_offer.py"


def test_what_takes_longest_comes_first() -> None:
    ordered = sorted([OTHER, CHAINS, SEEDS, *REAL], key=place)
    assert ordered == [*REAL, SEEDS, CHAINS, OTHER]


def test_every_place_that_is_named_exists() -> None:
    assert [name for name in (*REAL_NODES, *LONG) if not (ROOT / name).exists()] == []


def test_one_process_more_than_cores_run_and_never_very_many() -> None:
    assert [number_of_workers(cores) for cores in (1, 2, 64)] == [2, 3, WORKERS_MAX]


def run_shared(folder: Path, text: str) -> "subprocess.CompletedProcess[str]":
    """Run a test file of its own in two processes, with the hooks of this project."""
    (folder / "test_small.py").write_text(text)
    (folder / "pytest.ini").write_text("[pytest]\n")
    options = ["-p", "tests.conftest", "-n", "2", "-c", "pytest.ini", "--rootdir", ".", "."]
    command = [sys.executable, "-m", "pytest", *options]
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "PYTEST_ADDOPTS": ""}
    return subprocess.run(
        command,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.slow
def test_what_a_process_skipped_for_a_tool_is_still_told_at_the_end(tmp_path: Path) -> None:
    done = run_shared(tmp_path, OUTCOMES)
    assert done.returncode == 0, done.stdout + done.stderr
    told = "for want of no-such-tool-anywhere:\n  test_small.py::test_one_that_is_skipped\n"
    assert told in done.stdout
    assert "1 passed, 1 skipped" in done.stdout


@pytest.mark.slow
def test_a_process_that_dies_fails_its_test(tmp_path: Path) -> None:
    done = run_shared(tmp_path, CRASH)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "crashed while running 'test_small.py::test_one_that_ends_its_process'" in done.stdout
