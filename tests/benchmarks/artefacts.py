"""Artefacts between processes: how fast, next to a plain stream of the library, and from several.

Each source is a process of its own with a network and a store, as in a node; so is the one that
fetches, which is this process. What is fetched is checked, written and synced; what comes over the
plain stream is thrown away.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import trio
from libp2p.peer.id import ID

from p2pnode.content import Content
from p2pnode.network import Network, open_network
from p2pnode.storage import open_artifacts
from protocol.encoding import content_digest
from tests.benchmarks.artefact_source import RAW_PROTOCOL, STORE_BYTES, content_of
from tests.benchmarks.figures import Effort, Figure, Floor, at_least
from tests.support.networks import accept_all, local_settings, seed_of

MEGABYTE = 1_000_000
SIZE_BYTES = 100 * MEGABYTE
SHAPED_BYTES = 60 * MEGABYTE
RATE_BPS = 15 * MEGABYTE * 8
READ_BYTES = 64 * 1024
SOURCES = 3
STOP_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class _Fetcher:
    """A network with links to its sources, and a place for what it fetches."""

    network: Network
    folder: Path
    sources: tuple[bytes, ...]

    async def artefact(self, digest: bytes, size_bytes: int, sources: int) -> float:
        """Fetches an artefact into a new store, and says in how many bytes a second."""
        with tempfile.TemporaryDirectory(dir=self.folder) as name:
            store = await open_artifacts(Path(name), STORE_BYTES, STORE_BYTES)
            content = Content(store, self.network, tuple)
            begun = time.monotonic()
            await content.bring(digest, self.sources[:sources], size_bytes)
            return size_bytes / (time.monotonic() - begun)

    async def raw(self, size_bytes: int) -> float:
        """Reads the same bytes from a plain stream of the first source."""
        host = self.network._parts.requests._host
        link = self.network._parts.links.get(self.sources[0])
        assert link is not None
        peer: ID = link.peer_id
        begun, left = time.monotonic(), size_bytes
        stream = await host.new_stream(peer, [RAW_PROTOCOL])
        while left:
            left -= len(await stream.read(READ_BYTES))
        elapsed = time.monotonic() - begun
        await stream.close()
        return size_bytes / elapsed


def measure(effort: Effort) -> Iterator[Figure]:
    """Fetch in turns with the plain stream, then with every source's upload shaped."""
    runs = effort.of(9, 3)
    with tempfile.TemporaryDirectory(prefix="p2pnode-benchmark-") as name:
        raw, pulled = trio.run(_next_to_raw, Path(name), runs)
    stated = f"{SIZE_BYTES // MEGABYTE} MB, two processes on loopback, in turns, {runs} runs each"
    yield Figure("plain stream of the library", "MB/s", raw, stated)
    floor = Floor("plain stream of the library", median(raw))
    yield Figure("artefact from one node", "MB/s", pulled, f"{stated}; checked and synced", floor)
    shares = tuple(ours / plain for ours, plain in zip(pulled, raw, strict=True))
    yield Figure("artefact next to the stream before it", "", shares, stated, target=at_least(0.7))
    with tempfile.TemporaryDirectory(prefix="p2pnode-benchmark-") as name:
        one, three = trio.run(_shaped, Path(name), effort.of(5, 2))
    stated = f"{SHAPED_BYTES // MEGABYTE} MB, each source's upload shaped to 15 MB/s"
    yield Figure("shaped: artefact from one node", "MB/s", one, stated)
    floor = Floor("the same from one", median(one))
    yield Figure(f"shaped: artefact from {SOURCES} nodes", "MB/s", three, stated, floor)
    gains = tuple(many / single for many, single in zip(three, one, strict=True))
    name = f"shaped: {SOURCES} nodes next to one"
    yield Figure(name, "", gains, stated, target=at_least(2.5))


async def _next_to_raw(folder: Path, runs: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    digest = content_digest(content_of(SIZE_BYTES))
    raw, pulled = [], []
    async with _fetching(folder, 1, SIZE_BYTES, 0) as fetcher:
        for _ in range(runs):
            raw.append(await fetcher.raw(SIZE_BYTES) / MEGABYTE)
            pulled.append(await fetcher.artefact(digest, SIZE_BYTES, 1) / MEGABYTE)
    return tuple(raw), tuple(pulled)


async def _shaped(folder: Path, runs: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    digest = content_digest(content_of(SHAPED_BYTES))
    one, three = [], []
    async with _fetching(folder, SOURCES, SHAPED_BYTES, RATE_BPS) as fetcher:
        for _ in range(runs):
            one.append(await fetcher.artefact(digest, SHAPED_BYTES, 1) / MEGABYTE)
            three.append(await fetcher.artefact(digest, SHAPED_BYTES, SOURCES) / MEGABYTE)
    return tuple(one), tuple(three)


@asynccontextmanager
async def _fetching(
    folder: Path, sources: int, size_bytes: int, rate_bps: int
) -> AsyncIterator[_Fetcher]:
    """Start the sources, and a network that is linked to all of them."""
    with ExitStack() as stack:
        processes = [
            stack.enter_context(_started(folder, number, size_bytes, rate_bps))
            for number in range(1, sources + 1)
        ]
        addresses = [await trio.to_thread.run_sync(_address_of, one) for one in processes]
        settings = local_settings(target_links=0)
        async with open_network(settings, seed_of(sources + 1), accept_all) as network:
            accounts: Sequence[bytes] = [await network.connect(one) for one in addresses]
            yield _Fetcher(network, folder, tuple(accounts))
        for process in processes:
            process.communicate(timeout=STOP_SECONDS)


def _started(folder: Path, number: int, size_bytes: int, rate_bps: int) -> "subprocess.Popen[str]":
    arguments = [str(folder), *map(str, (number, size_bytes, rate_bps))]
    return subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.artefact_source", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _address_of(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()
