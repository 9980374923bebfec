"""How the tests are shared out among the processes of pytest-xdist."""

import os

from xdist.scheduler import LoadScopeScheduling

REAL_NODES = (
    "tests/integration/",
    "tests/p2pnode/test_node_starting.py",
    "tests/p2pnode/lab/real/",
)
"""Tests that start whole nodes: one process runs them all, so that only one network runs."""
LONG = ("tests/simulation/test_seeds.py", "tests/simulation/")
"""Minutes of computing. They begin early, so that no process is left alone with them at the end."""
WORKERS_MAX = 8
"""The longest unit takes so long that more would finish no sooner."""


class ByFile(LoadScopeScheduling):  # type: ignore[misc]  # published without types
    """Give each process whole files, since the tests of a file share what they make."""

    def _split_scope(self, nodeid: str) -> str:
        return unit_of(nodeid)


def unit_of(nodeid: str) -> str:
    """The unit of a test, which runs in one process and in order."""
    return "real nodes" if nodeid.startswith(REAL_NODES) else nodeid.partition("::")[0]


def place_of(nodeid: str) -> int:
    """Where a test's unit stands in the queue; equal places keep their order."""
    first = (REAL_NODES, *LONG)
    return next((i for i, start in enumerate(first) if nodeid.startswith(start)), len(first))


def number_of_workers(cores: int) -> int:
    """One more than there are cores, since the tests of real nodes mostly wait."""
    return min(cores + 1, WORKERS_MAX)


def usable_cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0))
