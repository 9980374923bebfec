"""What a start makes of a journal: blocks, or a snapshot and the blocks after it."""

import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from typing import cast

import apsw
import pytest
import trio
import trio.testing
from msgspec.structs import replace

from p2pnode import restoring
from p2pnode.content import Content
from p2pnode.driver import Driver
from p2pnode.facts import FactLog
from p2pnode.live_line import ERASE, LiveLine
from p2pnode.restoring import Begun, begin, restore
from p2pnode.snapshots import keep_snapshot
from p2pnode.storage import (
    Contradiction,
    FinalCommit,
    Journal,
    SnapshotLost,
    layout,
    open_journal,
)
from p2pnode.storage.database import JOURNAL_FILE
from p2pnode.world import NodeWorld, WorldParts
from protocol import effects as fx
from protocol import events as ev
from protocol.core import Core
from protocol.ledger.block import stored_digest
from protocol.ledger.certified import open_certificate, verify_certificate
from protocol.ledger.committee import Committee
from protocol.messages import Genesis, network_of
from protocol.signing import REAL
from protocol.units import CREDIT
from tests.p2pnode.fake_ports import (
    FakeNetwork,
    FakeWorld,
    gift,
    live_driver,
    lone_core,
    lone_genesis,
)
from tests.p2pnode.offline.builders import identity
from tests.support.builders import account_id

PEER = account_id(2)


def genesis_of(epoch_rounds: int) -> Genesis:
    """A network whose only validator is account 0, with epochs of so many rounds."""
    genesis = lone_genesis()
    terms = replace(genesis.parameters, epoch_rounds=epoch_rounds, epoch_rounds_min=4)
    return replace(genesis, parameters=terms)


ONE_EPOCH = genesis_of(2_400)
SHORT = genesis_of(12)


@dataclass
class Restored:
    """What a start makes of a journal."""

    core: Core
    begun: Begun
    driver: Driver
    world: FakeWorld
    journal: Journal
    lacking: fx.PersistSnapshot | None


async def lived(folder: Path, genesis: Genesis = ONE_EPOCH, seconds: int = 10) -> FakeWorld:
    """Lets a lone validator live for some seconds, and writes down what it kept."""
    world = FakeWorld()
    driver = live_driver(lone_core(genesis), world)
    await driver.put(ev.Restored(0, (), ()))
    await driver.put(ev.OperationRequested(1, gift(amount=5 * CREDIT)))
    with trio.move_on_after(seconds):
        await driver.run()
    async with opened_journal(folder, genesis) as journal, trio.open_nursery() as nursery:
        await writer_of(journal, nursery, genesis, driver).keep(
            tuple(world.all("kept"))  # type: ignore[arg-type]  # only records
        )
        for effect in snapshots_of(world):
            await keep_snapshot(journal, effect)
    return world


def writer_of(
    journal: Journal, nursery: trio.Nursery, genesis: Genesis, driver: Driver
) -> NodeWorld:
    parts = WorldParts(journal, FakeNetwork().port, cast(Content, None), FactLog())
    return NodeWorld(parts, nursery, network_of(genesis), driver.clock)


@asynccontextmanager
async def opened_journal(folder: Path, genesis: Genesis) -> AsyncIterator[Journal]:
    network, account = network_of(genesis), account_id(0)
    async with open_journal(folder, network, account, hash_block=stored_digest) as journal:
        yield journal


@asynccontextmanager
async def restored(folder: Path, genesis: Genesis = ONE_EPOCH) -> AsyncIterator[Restored]:
    world, make = FakeWorld(), partial(Core, genesis, identity(0))
    async with opened_journal(folder, genesis) as journal:
        core, begun = begin(journal, lambda at: make(snapshot=at))
        driver = live_driver(core, world)
        lacking = await restore(journal, driver, begun, may_sign=True)
        yield Restored(core, begun, driver, world, journal, lacking)


def blocks_of(world: FakeWorld) -> list[fx.PersistBlock]:
    return [one for one in world.all("kept") if isinstance(one, fx.PersistBlock)]


def snapshots_of(world: FakeWorld) -> list[fx.PersistSnapshot]:
    return [one for one in world.all("performed") if isinstance(one, fx.PersistSnapshot)]


def last_commit_of(world: FakeWorld) -> fx.PersistCommit:
    return [one for one in world.all("kept") if isinstance(one, fx.PersistCommit)][-1]


async def test_a_restart_continues_where_the_journal_ends(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    before = await lived(tmp_path)
    commits = [one for one in before.all("kept") if isinstance(one, fx.PersistCommit)]
    async with restored(tmp_path) as made:
        assert made.core.state.index == commits[-1].index > 5
        assert made.core.state.digest == commits[-1].state_digest
        with trio.move_on_after(10):
            await made.driver.run()
    rounds = [one.round for one in before.all("kept") if isinstance(one, fx.PersistSlot)]
    later = [one.round for one in made.world.all("kept") if isinstance(one, fx.PersistSlot)]
    assert min(later) == max(rounds) + 1
    assert made.core.state.index > commits[-1].index


async def test_somebody_who_watches_sees_how_far_the_replay_is(
    tmp_path: Path, autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = await lived(tmp_path)
    monkeypatch.setattr(restoring, "RESTORE_BATCH", 4)
    seconds, terminal = count(), io.StringIO()
    line = LiveLine(terminal, lambda: next(seconds))
    async with opened_journal(tmp_path, ONE_EPOCH) as journal:
        core, begun = begin(journal, lambda at: Core(ONE_EPOCH, identity(0), snapshot=at))
        await restore(journal, live_driver(core, FakeWorld()), begun, line, may_sign=True)
    steps = range(4, len(blocks_of(before)) + 1, 4)
    shown = [f"replaying the journal: {done} blocks" for done in steps]
    assert terminal.getvalue().split(ERASE)[1:] == shown
    assert len(shown) > 2


async def test_a_damaged_block_is_forgotten_and_taken_back(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    blocks = blocks_of(await lived(tmp_path))
    damaged = blocks[len(blocks) // 2]
    rot(layout(tmp_path).journal, damaged.raw)
    async with restored(tmp_path) as made:
        known = [block.digest in made.core.ledger.dag for block in blocks]
        assert known == [block.round < damaged.round for block in blocks]
        assert await made.journal.block(damaged.digest) is None
        for block in blocks[blocks.index(damaged) :]:
            await made.driver.put(ev.BlockReceived(PEER, block.raw))
        with trio.move_on_after(2):
            await made.driver.run()
        assert all(block.digest in made.core.ledger.dag for block in blocks)
        assert damaged in made.world.all("kept"), "the fresh copy is kept"


def rot(path: Path, content: bytes) -> None:
    """Flips one bit of something in a file."""
    whole, middle = path.read_bytes(), len(content) // 2
    assert content in whole
    changed = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
    path.write_bytes(whole.replace(content, changed))


async def test_a_journal_that_tells_of_another_ledger_ends_the_start(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    world = await lived(tmp_path)
    await forge_final(tmp_path, world)
    with pytest.raises(Contradiction, match="commit"):
        async with restored(tmp_path):
            pass


async def forge_final(folder: Path, world: FakeWorld) -> None:
    """Writes the journal anew with another state after the last commit."""
    layout(folder).journal.unlink()
    records = world.all("kept")
    last = max(one.index for one in records if isinstance(one, fx.PersistCommit))
    async with opened_journal(folder, ONE_EPOCH) as journal, trio.open_nursery() as nursery:
        writer = writer_of(journal, nursery, ONE_EPOCH, live_driver(lone_core(), world))
        await writer.keep(tuple(blocks_of(world)))
        await journal.append([FinalCommit(last, b"c" * 32, b"s" * 32)])


# Snapshots


def execute(folder: Path, statement: str) -> None:
    connection = apsw.Connection(str(folder / JOURNAL_FILE))
    connection.execute(statement)
    assert connection.changes() > 0, "nothing was damaged"
    connection.close()


def damage_snapshot(folder: Path, epoch: int) -> None:
    execute(folder, f"UPDATE snapshot_page SET raw = x'00' WHERE epoch = {epoch}")  # noqa: S608


async def prune_all(folder: Path, genesis: Genesis) -> None:
    async with opened_journal(folder, genesis) as journal:
        while await journal.prune(0):
            pass
        assert journal.pruned() > 0


async def test_a_start_takes_the_newest_snapshot_and_later_blocks_alone(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    before = await lived(tmp_path, SHORT, seconds=40)
    newest = snapshots_of(before)[-1].snapshot.boundary
    assert newest.epoch >= 2
    last = last_commit_of(before)
    async with restored(tmp_path, SHORT) as made:
        assert made.begun.epoch == newest.epoch + 1 == made.core.state.committee.epoch
        left = [block for block in blocks_of(before) if block.epoch > newest.epoch]
        assert made.begun.after_sequence == len(blocks_of(before)) - len(left) > 0
        assert (made.core.state.index, made.core.state.digest) == (last.index, last.state_digest)
        known = made.core.ledger.last_commit
        assert known is not None
        assert known.digest == last.digest
        with trio.move_on_after(15):
            await made.driver.run()
    signed = [one for one in before.all("kept") if isinstance(one, fx.PersistSlot)]
    later = [one for one in made.world.all("kept") if isinstance(one, fx.PersistSlot)]
    slots = [(one.epoch, one.round) for one in (*signed, *later)]
    assert len(set(slots)) == len(slots), "no slot is signed twice"
    assert min(slots[len(signed) :]) > max(slots[: len(signed)])
    assert made.core.state.index > last.index


@pytest.mark.parametrize("damaged", [1, 2])
async def test_a_damaged_snapshot_leaves_an_earlier_one_or_all_blocks(
    damaged: int, tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    before = await lived(tmp_path, SHORT, seconds=40)
    epochs = [one.snapshot.boundary.epoch + 1 for one in snapshots_of(before)]
    for epoch in epochs[-damaged:]:
        damage_snapshot(tmp_path, epoch)
    last = last_commit_of(before)
    async with restored(tmp_path, SHORT) as made:
        assert made.begun.epoch == (epochs[-2] if damaged == 1 else 0)
        assert [epoch for epoch, _ in made.begun.damaged] == epochs[: -damaged - 1 : -1]
        assert (made.core.state.index, made.core.state.digest) == (last.index, last.state_digest)


async def test_a_snapshot_that_is_not_of_its_mark_is_not_used(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    before = await lived(tmp_path, SHORT, seconds=40)
    older, newest = (one.snapshot.boundary.epoch + 1 for one in snapshots_of(before)[-2:])
    async with opened_journal(tmp_path, SHORT) as journal:
        marks = journal.snapshots()
        foreign = list(journal.snapshot_pages(marks[1]))
        await journal.write_snapshot(marks[0], iter(foreign))  # intact rows of another state
    async with restored(tmp_path, SHORT) as made:
        assert made.begun.epoch == older < newest
        assert made.core.state.digest == last_commit_of(before).state_digest


async def test_a_pruned_journal_starts_from_its_snapshot_and_says_so_when_it_cannot(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    before = await lived(tmp_path, SHORT, seconds=40)
    await prune_all(tmp_path, SHORT)
    last = last_commit_of(before)
    async with restored(tmp_path, SHORT) as made:
        assert (made.core.state.index, made.core.state.digest) == (last.index, last.state_digest)
        epochs = {block.epoch for _, block in made.journal.blocks()}
        assert min(epochs, default=made.begun.epoch) == made.begun.epoch
    for snapshot in snapshots_of(before)[-2:]:
        damage_snapshot(tmp_path, snapshot.snapshot.boundary.epoch + 1)
    with pytest.raises(SnapshotLost, match="move the journal's files"):
        async with restored(tmp_path, SHORT):
            pass


async def test_the_older_snapshot_serves_a_pruned_journal_too(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    """What lies between the two is pruned: neighbours have it, and nothing is signed twice."""
    before = await lived(tmp_path, SHORT, seconds=40)
    await prune_all(tmp_path, SHORT)
    epochs = [one.snapshot.boundary.epoch + 1 for one in snapshots_of(before)]
    damage_snapshot(tmp_path, epochs[-1])
    async with restored(tmp_path, SHORT) as made:
        assert made.begun.epoch == made.core.state.committee.epoch == epochs[-2]
        with trio.move_on_after(10):
            await made.driver.run()
        signed = [one for one in made.world.all("kept") if isinstance(one, fx.PersistSlot)]
        assert signed == [], "it signed in that epoch and has forgotten what"
        for block in blocks_of(before):
            if block.epoch >= epochs[-2]:
                await made.driver.put(ev.BlockReceived(PEER, block.raw))
        with trio.move_on_after(2):
            await made.driver.run()
        assert made.core.state.index >= last_commit_of(before).index


@pytest.mark.parametrize("batch", [1, 500])
async def test_a_long_replay_leaves_the_snapshot_that_the_journal_lacked(
    batch: int,
    tmp_path: Path,
    autojump_clock: trio.testing.MockClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(restoring, "RESTORE_BATCH", batch)
    before = await lived(tmp_path, SHORT, seconds=40)
    async with opened_journal(tmp_path, SHORT) as journal:
        written = journal.snapshots()[0]
        pages = list(journal.snapshot_pages(written))
    for table in ("snapshot", "snapshot_page"):
        execute(tmp_path, f"DELETE FROM {table}")  # noqa: S608
    async with restored(tmp_path, SHORT) as made:
        assert made.begun.epoch == 0, "there is nothing but blocks"
        assert made.lacking is not None
        with trio.move_on_after(5):
            await made.driver.run()  # what comes later does not change what is written
        await keep_snapshot(made.journal, made.lacking)
        (mark,) = made.journal.snapshots()
        assert mark == written
        assert list(made.journal.snapshot_pages(mark)) == pages, "what a running node wrote"
    async with restored(tmp_path, SHORT) as made:
        assert made.begun.epoch == written.epoch
        assert made.lacking is None, "no end was passed"
        last = last_commit_of(before)
        assert (made.core.state.index, made.core.state.digest) == (last.index, last.state_digest)


async def test_a_start_keeps_the_certificates_that_an_earlier_program_did_not(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    before = await lived(tmp_path, SHORT, seconds=40)
    for table in ("certificate", "snapshot", "snapshot_page"):
        execute(tmp_path, f"DELETE FROM {table}")  # noqa: S608
    async with restored(tmp_path, SHORT) as made:
        assert made.begun.epoch == 0
        kept = await made.journal.certificates(0, 100)
    own = [one for one in before.all("kept") if isinstance(one, fx.PersistCertificate)]
    assert [(one.epoch, one.raw) for one in kept] == [(one.epoch, one.raw) for one in own]
    committee = Committee.of_genesis(SHORT)
    for one in kept:
        certificate = open_certificate(one.raw)
        committee = verify_certificate(certificate, committee, REAL, churn_profile=False)
    assert committee.epoch == len(own) >= 2
