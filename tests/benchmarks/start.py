"""How long a node that has lived for long takes to serve again, and what of that is not its store.

The node is alone: its network is gone, and it serves what it knows. Two floors: a process that
only imports what a node imports, and a node whose store has next to nothing in it.
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
from tests.benchmarks.lived_store import MEMBERS, lay_down_lived
from tests.benchmarks.processes import cpu_seconds

BLOCKS = 105_000
"""The newest snapshot is then almost an epoch old, which is as much as there is to replay."""
YOUNG_BLOCKS = 100
IMPORTING = [sys.executable, "-c", "import p2pnode.node"]
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
        young, lived = Path(name) / "young", Path(name) / "lived"
        lay_down_lived(young, YOUNG_BLOCKS)
        held = lay_down_lived(lived, blocks)
        imports = tuple(_importing() for _ in range(runs))
        floors = tuple(_serving(young) for _ in range(runs))
        times = tuple(_serving(lived) for _ in range(runs + 1))
    stated = (
        f"{held.blocks:,} blocks by {MEMBERS} members in {held.epochs} epochs, a transfer in each "
        f"16th; {held.later:,} of them after the newest snapshot"
    )
    yield from _figures("imports of a node alone", imports, "process that ends after them")
    young_stated = f"process to first answer, {YOUNG_BLOCKS} blocks"
    yield from _figures("start with a young store", floors, young_stated)
    yield from _figures("first start with a long store", times[:1], stated)
    wall, processor = _figures("start with a long store", times[1:], stated)
    floor = Floor("the same with a young store", median(one.wall for one in floors))
    yield replace(wall, floor=floor, target=at_most(3))
    yield replace(processor, floor=Floor(floor.name, median(one.processor for one in floors)))


def _figures(name: str, starts: Sequence[_Start], stated: str) -> tuple[Figure, Figure]:
    return (
        Figure(name, "s", tuple(one.wall for one in starts), stated),
        Figure(f"{name}, processor", "s", tuple(one.processor for one in starts), stated),
    )


def _importing() -> _Start:
    """Start a process that does no more than import."""
    begun, spent = time.monotonic(), _spent_by_children()
    subprocess.run(IMPORTING, check=True)
    return _Start(time.monotonic() - begun, _spent_by_children() - spent)


def _spent_by_children() -> float:
    """Processor seconds of all children that have ended."""
    times = os.times()
    return times.children_user + times.children_system


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
