"""The store of a member that has lived through many epochs, made in virtual time."""

import gc
from dataclasses import dataclass, field
from pathlib import Path

import trio
from msgspec.structs import replace

from p2pnode.genesis import write_genesis
from p2pnode.snapshots import mark_of
from p2pnode.storage import (
    FinalCommit,
    JournalRecord,
    NodeSeeds,
    OwnSlot,
    SnapshotMark,
    StoredBlock,
    StoredCertificate,
    create_seeds,
    layout,
    load_or_create_seeds,
    open_journal,
    prepare_data_folder,
)
from protocol import effects as fx
from protocol import events as ev
from protocol.ledger.block import stored_digest
from protocol.messages import Genesis, network_of
from protocol.parameters import local
from protocol.signing import account_of
from protocol.simulator.network import Conditions, Delay, Law
from protocol.simulator.scenario import START_NS, Scenario, Workload, genesis_of, identities
from protocol.simulator.scheme import CACHED
from protocol.simulator.world import World
from protocol.units import MILLISECOND, SECOND, AccountId

MEMBERS = 4
ROUND_MS = 250
BLOCKS_PER_TRANSFER = 16
BATCH = 500
SNAPSHOTS_KEPT = 2
NODE = 0


@dataclass(frozen=True, slots=True)
class _Kept:
    """A snapshot as it was when the core asked for it."""

    mark: SnapshotMark
    pages: tuple[bytes, ...]


@dataclass(slots=True)
class _Keeper:
    """Keeps what one node has to keep."""

    records: list[JournalRecord] = field(default_factory=list)
    snapshots: list[_Kept] = field(default_factory=list)
    blocks: int = 0

    def event(self, time: int, node: int, event: ev.Event) -> None:
        """Events are not kept."""

    def effect(self, time: int, node: int, effect: fx.Effect) -> None:
        if node != NODE:
            return
        match effect:
            case fx.PersistBlock(digest, epoch, block_round, author, raw):
                self.records.append(StoredBlock(digest, author, block_round, epoch, raw))
                self.blocks += 1
            case fx.PersistSlot(epoch, block_round, digest):
                self.records.append(OwnSlot(epoch, block_round, digest))
            case fx.PersistCommit(index, digest, state_digest):
                self.records.append(FinalCommit(index, digest, state_digest))
            case fx.PersistCertificate(epoch, raw):
                self.records.append(StoredCertificate(epoch, raw))
            case fx.PersistSnapshot(snapshot, own_nonce):
                kept = _Kept(mark_of(snapshot, own_nonce), tuple(snapshot.pages))
                self.snapshots = [*self.snapshots, kept][-SNAPSHOTS_KEPT:]


@dataclass(frozen=True, slots=True)
class Lived:
    """What a store holds.

    Attributes:
        epochs: How many have ended.
        blocks: All of them.
        later: Blocks of the epochs that the newest snapshot does not stand for.
    """

    epochs: int
    blocks: int
    later: int


def lay_down_lived(folder: Path, blocks: int) -> Lived:
    """Write the data folder of one member after about so many blocks.

    The members go at full pace, with a transfer now and then; signatures are real. The snapshots
    are those that the core asked for at the last two ends, as a node that ran all the time has
    them.
    """
    scenario = _scenario(blocks)
    keeper = _Keeper()
    world = World(scenario, (keeper,), CACHED)
    gc.disable()  # nothing here is freed by it, and looking for it costs a fifth
    now = START_NS
    while keeper.blocks < blocks:
        now += 10 * SECOND
        world.engine.run(now)
    gc.enable()
    core = world.nodes[NODE].core
    assert core is not None
    found_folder(folder, blocks)
    trio.run(_store, folder, world.genesis, keeper)
    return Lived(int(core.ledger.committee.epoch), keeper.blocks, _later(keeper))


def _scenario(blocks: int) -> Scenario:
    span_ns = blocks // MEMBERS * ROUND_MS * MILLISECOND
    return Scenario(
        name="lived",
        seed=1,
        stakes=(5_000,) * MEMBERS,
        conditions=Conditions(Delay(Law.CONSTANT, 20 * MILLISECOND, 20 * MILLISECOND)),
        workload=Workload(blocks // BLOCKS_PER_TRANSFER, 0, span_ns),
        safety_ns=START_NS + span_ns,
        parameters=replace(local(), minimum_round_ms=ROUND_MS, idle_round_ms=ROUND_MS),
    )


def found_folder(root: Path, blocks: int) -> None:
    """Write key and genesis of the same member, and no store."""
    scenario = _scenario(blocks)
    secret = identities(scenario)[NODE]
    folder = prepare_data_folder(root)
    create_seeds(folder.key, NodeSeeds(secret.seed, secret.vrf_seed))
    write_genesis(folder.genesis, genesis_of(scenario, CACHED))


def _later(keeper: _Keeper) -> int:
    begun = max((one.mark.epoch for one in keeper.snapshots), default=0)
    blocks = (one for one in keeper.records if isinstance(one, StoredBlock))
    return sum(one.epoch >= begun for one in blocks)


async def _store(root: Path, genesis: Genesis, keeper: _Keeper) -> None:
    account = AccountId(account_of(load_or_create_seeds(layout(root).key).signing))
    opening = open_journal(root, network_of(genesis), account, hash_block=stored_digest)
    async with opening as journal:
        for begin in range(0, len(keeper.records), BATCH):
            await journal.append(keeper.records[begin : begin + BATCH])
        for one in keeper.snapshots:
            await journal.write_snapshot(one.mark, iter(one.pages))
