"""Nodes that share content over networks in this process, and peers that do not keep their word."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import msgpack
import trio

from p2pnode.content import Content
from p2pnode.pulling import CHUNK_KIND, LIST_KIND
from p2pnode.storage import ArtifactStore, open_artifacts
from protocol.content import ChunkList, ContentHasher
from protocol.encoding import CHUNK_BYTES
from tests.p2pnode.fake_ports import FakeNetwork

LIMIT = 32 * CHUNK_BYTES
SMALL = b"small content"


def made(chunks: float, seed: int = 1) -> bytes:
    """Content of so many chunks, no two of them equal."""
    return random.Random(seed).randbytes(int(chunks * CHUNK_BYTES))  # noqa: S311  no secret


LARGE = made(2.5)
"""Three chunks, the last of them short."""


def list_of(content: bytes) -> ChunkList:
    hasher = ContentHasher()
    hasher.update(content)
    return hasher.chunks()


async def node(
    folder: Path, *peers: FakeNetwork, name: bytes = b"own", total: int = LIMIT
) -> tuple[Content, ArtifactStore, FakeNetwork]:
    network = FakeNetwork(name.ljust(32, b"."))
    network.knows(*peers)
    store = await open_artifacts(folder / name.decode(), LIMIT, total)
    accounts = [peer.account for peer in peers]
    return Content(store, network.port, lambda: accounts), store, network


async def holder(folder: Path, content: bytes = LARGE, name: bytes = b"holder") -> FakeNetwork:
    _, store, network = await node(folder, name=name)
    await store.put(content)
    return network


Answer = Callable[[int, bytes], bytes | None]
"""What a peer sends for a chunk of this number with these bytes; None: nothing, ever."""


@dataclass
class Sender:
    """A peer that has content in memory, and sends of it what it likes."""

    name: bytes
    content: bytes
    answer: Answer = lambda index, right: right
    seconds: float = 0.0
    """Until each answer."""
    sent: list[int] = field(default_factory=list)
    open: int = 0
    open_most: int = 0

    def __post_init__(self) -> None:
        self.network = FakeNetwork(self.name.ljust(32, b"."))
        self.network.serve(LIST_KIND, self._list)
        self.network.serve(CHUNK_KIND, self._chunk)

    async def _list(self, account: bytes, payload: bytes) -> bytes:
        return list_of(self.content).encode()

    async def _chunk(self, account: bytes, payload: bytes) -> bytes:
        _, index = msgpack.unpackb(payload)
        self.open += 1
        self.open_most = max(self.open, self.open_most)
        try:
            await trio.sleep(self.seconds)
            begin = index * CHUNK_BYTES
            answer = self.answer(index, self.content[begin : begin + CHUNK_BYTES])
            if answer is None:
                await trio.sleep_forever()
            self.sent.append(index)
            return answer or b""
        finally:
            self.open -= 1
