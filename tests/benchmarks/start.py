"""How long a node that has lived for long takes to serve again, and what of that is not its store.

The node is alone: its network is gone, and it serves what it knows. A node without any store shows
the floor: the interpreter, the imports, opening everything.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

import httpx

from p2pnode.storage import layout
from tests.benchmarks.figures import Effort, Figure, Floor, at_most
from tests.benchmarks.lived_store import MEMBERS, found_folder, lay_down_lived
from tests.benchmarks.processes import cpu_seconds

BLOCKS = 100_000
PATIENCE_SECONDS = 300.0
POLL_SECONDS = 0.01


@dataclass(frozen=True, slots=True)
class _Start:
    """Seconds from the start of the process to its first answer."""

    wall: float
    processor: float


def measure(effort: Effort) -> Iterator[Figure]:
    """Start a node on a store made for it, a few times, and one without a store."""
    runs = effort.of(5, 2)
    blocks = effort.of(BLOCKS, BLOCKS // 10)
    with tempfile.TemporaryDirectory(prefix="p2pnode-benchmark-") as name:
        empty, lived = Path(name) / "empty", Path(name) / "lived"
        found_folder(empty, blocks)
        epochs = lay_down_lived(lived, blocks)
        floors = tuple(_serving(empty) for _ in range(runs))
        times = tuple(_serving(lived) for _ in range(runs + 1))
    stated = f"{blocks:,} blocks by {MEMBERS} members in {epochs} epochs, a transfer in each 16th"
    yield from _figures("start of a node without a store", floors, "process to first answer")
    yield from _figures("first start with a long store", times[:1], stated)
    wall, processor = _figures("start with a long store", times[1:], stated)
    floor = Floor("the same without a store", median(one.wall for one in floors))
    yield replace(wall, floor=floor, target=at_most(3))
    yield replace(processor, floor=Floor(floor.name, median(one.processor for one in floors)))


def _figures(name: str, starts: Sequence[_Start], stated: str) -> tuple[Figure, Figure]:
    return (
        Figure(name, "s", tuple(one.wall for one in starts), stated),
        Figure(f"{name}, processor", "s", tuple(one.processor for one in starts), stated),
    )


def _serving(folder: Path) -> _Start:
    """Start a node as an operator does, wait until it answers, and end it."""
    paths = layout(folder)
    paths.api_address.unlink(missing_ok=True)
    command = [sys.executable, "-m", "p2pnode", "--data-dir", str(folder)]
    command += ["--listen", "/ip4/127.0.0.1/tcp/0", "--api", "127.0.0.1:0"]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("P2PNODE_")}
    begun = time.monotonic()
    with subprocess.Popen(command, env=kept, stderr=subprocess.DEVNULL) as process:
        try:
            while not _answers(paths.api_address):
                assert process.poll() is None, "the node ended by itself"
                assert time.monotonic() < begun + PATIENCE_SECONDS, "the node never answered"
                time.sleep(POLL_SECONDS)
            return _Start(time.monotonic() - begun, cpu_seconds(process.pid))
        finally:
            process.terminate()
            process.wait(PATIENCE_SECONDS)


def _answers(api_address: Path) -> bool:
    try:
        address = api_address.read_text().strip()
        return httpx.get(f"http://{address}/healthz", trust_env=False).status_code == 200
    except (FileNotFoundError, httpx.TransportError):
        return False
