"""A hundred thousand accounts: writing a snapshot beside a running loop, and starting from it.

`python -m tests.benchmarks.snapshots FOLDER ACCOUNTS` is one start in a process of its own.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import apsw
import trio
from msgspec.structs import replace as with_fields

from p2pnode.clock import NodeClock
from p2pnode.driver import Driver
from p2pnode.genesis import Founder, make_genesis
from p2pnode.restoring import begin, restore
from p2pnode.snapshots import mark_of
from p2pnode.storage import (
    Journal,
    JournalRecord,
    NodeSeeds,
    SnapshotMark,
    StoredBlock,
    load_or_create_seeds,
    open_journal,
    prepare_data_folder,
)
from p2pnode.storage.database import JOURNAL_FILE
from protocol import effects as fx
from protocol import vrf
from protocol.core import Core
from protocol.encoding import decode_kept, encode
from protocol.ledger.block import stored_digest
from protocol.ledger.pool import OperationPool
from protocol.messages import Allocation, Genesis, network_of
from protocol.parameters import local
from protocol.replica import Replica
from protocol.resting import snapshot_of_end
from protocol.roles.validator import Validator
from protocol.signing import REAL, Identity, account_of
from protocol.snapshot import Snapshot
from protocol.state import State
from protocol.units import CREDIT, MILLISECOND, AccountId
from tests.benchmarks.figures import Effort, Figure
from tests.benchmarks.processes import MIB, forget_peak, peak_mib

MEMBERS = 4
EPOCH_ROUNDS = 500
BATCH = 500
BEAT_SECONDS = 0.001
GENESIS_FILE = "genesis.msgpack"
MEGA = 1e6


@dataclass
class History:
    """What a calm network of four members leaves in one node's store."""

    genesis: Genesis
    blocks: list[JournalRecord] = field(default_factory=list)
    ends: list[fx.PersistSnapshot] = field(default_factory=list)
    """With all their pages."""


def measure(effort: Effort) -> Iterator[Figure]:
    """Write the newest snapshot again and again, then start with and without one."""
    accounts, rounds = effort.of(100_000, 2_000), effort.of(1_520, 1_020)
    size = f"{accounts:,} accounts, {rounds * MEMBERS:,} blocks, epochs of {EPOCH_ROUNDS} rounds"
    with tempfile.TemporaryDirectory(prefix="p2pnode-benchmark-") as name:
        folder = Path(name)
        seeds = [_seeds(folder / f"node-{number}") for number in range(MEMBERS)]
        founded = _founded(seeds)
        (folder / "node-0" / GENESIS_FILE).write_bytes(encode(founded))
        history = _weave(founded, seeds, accounts, rounds)
        yield from trio.run(_write, folder / "node-0", seeds[0], history, effort.of(5, 2), size)
        for what in ("newest snapshot and later blocks", "whole replay"):
            starts = [_start(folder / "node-0", accounts) for _ in range(effort.of(3, 2))]
            stated = f"processor time until a core is ready; {starts[0][2]} blocks; {size}"
            yield Figure(f"start: {what}", "s", tuple(one[0] for one in starts), stated)
            peaks = tuple(one[1] / MEGA for one in starts)
            yield Figure(f"start: {what}: memory", "MB", peaks, f"peak of the process; {size}")
            _forget_snapshots(folder / "node-0")


def _seeds(root: Path) -> NodeSeeds:
    return load_or_create_seeds(prepare_data_folder(root).key)


def _weave(founded: Genesis, seeds: list[NodeSeeds], accounts: int, rounds: int) -> History:
    """Blocks in lockstep, across the ends of epochs."""
    genesis = _peopled(founded, accounts)
    terms = genesis.parameters
    replica, history = Replica(genesis, REAL), History(genesis)
    validators = _validators(replica, seeds)
    for number in range(1, rounds + 1):
        now = number * terms.minimum_round_ms * MILLISECOND
        pool = OperationPool(terms, replica.state.next_nonce)
        for block in [one.propose(pool, now) for one in validators]:
            body = block.block
            if replica.take(block).accepted:
                stored = StoredBlock(block.digest, body.author, body.round, body.epoch, block.raw)
                history.blocks.append(stored)
            if replica.begin_epoch():
                end = snapshot_of_end(replica.state, account_of(seeds[0].signing))
                whole = Snapshot(end.snapshot.boundary, tuple(end.snapshot.pages))
                history.ends.append(fx.PersistSnapshot(whole, end.own_nonce))
                validators = _validators(replica, seeds)
    return history


def _peopled(genesis: Genesis, accounts: int) -> Genesis:
    """Gives that many people an account: more than a genesis file may hold."""
    people = tuple(
        Allocation(AccountId(number.to_bytes(32, "big")), CREDIT) for number in range(accounts)
    )
    return with_fields(genesis, allocations=genesis.allocations + people, time_ms=0)


def _founded(seeds: list[NodeSeeds]) -> Genesis:
    founders = [Founder(account_of(one.signing), vrf.public_key(one.randomness)) for one in seeds]
    terms = with_fields(local(), epoch_rounds=EPOCH_ROUNDS)
    return make_genesis("benchmark", terms, founders, None)


def _validators(replica: Replica, seeds: list[NodeSeeds]) -> list[Validator]:
    found = []
    for one in seeds:
        member = replica.ledger.committee.index_of(account_of(one.signing))
        assert member is not None, "nobody is ever silent"
        secrets = (one.signing, one.randomness)
        terms = replica.parameters
        found.append(Validator(replica.ledger, member, secrets, replica.network, terms, REAL))
    return found


@dataclass(frozen=True, slots=True)
class Written:
    """One snapshot as a running node writes it."""

    seconds: float
    busy_seconds: float
    stall_seconds: float
    """The longest time by which the loop was late meanwhile."""
    grown_bytes: int
    pages: int


async def _write(
    root: Path, seeds: NodeSeeds, history: History, runs: int, size: str
) -> list[Figure]:
    """Stores the blocks, then the state at the newest end, several times."""
    network, account = network_of(history.genesis), account_of(seeds.signing)
    end = history.ends[-1]
    state = Replica(history.genesis, REAL, end.snapshot).state
    mark = mark_of(end.snapshot, end.own_nonce)
    async with open_journal(root, network, account, hash_block=stored_digest) as journal:
        for first in range(0, len(history.blocks), BATCH):
            await journal.append(history.blocks[first : first + BATCH])
        done = [await _write_once(journal, state, mark) for _ in range(runs)]
    volume = sum(map(len, end.snapshot.pages)) / MEGA
    stated = f"{done[0].pages} pages of {volume:.1f} MB, each synced to the disk; {size}"
    wall, busy = [one.seconds for one in done], [one.busy_seconds for one in done]
    stalls, grown = [one.stall_seconds for one in done], max(one.grown_bytes for one in done)
    return [
        Figure("write a snapshot", "s", tuple(wall), f"wall time beside an idle loop; {stated}"),
        Figure("write a snapshot: processor time", "s", tuple(busy), f"loop included; {stated}"),
        Figure("write a snapshot: longest stall of the loop", "s", tuple(stalls), stated),
        Figure("write a snapshot: memory", "MB", (grown / MEGA,), f"growth of the peak; {stated}"),
    ]


async def _write_once(journal: Journal, state: State, mark: SnapshotMark) -> Written:
    before_mib, beats = forget_peak(), list[float]()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_beat, beats)
        await trio.sleep(0.1)
        beats.clear()
        begun, worked = time.monotonic(), time.process_time()
        whole = await journal.write_snapshot(mark, state.encode_pages())
        seconds, busy = time.monotonic() - begun, time.process_time() - worked
        nursery.cancel_scope.cancel()
    grown = int(max(0, peak_mib() - before_mib) * MIB)
    return Written(seconds, busy, max(beats), grown, whole.pages)


async def _beat(beats: list[float]) -> None:
    """Notes by how much the loop was late, a thousand times a second."""
    while True:
        begun = time.monotonic()
        await trio.sleep(BEAT_SECONDS)
        beats.append(time.monotonic() - begun - BEAT_SECONDS)


def _start(root: Path, accounts: int) -> tuple[float, float, int]:
    """One start in a fresh process: seconds, peak of its memory, blocks replayed."""
    line = [sys.executable, "-m", "tests.benchmarks.snapshots", str(root), str(accounts)]
    printed = subprocess.run(line, check=True, stdout=subprocess.PIPE).stdout
    found = json.loads(printed.splitlines()[-1])  # behind what the log says
    return found["seconds"], found["peak_bytes"], found["blocks"]


def _forget_snapshots(root: Path) -> None:
    connection = apsw.Connection(str(root / JOURNAL_FILE))
    connection.execute("DELETE FROM snapshot")
    connection.close()


async def _open_and_restore(root: Path, accounts: int) -> dict[str, float]:
    genesis = _peopled(decode_kept((root / GENESIS_FILE).read_bytes(), Genesis), accounts)
    seeds = load_or_create_seeds(root / "key")
    identity = Identity(seeds.signing, seeds.randomness)
    network, account = network_of(genesis), account_of(seeds.signing)
    begun = time.process_time()
    async with open_journal(root, network, account, hash_block=stored_digest) as journal:
        make = partial(Core, genesis, identity)
        core, where = begin(journal, lambda at: make(snapshot=at))
        await restore(journal, Driver(core, _Nothing(), NodeClock(0)), where, may_sign=True)
        seconds = time.process_time() - begun
        count = sum(1 for _ in journal.blocks(where.after_sequence))
    return {"seconds": seconds, "peak_bytes": peak_mib() * MIB, "blocks": count}


class _Nothing:
    """A world in which nothing is done: a start asks for nothing."""

    async def keep(self, records: tuple[fx.Persist, ...]) -> None:
        """Is never asked."""

    async def perform(self, effect: fx.Effect) -> None:
        """Is never asked."""

    def report(self, fact: fx.Fact) -> None:
        """Is never told."""


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.snapshots")
    parser.add_argument("folder", type=Path)
    parser.add_argument("accounts", type=int)
    given = parser.parse_args()
    sys.stdout.write(json.dumps(trio.run(_open_and_restore, given.folder, given.accounts)))
