"""A process that serves one artefact, and the same bytes on a plain stream of the library.

Run as `python -m tests.benchmarks.artefact_source FOLDER NUMBER SIZE_BYTES RATE_BPS`; prints its
address and ends when its standard input does.
"""

import random
import sys
from pathlib import Path

import trio
from libp2p.abc import INetStream
from libp2p.custom_types import TProtocol

from p2pnode.content import Content
from p2pnode.network import Network, open_network
from p2pnode.network.framing import STREAM_FAILURES
from p2pnode.network.link_rules import LinkRule
from p2pnode.storage import open_artifacts
from protocol.encoding import CHUNK_BYTES
from tests.support.networks import accept_all, local_settings, seed_of

RAW_PROTOCOL = TProtocol("/p2pnode/benchmark/raw/1")
STORE_BYTES = 2**31


def content_of(size_bytes: int) -> bytes:
    """The artefact of all sources."""
    return random.Random(1).randbytes(size_bytes)  # noqa: S311  no secret


async def main(folder: Path, number: int, size_bytes: int, rate_bps: int) -> None:
    """Serve until nobody wants it any more."""
    content = content_of(size_bytes)
    store = await open_artifacts(folder / f"source-{number}", STORE_BYTES, STORE_BYTES)
    await store.put(content)
    settings = local_settings(target_links=0)
    async with open_network(settings, seed_of(number), accept_all) as network:
        Content(store, network, tuple)
        _serve_raw(network, content)
        if rate_bps:
            rule = LinkRule(rate_bps=rate_bps)
            network.link_filter = lambda account: rule
        print(network.addresses[0], flush=True)
        await trio.to_thread.run_sync(sys.stdin.read)


def _serve_raw(network: Network, content: bytes) -> None:
    """Writes the bytes to whoever opens the stream, in large pieces."""

    async def write(stream: INetStream) -> None:
        try:
            for at in range(0, len(content), CHUNK_BYTES):
                await stream.write(content[at : at + CHUNK_BYTES])
            await stream.close()
        except STREAM_FAILURES:
            return

    network._parts.requests._host.set_stream_handler(RAW_PROTOCOL, write)


if __name__ == "__main__":
    trio.run(main, Path(sys.argv[1]), *map(int, sys.argv[2:]))
