"""What node processes cost while nobody asks anything of them."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress

from p2pnode.lab.readiness import client_of
from tests.benchmarks.figures import Effort, Figure, at_most
from tests.benchmarks.jobs import follow
from tests.benchmarks.processes import cpu_seconds, descendants, maps, resident_mib
from tests.benchmarks.real_nodes import RealNodes, conditions, running

CALM_SECONDS = 20
WATCH_SECONDS = 0.02
RUNTIMES = ("onnxruntime", "wasmtime")
PERCENT = 100.0


def measure(effort: Effort) -> Iterator[Figure]:
    """Run one job, so that workers exist, wait until all is calm, and look."""
    seconds = effort.of(60, 20)
    with running() as nodes:
        workers = _workers_of_a_job(nodes)
        time.sleep(CALM_SECONDS)
        shares = _shares(nodes.pids, seconds)
        _check_libraries(nodes)
        resident = tuple(resident_mib(pid) for pid in nodes.pids)
        left = len(_workers(nodes))
        terms = nodes.genesis.parameters
    stated = (
        f"{conditions(terms)}, idle pace {terms.idle_round_ms} ms; for {seconds} s, "
        f"{CALM_SECONDS} s after a job; "
    )
    slowest = f"all nodes: {_listed(shares)}; none of them maps {' or '.join(RUNTIMES)}"
    yield Figure(
        "idle node, processor", "% core", (max(shares),), stated + slowest, None, at_most(5)
    )
    yield Figure(
        "idle node, memory",
        "MiB",
        (max(resident),),
        f"{stated}all nodes: {_listed(resident)}",
        None,
        at_most(130 * 1e6 / 2**20),
    )
    apart = f"greatest of each that was seen during the job; {left} of {len(workers)} left later"
    yield Figure("worker processes, memory", "MiB", tuple(workers.values()), apart)


def _workers_of_a_job(nodes: RealNodes) -> dict[int, float]:
    """Run a job, and look at the processes that the nodes start for it: memory by number."""
    seen: dict[int, float] = {}
    done = threading.Event()

    def watch() -> None:
        while not done.wait(WATCH_SECONDS):
            for pid, memory in _workers(nodes).items():
                seen[pid] = max(memory, seen.get(pid, 0.0))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        with client_of(nodes.members[0]) as client:
            assert follow(client) is not None, "the job has no accepted result"
    finally:
        done.set()
        watcher.join()
    assert seen, "no process was seen to run the job"
    return seen


def _workers(nodes: RealNodes) -> dict[int, float]:
    found = {}
    for pid in [child for node in nodes.pids for child in descendants(node)]:
        with suppress(FileNotFoundError, ProcessLookupError):
            found[pid] = resident_mib(pid)
    return found


def _shares(pids: Sequence[int], seconds: int) -> tuple[float, ...]:
    before, begun = [cpu_seconds(pid) for pid in pids], time.monotonic()
    time.sleep(seconds)
    elapsed = time.monotonic() - begun
    return tuple(
        (cpu_seconds(pid) - start) / elapsed * PERCENT
        for pid, start in zip(pids, before, strict=True)
    )


def _check_libraries(nodes: RealNodes) -> None:
    for pid in nodes.pids:
        for library in RUNTIMES:
            assert not maps(pid, library), f"node process {pid} has loaded {library}"


def _listed(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:.1f}" for value in values)
