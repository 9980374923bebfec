"""Effects through the real journal and store, and a network that only remembers."""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest
import trio
import trio.testing

from p2pnode import driver
from p2pnode.clock import NodeClock
from p2pnode.content import Content, ContentUnavailable
from p2pnode.driver import StoreRefused
from p2pnode.executions import Executions
from p2pnode.facts import FactLog
from p2pnode.network import PayloadTooLarge
from p2pnode.storage import (
    Contradiction,
    DamagedData,
    FinalCommit,
    Journal,
    JournalRecord,
    OwnOperation,
    OwnSlot,
    PreparedReveal,
    SnapshotMark,
    StorageFailed,
    StoredBlock,
    StoredCertificate,
    open_journal,
)
from p2pnode.world import FETCH_ATTEMPTS, NodeWorld, WorldParts, topic_of
from protocol import effects as fx
from protocol import events as ev
from protocol.core import Core
from protocol.encoding import encode
from protocol.ledger.block import stored_digest
from protocol.units import CommitIndex, Digest, JobId, Round
from protocol.wire import BlockBatch
from tests.p2pnode.fake_ports import FakeNetwork, TrioClock, gift, lone_core
from tests.p2pnode.storage.builders import block, journal_in, reveal
from tests.p2pnode.test_snapshots import effect as snapshot_of
from tests.support.builders import account_id, make_offer
from tests.support.fault_vfs.disk import Call, Faults, fault_disk

NETWORK = bytes(range(32))
PEER = account_id(2)
JOB = JobId(Digest(b"j" * 32))
FIRST, SECOND = block(0, 1), block(1, 1)
EXECUTE = fx.Execute(JOB, make_offer(), PEER)
FETCH = fx.FetchOutput(JOB, Digest(b"o" * 32), (PEER,))


@dataclass
class FakeJournal:
    """Answers with a failure, or with the blocks that it was given."""

    failure: Exception | None = None
    stored: dict[bytes, StoredBlock] = field(default_factory=dict)
    written: list[SnapshotMark] = field(default_factory=list)
    begun: trio.Event = field(default_factory=trio.Event)
    may_end: trio.Event = field(default_factory=trio.Event)
    """A snapshot is written once this is set; it has begun before."""
    done: trio.Event = field(default_factory=trio.Event)

    async def append(self, records: Sequence[JournalRecord]) -> None:
        if self.failure is not None:
            raise self.failure

    async def write_snapshot(self, mark: SnapshotMark, pages: Iterator[bytes]) -> SnapshotMark:
        self.begun.set()
        await self.may_end.wait()
        self.written.append(mark)
        self.done.set()
        return mark

    async def block(self, digest: bytes) -> StoredBlock | None:
        if self.failure is not None and digest not in self.stored:
            raise self.failure
        return self.stored.get(digest)


@dataclass
class FakeContent:
    failures: int = 0
    fetched: int = 0

    async def bring_output(
        self, job: bytes, output: bytes, holders: Sequence[bytes], limit_bytes: int
    ) -> None:
        self.fetched += 1
        if self.fetched <= self.failures:
            raise ContentUnavailable("nobody has it")


@dataclass
class FakeExecutions:
    executed: list[fx.Execute] = field(default_factory=list)
    stopped: list[JobId] = field(default_factory=list)
    missed: list[JobId] = field(default_factory=list)

    async def execute(self, effect: fx.Execute) -> None:
        self.executed.append(effect)
        await trio.sleep_forever()

    async def miss(self, job: JobId) -> None:
        self.missed.append(job)

    def stop(self, job: JobId) -> None:
        self.stopped.append(job)


@dataclass
class Surroundings:
    """A world and what it acts on."""

    world: NodeWorld
    network: FakeNetwork
    content: FakeContent
    facts: FactLog
    executions: FakeExecutions
    nursery: trio.Nursery


@asynccontextmanager
async def surrounded(
    journal: Journal | FakeJournal | None = None, content: FakeContent | None = None
) -> AsyncIterator[Surroundings]:
    network, facts, executions = FakeNetwork(), FactLog(), FakeExecutions()
    content = content or FakeContent()
    parts = WorldParts(
        cast(Journal, journal or FakeJournal()), network.port, cast(Content, content), facts
    )
    async with trio.open_nursery() as nursery:
        world = NodeWorld(parts, nursery, NETWORK, cast(NodeClock, TrioClock()))
        world.executions = cast(Executions, executions)
        yield Surroundings(world, network, content, facts, executions, nursery)
        nursery.cancel_scope.cancel()


def test_topics_carry_their_network() -> None:
    assert topic_of("blocks", NETWORK) == "p2pnode/0001020304050607/blocks"
    assert topic_of("blocks", NETWORK) != topic_of("blocks", NETWORK[::-1])


async def test_every_record_becomes_durable_in_its_table(tmp_path: Path) -> None:
    stored = reveal(b"job")
    async with journal_in(tmp_path) as journal, surrounded(journal) as made:
        await made.world.keep(
            (
                fx.PersistBlock(Digest(FIRST.digest), 0, Round(1), 0, FIRST.raw),
                fx.PersistSlot(0, Round(1), Digest(FIRST.digest)),
                fx.PersistOperation(Digest(b"i" * 32), 3, b"operation"),
                fx.PersistReveal(JobId(Digest(stored.job)), stored.raw),
                fx.PersistCommit(CommitIndex(1), Digest(b"c" * 32), Digest(b"s" * 32)),
                fx.PersistCertificate(0, b"certificate"),
            )
        )
    async with journal_in(tmp_path) as journal:
        assert [one for _, one in journal.blocks()] == [FIRST]
        assert journal.own_slots() == (OwnSlot(0, 1, FIRST.digest),)
        assert journal.own_operations() == (OwnOperation(b"i" * 32, 3, b"operation"),)
        assert journal.prepared_reveals() == (PreparedReveal(stored.job, stored.raw),)
        assert journal.last_final() == FinalCommit(1, b"c" * 32, b"s" * 32)
        assert await journal.certificates(0, 9) == (StoredCertificate(0, b"certificate"),)


async def test_a_snapshot_is_written_while_other_effects_are_performed() -> None:
    journal = FakeJournal()
    async with surrounded(journal) as made:
        await made.world.perform(snapshot_of(3))
        await journal.begun.wait()
        await made.world.perform(fx.GossipBlock(b"block"))
        assert len(made.network.published) == 1
        assert journal.written == []
        journal.may_end.set()
        await journal.done.wait()
        assert [mark.epoch for mark in journal.written] == [4]


async def test_two_blocks_for_one_slot_are_a_contradiction_that_no_retry_mends(
    tmp_path: Path,
) -> None:
    async with journal_in(tmp_path) as journal, surrounded(journal) as made:
        await made.world.keep((fx.PersistSlot(0, Round(1), Digest(FIRST.digest)),))
        with pytest.raises(Contradiction):
            await made.world.keep((fx.PersistSlot(0, Round(1), Digest(SECOND.digest)),))
        assert journal.own_slots() == (OwnSlot(0, 1, FIRST.digest),)


@pytest.mark.parametrize(
    "faults",
    [Faults(capacity_bytes=0), Faults(failing=frozenset({Call.SYNC}))],
    ids=["full", "sync"],
)
async def test_a_disk_that_refuses_stops_the_signing_at_once_and_nothing_is_lost(
    faults: Faults, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver, "RETRY_SECONDS", 0.05)
    core, clock = lone_core(), cast(NodeClock, TrioClock())
    with fault_disk("under-a-driver", tmp_path) as disk:
        vfs = "under-a-driver"
        async with journal_of(tmp_path, core, vfs) as journal, surrounded(journal) as made:
            node = driver.Driver(core, made.world, clock)
            await node.put(ev.Restored(0, (), ()))
            made.nursery.start_soon(node.run)
            await until(lambda: core.state.index > 1)
            disk.faults = faults
            await node.put(ev.OperationRequested(7, gift()))
            await until(lambda: disk.bites.refusals + disk.bites.errors > 2)
            assert node.store_failure
            sent = len(made.network.published)
            assert core.validator is not None
            signed = core.validator.last_round
            assert made.facts.counts.get("operation_seen", 0) == 0
            await trio.sleep(0.5)
            assert len(made.network.published) == sent, "nothing is signed and sent"
            assert await journal.block(core.ledger.dag.blocks_of_round(Round(1))[0].digest)
            assert core.validator.last_round == signed
            disk.faults = Faults()
            await until(lambda: made.facts.counts.get("operation_applied", 0) == 1)
            slots = {slot.round for slot in journal.own_slots()}
    assert slots == set(range(1, max(slots) + 1))


def journal_of(folder: Path, core: Core, vfs: str = "") -> AbstractAsyncContextManager[Journal]:
    return open_journal(folder, core.network, core.account, hash_block=stored_digest, vfs=vfs)


async def until(condition: Callable[[], bool]) -> None:
    with trio.fail_after(10):
        while not condition():  # noqa: ASYNC110  nobody tells
            await trio.sleep(0.01)


@pytest.mark.parametrize("failure", [StorageFailed("no space"), DamagedData("a row")])
async def test_a_failing_disk_is_a_refusal_that_may_be_tried_again(failure: Exception) -> None:
    async with surrounded(FakeJournal(failure)) as made:
        with pytest.raises(StoreRefused, match=str(failure)[:20]):
            await made.world.keep((fx.PersistSlot(0, Round(1), Digest(FIRST.digest)),))


async def test_gossip_goes_to_the_topics_of_this_network() -> None:
    async with surrounded() as made:
        await made.world.perform(fx.GossipBlock(b"block"))
        await made.world.perform(fx.GossipOperations(b"operations"))
        await made.world.perform(fx.Send(PEER, b"message"))
        assert made.network.published == [
            (topic_of("blocks", NETWORK), b"block"),
            (topic_of("operations", NETWORK), b"operations"),
        ]
        assert made.network.sent == [(PEER, b"message")]


async def test_gossip_that_the_network_refuses_does_not_end_the_node() -> None:
    async with surrounded() as made:
        made.network.publish_error = PayloadTooLarge("above the limit")
        await made.world.perform(fx.GossipBlock(b"block"))


async def test_kept_blocks_are_sent_those_named_first_and_each_once(tmp_path: Path) -> None:
    third = block(0, 2)
    async with journal_in(tmp_path) as journal, surrounded(journal) as made:
        await journal.append([FIRST, SECOND, third])
        wanted = (Digest(SECOND.digest), Digest(bytes(32)))
        await made.world.perform(fx.SendStoredBlocks(PEER, wanted, (1, 0), 10_000, 0))
        await sent_by(made, 1)
        assert made.network.sent == [(PEER, encode(BlockBatch((SECOND.raw, third.raw))))]


async def test_kept_blocks_are_sent_within_a_limit(tmp_path: Path) -> None:
    async with journal_in(tmp_path) as journal, surrounded(journal) as made:
        await journal.append([FIRST, SECOND])
        wanted = (Digest(FIRST.digest), Digest(SECOND.digest))
        limit = len(FIRST.raw) + len(SECOND.raw) - 1
        await made.world.perform(fx.SendStoredBlocks(PEER, wanted, (), limit, 0))
        await sent_by(made, 1)
        assert made.network.sent == [(PEER, encode(BlockBatch((FIRST.raw,))))]


async def sent_by(made: Surroundings, count: int) -> None:
    await until(lambda: len(made.network.sent) >= count)


async def test_a_damaged_block_does_not_keep_the_others_from_being_sent() -> None:
    journal = FakeJournal(DamagedData("a block"), {SECOND.digest: SECOND})
    async with surrounded(journal) as made:
        wanted = (Digest(FIRST.digest), Digest(SECOND.digest))
        await made.world.perform(fx.SendStoredBlocks(PEER, wanted, (), 10_000, 0))
        await trio.testing.wait_all_tasks_blocked()
        assert made.network.sent == [(PEER, encode(BlockBatch((SECOND.raw,))))]


async def test_nothing_is_sent_when_nothing_is_kept() -> None:
    async with surrounded() as made:
        await made.world.perform(fx.SendStoredBlocks(PEER, (Digest(bytes(32)),), (), 10_000, 0))
        await trio.testing.wait_all_tasks_blocked()
        assert made.network.sent == []


async def test_runs_start_beside_the_core_and_are_stopped_at_once() -> None:
    async with surrounded() as made:
        await made.world.perform(EXECUTE)
        await trio.testing.wait_all_tasks_blocked()
        await made.world.perform(fx.StopExecution(JOB))
        assert made.executions.executed == [EXECUTE]
        assert made.executions.stopped == [JOB]


@pytest.mark.parametrize(("failures", "tries"), [(0, 1), (2, 3), (99, FETCH_ATTEMPTS)])
async def test_a_result_is_fetched_again_a_few_times_and_then_missed(
    failures: int, tries: int, autojump_clock: trio.testing.MockClock
) -> None:
    async with surrounded(content=FakeContent(failures)) as made:
        await made.world.perform(FETCH)
        await trio.sleep(1_000)
        assert made.content.fetched == tries
        assert made.executions.missed == ([JOB] if failures == 99 else [])


async def test_a_fact_reaches_memory_and_listeners_in_order() -> None:
    told: list[fx.Fact] = []
    facts: tuple[fx.Fact, ...] = (
        fx.NotBidding(JOB, "too dear"),
        fx.Halted("members lie"),
        fx.BlockProposed(0, Round(1), Digest(bytes(32)), 0),
    )
    async with surrounded() as made:
        made.world.listen(told.append)
        for fact in facts:
            made.world.report(fact)
        assert told == list(facts)
        assert made.facts.counts == {"not_bidding": 1, "halted": 1, "block_proposed": 1}


@pytest.mark.parametrize(
    "effect",
    [fx.WakeAt(1), fx.Report(fx.Halted("")), fx.PersistSlot(0, Round(1), Digest(bytes(32)))],
)
async def test_what_the_driver_does_itself_is_not_done_here(effect: fx.Effect) -> None:
    async with surrounded() as made:
        with pytest.raises(AssertionError):
            await made.world.perform(effect)
