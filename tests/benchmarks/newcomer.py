"""How long a newcomer takes to the newest certified state of an old and large network.

Two real networks over loopback in one process: one serves out of its memory, the other verifies,
fetches, and writes to a real journal; then the state is loaded as a start does it. What a node does
afterwards, following the blocks since that state, is in the groups of running nodes.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import trio

from p2pnode.arrival.arrival import Way, arrive
from p2pnode.arrival.asking import Asking
from p2pnode.arrival.company import Company
from p2pnode.arrival.serving import Serving
from p2pnode.arrival.store import JournalStore
from p2pnode.logs import configure_logs
from p2pnode.network import Network, NetworkSettings, open_network
from p2pnode.storage import open_journal
from protocol.ledger.block import stored_digest
from protocol.ledger.certified import encode_certificate, open_certificate
from protocol.ledger.committee import Committee
from protocol.messages import network_of
from protocol.signing import REAL
from protocol.snapshot import encode_pages
from protocol.state import State
from protocol.tree.tree import Tree
from protocol.units import Digest
from tests.benchmarks.figures import Effort, Figure, at_most
from tests.benchmarks.state import _entries
from tests.p2pnode.arrival.builders import MemoryStore, shelf_in
from tests.support.builders import account_id, account_seed
from tests.support.certificates import Notary

MEMBERS = 32
TOPICS = ("benchmark",)
LOOPBACK = ("/ip4/127.0.0.1/tcp/0",)
TARGET_SECONDS = 60


@dataclass
class Arrival:
    """The seconds of one newcomer."""

    chain_s: float = 0.0
    whole_s: float = 0.0
    load_s: float = 0.0


def measure(effort: Effort) -> Iterator[Figure]:
    """Yield the figures of this group."""
    configure_logs("console", "error")
    epochs, accounts = effort.of(1_000, 100), effort.of(100_000, 5_000)
    notary = Notary(MEMBERS)
    entries = list(_entries(notary.genesis, accounts, 0))
    root = Tree().updated(entries).root
    store = MemoryStore(notary.genesis)
    for epoch in range(epochs):
        newest = notary.end(root=root if epoch == epochs - 1 else None)
        store.kept[epoch] = encode_certificate(newest)
    store.snapshots[epochs - 1] = pages = tuple(encode_pages(entries))
    runs = [trio.run(_arrived, store) for _ in range(effort.of(3, 1))]
    size = f"{epochs:,} epochs of {MEMBERS} members, {accounts:,} accounts, {len(pages)} pages"
    conditions = f"wall clock, loopback, server in the same process; {size}"
    chains = tuple(one.chain_s for one in runs)
    yield Figure("newcomer: until the chain is proven", "s", chains, conditions)
    wholes = tuple(one.whole_s for one in runs)
    yield Figure("newcomer: until the state is durable", "s", wholes, conditions)
    totals = tuple(one.whole_s + one.load_s for one in runs)
    target = at_most(TARGET_SECONDS)
    yield Figure("newcomer: until the state is loaded", "s", totals, conditions, target=target)


async def _arrived(served: MemoryStore) -> Arrival:
    serving = NetworkSettings(LOOPBACK, (), TOPICS)
    with TemporaryDirectory() as folder:
        async with (
            open_network(serving, account_seed(1), _deaf) as near,
            open_network(NetworkSettings(LOOPBACK, (), TOPICS), account_seed(2), _deaf) as far,
        ):
            Serving(served, near)
            await far.connect(near.addresses[0])
            return await _timed(served, far, Path(folder))


async def _timed(served: MemoryStore, network: Network, folder: Path) -> Arrival:
    found, genesis = Arrival(), served.genesis
    begun = time.monotonic()
    shown = _Clocked(found, begun)
    newest = max(served.kept)
    opening = partial(open_journal, folder, network_of(genesis), account_id(2))
    async with opening(hash_block=stored_digest) as journal:
        company = Company(
            Asking(network), lambda: [one.account for one in network.peers()], 10 * newest
        )
        store = JournalStore(journal, shelf_in(folder))
        epoch = await arrive(Way(genesis, None), store, company, shown)
        found.whole_s = time.monotonic() - begun
        assert epoch == newest, f"the newest state is here, and not {epoch}: {company.liars}"
        (mark,) = journal.snapshots()
        begun = time.monotonic()
        pages = journal.snapshot_pages(mark)
        first = Committee.of_genesis(genesis)
        State.load(genesis, first, REAL, pages, _root(served, newest))
        found.load_s = time.monotonic() - begun
    return found


def _root(served: MemoryStore, epoch: int) -> Digest:
    return open_certificate(served.kept[epoch]).state_digest


@dataclass
class _Clocked:
    """Notes when the chain was proven."""

    found: Arrival
    begun: float

    def chain(self, epoch: int, newest: int) -> None:
        self.found.chain_s = time.monotonic() - self.begun

    def pages(self, epoch: int, done: int, total: int) -> None:
        return


def _deaf(topic: str, peer: bytes, payload: bytes) -> bool:
    return False
