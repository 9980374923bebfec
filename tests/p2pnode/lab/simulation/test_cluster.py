"""A cluster on the loopback interface plays a sweep as processes of this machine do."""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import p2pnode
from p2pnode.lab.results import MissingExtra
from p2pnode.lab.simulation.cluster import joined
from p2pnode.lab.simulation.commands import main
from p2pnode.lab.simulation.library import ScenarioError
from p2pnode.lab.simulation.rows import read_rows
from p2pnode.lab.simulation.sweeping import Means, run_sweep
from tests.p2pnode.lab.simulation.test_sweeping import sweep

WORKERS = 2


@contextmanager
def workers(count: int = WORKERS) -> Iterator[Any]:
    """Runs a scheduler and workers in processes of their own; yields what starts and stops them."""
    distributed: Any = pytest.importorskip("distributed", reason="needs dask")
    local = distributed.LocalCluster(
        n_workers=count, threads_per_worker=1, host="127.0.0.1", dashboard_address=None
    )
    with local:
        yield local


@pytest.mark.slow
def test_a_cluster_gives_the_same_rows_as_processes_of_this_machine(tmp_path: Path) -> None:
    runs = sweep(tmp_path, "3")
    here = run_sweep(runs, tmp_path / "here", Means(processes=WORKERS))
    with workers() as local:
        line = ["sweep", str(tmp_path / "sweep.toml"), "--out", str(tmp_path / "there")]
        assert main([*line, "--dask", local.scheduler_address]) == 0
        with joined(local.scheduler_address) as found:
            assert found.slots == WORKERS
    there = sorted(read_rows(tmp_path / "there"), key=lambda row: (row["cell"], row["seed"]))
    for row in (*here, *there):
        row["wall_ms"] = 0
    assert there == here
    assert len(here) == 6


@pytest.mark.slow
def test_a_cluster_without_workers_or_with_others_versions_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with (
        workers(0) as local,
        pytest.raises(ScenarioError, match="has no workers: start some"),
        joined(local.scheduler_address),
    ):
        pass
    with workers(1) as local:
        monkeypatch.setattr(p2pnode, "__version__", "0.0.0")
        with (
            pytest.raises(ScenarioError, match=r"and not 0\.0\.0"),
            joined(local.scheduler_address),
        ):
            pass


def test_a_machine_without_dask_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ImportError):
        importlib.import_module("distributed")
    with (
        pytest.raises(MissingExtra, match=r"pip install 'p2pnode\[dask\]'"),
        joined("tcp://127.0.0.1:1"),
    ):
        pass
