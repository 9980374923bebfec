"""A small network driven by hand, really signed, and the data folders that its nodes leave behind.

Four cores exchange what they gossip without delay, in virtual time. Each keeps what it persists, as
a node's journal would.
"""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import count
from pathlib import Path

import trio
from msgspec.structs import replace as with_terms

from p2pnode.cli.entry import main
from p2pnode.genesis import write_genesis
from p2pnode.snapshots import keep_snapshot
from p2pnode.storage import (
    FinalCommit,
    JournalRecord,
    OwnOperation,
    OwnSlot,
    PreparedReveal,
    StoredBlock,
    layout,
    open_journal,
)
from protocol import effects as fx
from protocol import events as ev
from protocol.core import Core
from protocol.encoding import content_digest, decode, digest_of
from protocol.messages import Genesis, Payload, SignedBlock, network_of
from protocol.parameters import Parameters, minimal
from protocol.signing import BLOCK, Identity
from protocol.simulator.scheme import CACHED
from protocol.snapshot import Snapshot
from protocol.units import SECOND, AccountId
from tests.support.builders import account_seed, make_genesis, make_offer

NODES = 4
DELAY_NS = 10_000_000
OUTPUT = content_digest(b"right")


@dataclass
class Member:
    """One node: its core and what it made durable."""

    core: Core
    records: list[JournalRecord] = field(default_factory=list)
    snapshots: list[fx.PersistSnapshot] = field(default_factory=list)


@dataclass
class Town:
    """All nodes and the time that they share."""

    genesis: Genesis
    members: list[Member]
    now: int = 0
    _waiting: list[tuple[int, int, int, ev.Event]] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=count)

    def deliver(self, number: int, event: ev.Event, time: int) -> None:
        heapq.heappush(self._waiting, (time, next(self._numbers), number, event))

    def run_until(self, end: int) -> None:
        while self._waiting and self._waiting[0][0] <= end:
            self.now, _, number, event = heapq.heappop(self._waiting)
            for effect in self.members[number].core.step(event, self.now):
                self._perform(number, effect)
        self.now = end

    def ask(self, number: int, payload: Payload) -> None:
        self.deliver(number, ev.OperationRequested(1, payload), self.now)

    def _perform(self, number: int, effect: fx.Effect) -> None:
        later = self.now + DELAY_NS
        account = self.members[number].core.account
        match effect:
            case fx.GossipBlock(raw):
                self._tell_others(number, ev.BlockReceived(account, raw))
            case fx.GossipOperations(raw):
                self._tell_others(number, ev.MessageReceived(account, raw))
            case fx.Send(peer, raw):
                self.deliver(self._number(peer), ev.MessageReceived(account, raw), later)
            case fx.WakeAt(time):
                self.deliver(number, ev.Tick(), max(time, self.now + 1))
            case fx.PersistSnapshot(snapshot, own_nonce):
                whole = Snapshot(snapshot.boundary, tuple(snapshot.pages))
                self.members[number].snapshots.append(fx.PersistSnapshot(whole, own_nonce))
            case fx.Execute(job=job):
                ended = ev.ExecutionEnded(job, 0, OUTPUT, 50, 0)
                self.deliver(number, ended, later)
            case _:
                record = _stored(effect)
                if record is not None:
                    self.members[number].records.append(record)

    def _tell_others(self, number: int, event: ev.Event) -> None:
        for other in range(len(self.members)):
            if other != number:
                self.deliver(other, event, self.now + DELAY_NS)

    def _number(self, account: AccountId) -> int:
        return [member.core.account for member in self.members].index(account)


def founded(parameters: Parameters | None = None) -> Town:
    """A network that has just started."""
    genesis = make_genesis(validators=NODES, parameters=parameters)
    members = [Member(Core(genesis, identity(number), CACHED)) for number in range(NODES)]
    town = Town(genesis, members)
    for number, member in enumerate(members):
        town.deliver(number, ev.Restored(0, (), ()), 0)
        for other in members:
            if other is not member:
                town.deliver(number, ev.PeerJoined(other.core.account), 1)
        offer = ev.WorkerOffered(frozenset({"onnx"}), frozenset({"cpu"}), 1_000, None, 2, 1)
        town.deliver(number, offer, 2)
    return town


def identity(number: int) -> Identity:
    return Identity(account_seed(number), b"random!" + number.to_bytes(25, "big"))


@cache
def town_with_a_job() -> Town:
    """A network that has settled one job; made once, and only looked at."""
    town = founded()
    town.run_until(3 * SECOND)
    town.ask(0, make_offer(replicas=2, replicas_max=3, tolerated_error_ppm=100_000))
    state = town.members[0].core.state
    for _ in range(60):
        town.run_until(town.now + SECOND)
        if state.jobs and all(job.terminal for job in state.jobs.values()):
            break
    return town


@cache
def town_of_epochs() -> Town:
    """A network that has ended three epochs; made once, and only looked at."""
    town = founded(with_terms(minimal(), epoch_rounds=12, epoch_rounds_min=6))
    town.run_until(40 * SECOND)
    return town


def block_count() -> int:
    """Blocks that each node of the town with a job keeps."""
    records = town_with_a_job().members[0].records
    return sum(isinstance(record, StoredBlock) for record in records)


def settle_into(folder: Path, town: Town, number: int = 0, *, prunes: bool = False) -> Path:
    """Writes the data folder that a node leaves behind, or what pruning leaves of it."""
    folder.mkdir()
    write_genesis(layout(folder).genesis, town.genesis)
    member = town.members[number]

    async def write() -> None:
        network, account = network_of(town.genesis), member.core.account
        async with open_journal(folder, network, account, hash_block=block_digest) as journal:
            await journal.append(member.records)
            for effect in member.snapshots:
                await keep_snapshot(journal, effect)
            while prunes and await journal.prune(0):
                pass

    trio.run(write)
    return folder


def exported(folder: Path, town: Town, number: int = 0) -> Path:
    """Writes a node's data folder and exports its ledger by the command itself."""
    data = settle_into(folder / f"node-{number}", town, number)
    out = folder / f"node-{number}.ledger"
    assert main(["ledger", "export", "--data-dir", str(data), "--out", str(out), "--json"]) == 0
    return out


def block_digest(raw: bytes) -> bytes:
    return digest_of(BLOCK, decode(raw, SignedBlock, 600_000).body)


def _stored(effect: fx.Effect) -> JournalRecord | None:
    match effect:
        case fx.PersistBlock(digest, epoch, block_round, author, raw):
            return StoredBlock(digest, author, block_round, epoch, raw)
        case fx.PersistSlot(epoch, block_round, digest):
            return OwnSlot(epoch, block_round, digest)
        case fx.PersistOperation(identifier, nonce, raw):
            return OwnOperation(identifier, nonce, raw)
        case fx.PersistReveal(job, raw):
            return PreparedReveal(job, raw)
        case fx.PersistCommit(index, digest, state_digest):
            return FinalCommit(index, digest, state_digest)
        case _:
            return None
