"""What node processes cost while nobody asks anything of them."""

import time
from collections.abc import Iterator, Sequence

from p2pnode.lab.readiness import client_of
from tests.benchmarks.figures import Effort, Figure, at_most
from tests.benchmarks.jobs import follow
from tests.benchmarks.processes import cpu_seconds, descendants, maps, resident_mib
from tests.benchmarks.real_nodes import RealNodes, conditions, running

CALM_SECONDS = 20
RUNTIMES = ("onnxruntime", "wasmtime")
PERCENT = 100.0


def measure(effort: Effort) -> Iterator[Figure]:
    """Run one job, so that workers exist, wait until all is calm, and look."""
    seconds = effort.of(60, 20)
    with running() as nodes:
        with client_of(nodes.members[0]) as client:
            assert follow(client) is not None, "the job has no accepted result"
        workers = [child for pid in nodes.pids for child in descendants(pid)]
        worker_memory = tuple(resident_mib(pid) for pid in workers)
        time.sleep(CALM_SECONDS)
        shares = _shares(nodes.pids, seconds)
        _check_libraries(nodes)
        resident = tuple(resident_mib(pid) for pid in nodes.pids)
        left = sum(1 for pid in nodes.pids for _ in descendants(pid))
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
    if workers:
        apart = f"processes that ran the job, right after it; {left} of {len(workers)} left later"
        yield Figure("worker processes, memory", "MiB", worker_memory, apart)


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
