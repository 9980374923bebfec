"""The driver against worlds that refuse, stall and remember the order of things."""

import pytest
import trio
import trio.testing

from p2pnode.driver import (
    DEFERRED_EVENTS_MAX,
    INBOX_EVENTS,
    LAZY_RECORDS_MAX,
    LAZY_SECONDS,
    RETRY_SECONDS,
    Driver,
)
from p2pnode.storage import Contradiction
from protocol import effects as fx
from protocol import events as ev
from protocol.encoding import decode, encode
from protocol.units import CREDIT, CommitIndex, Digest, JobId, Round
from protocol.wire import BlockBatch, BlockRequest, OperationBatch, Summary, open_message
from tests.p2pnode.fake_ports import (
    FakeWorld,
    ScriptedCore,
    gift,
    live_driver,
    lone_core,
    scripted_driver,
)
from tests.support.builders import account_id, make_offer

PEER = account_id(2)
JOB = JobId(Digest(b"j" * 32))
BLOCK = fx.PersistBlock(Digest(b"b" * 32), 0, Round(1), 0, b"a block of somebody else")
OWN_BLOCK = fx.PersistBlock(Digest(b"o" * 32), 0, Round(1), 0, b"an own block, not durable")
SLOT = fx.PersistSlot(0, Round(1), OWN_BLOCK.digest)
OPERATION = fx.PersistOperation(Digest(b"i" * 32), 0, b"an own operation, not durable")
REVEAL = fx.PersistReveal(JOB, b"an own reveal, not durable")
COMMIT = fx.PersistCommit(CommitIndex(1), Digest(b"c" * 32), Digest(b"s" * 32))
SEEN = fx.Report(fx.OperationSeen(7, OPERATION.identifier))
GOSSIP = fx.GossipOperations(b"batch")
REQUEST = ev.OperationRequested(7, gift())
QUESTION = ev.MessageReceived(PEER, encode(BlockRequest(0, (BLOCK.digest,), ())))
SUMMARY = ev.MessageReceived(PEER, encode(Summary(0, (1,), (), True)))
ANSWER = fx.SendStoredBlocks(PEER, (BLOCK.digest,), (), 1_000, 0)


@pytest.mark.parametrize("record", [SLOT, OPERATION, REVEAL])
async def test_nothing_that_depends_on_a_record_happens_before_it_is_durable(
    record: fx.Persist, nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    world = FakeWorld(keep_seconds=1.0)
    driver = scripted_driver(ScriptedCore({ev.Tick: (GOSSIP, SEEN, record, BLOCK)}), world)
    nursery.start_soon(driver.run)
    await driver.put(ev.Tick())
    await trio.sleep(0.9)
    assert world.log == []
    await trio.sleep(0.2)
    assert world.log == [
        ("kept", record),
        ("kept", BLOCK),
        ("reported", SEEN.fact),
        ("performed", GOSSIP),
    ]


async def test_a_whole_node_sends_and_answers_nothing_before_it_is_durable(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    world = FakeWorld(keep_seconds=0.01)
    driver = live_driver(lone_core(), world)
    await driver.put(ev.Restored(0, (), ()))
    await driver.put(ev.PeerJoined(PEER))
    nursery.start_soon(driver.run)
    for ticket in range(1, 6):
        await driver.put(ev.OperationRequested(ticket, gift(amount=ticket * CREDIT)))
        await trio.sleep(1)
    await driver.put(ev.OperationRequested(6, make_offer()))
    await trio.sleep(5)
    assert count_broken_promises(world) == (0, 6)
    blocks = [one for one in world.all("performed") if isinstance(one, fx.GossipBlock)]
    assert len(blocks) > 5, "blocks were proposed"
    assert driver.core.state.index > 5, "and became final"


def count_broken_promises(world: FakeWorld) -> tuple[int, int]:
    """Counts what was sent or answered too early, and what was answered at all."""
    kept: set[bytes] = set()
    broken = answered = 0
    for verb, what in world.log:
        if isinstance(what, (fx.PersistBlock, fx.PersistOperation)) and verb == "kept":
            kept.add(what.raw)
            kept |= {what.identifier} if isinstance(what, fx.PersistOperation) else set()
        elif isinstance(what, fx.GossipBlock):
            broken += what.raw not in kept
        elif isinstance(what, fx.GossipOperations):
            batch = decode(what.raw, OperationBatch, len(what.raw))
            broken += sum(raw not in kept for raw in batch.operations)
        elif isinstance(what, fx.OperationSeen):
            answered += 1
            broken += what.identifier not in kept
    return broken, answered


async def test_blocks_alone_are_written_a_little_later(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    world = FakeWorld()
    driver = scripted_driver(ScriptedCore({ev.Tick: (BLOCK, COMMIT, GOSSIP)}), world)
    nursery.start_soon(driver.run)
    await driver.put(ev.Tick())
    await trio.sleep(0.1)
    assert world.log == [("performed", GOSSIP)]
    await trio.sleep(LAZY_SECONDS)
    await driver.put(ev.PeerLeft(PEER))
    await trio.sleep(0.1)
    assert world.all("kept") == [BLOCK, COMMIT]


async def test_many_blocks_are_written_at_once(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    world = FakeWorld()
    driver = scripted_driver(ScriptedCore({ev.Tick: (BLOCK,) * LAZY_RECORDS_MAX}), world)
    nursery.start_soon(driver.run)
    await driver.put(ev.Tick())
    await trio.sleep(0.1)
    assert world.all("kept") == [BLOCK] * LAZY_RECORDS_MAX


async def test_the_core_is_woken_when_it_asked_for_it(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    core = ScriptedCore()
    driver = scripted_driver(core, FakeWorld())
    nursery.start_soon(driver.run)
    await trio.sleep(1)
    assert core.taken == [ev.Tick()]
    await trio.sleep(3_600)
    assert core.taken == [ev.Tick()] * 2


async def test_while_the_store_refuses_nothing_is_sent_and_afterwards_nothing_is_lost(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    world, core = FakeWorld(), failing_script()
    driver = scripted_driver(core, world)
    world.refuse()
    await driver.put(ev.Tick())
    await driver.put(REQUEST)
    nursery.start_soon(driver.run)
    await trio.sleep(10)
    assert {verb for verb, _ in world.log} == {"refused"}
    assert core.taken[:3] == [ev.Tick(), REQUEST, ev.StoreFailed()]
    assert driver.store_failure == "no space"
    world.refusal, world.log = None, []
    await trio.sleep(RETRY_SECONDS + 0.1)
    assert world.log == [
        ("kept", SLOT),
        ("kept", OWN_BLOCK),
        ("kept", OPERATION),
        ("reported", SEEN.fact),
        ("performed", fx.GossipBlock(OWN_BLOCK.raw)),
        ("performed", GOSSIP),
        ("performed", fx.StopExecution(JOB)),
    ]
    assert core.taken[3:] == [ev.StoreRecovered()]
    assert driver.store_failure == ""


def failing_script() -> ScriptedCore:
    return ScriptedCore(
        {
            ev.Tick: (SLOT, OWN_BLOCK, fx.GossipBlock(OWN_BLOCK.raw)),
            ev.OperationRequested: (OPERATION, SEEN),
            ev.StoreFailed: (GOSSIP,),
            ev.StoreRecovered: (fx.StopExecution(JOB),),
            ev.MessageReceived: (ANSWER,),
        }
    )


async def test_while_the_store_refuses_questions_are_answered_and_the_rest_waits(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    world, core = FakeWorld(), failing_script()
    driver = scripted_driver(core, world)
    nursery.start_soon(driver.run)
    world.refuse()
    await driver.put(ev.Tick())
    await trio.sleep(0.1)
    for event in (SUMMARY, QUESTION, ev.BlockReceived(PEER, b"block"), REQUEST, QUESTION):
        await driver.put(event)
    await driver.put(ev.MessageReceived(PEER, b"garbage"))
    await driver.put(ev.PeerLeft(PEER))
    await trio.sleep(5)
    assert core.taken == [ev.Tick(), ev.StoreFailed(), QUESTION, QUESTION]
    assert world.all("performed") == [ANSWER, ANSWER]
    assert driver.dropped == 3
    world.refusal = None
    await trio.sleep(RETRY_SECONDS + 0.1)
    assert core.taken[4:] == [ev.StoreRecovered(), REQUEST, ev.PeerLeft(PEER)]
    assert SEEN.fact in world.all("reported")


@pytest.mark.parametrize(
    ("content", "leaves"), [(OWN_BLOCK, False), (OPERATION, False), (REVEAL, False), (BLOCK, True)]
)
async def test_while_the_store_refuses_no_answer_carries_what_is_not_durable(
    content: fx.PersistBlock | fx.PersistOperation | fx.PersistReveal,
    leaves: bool,
    nursery: trio.Nursery,
    autojump_clock: trio.testing.MockClock,
) -> None:
    answer = fx.Send(PEER, encode(BlockBatch((b"old block", content.raw))))
    script = {ev.Tick: (SLOT, OWN_BLOCK, OPERATION, REVEAL, BLOCK), ev.MessageReceived: (answer,)}
    world = FakeWorld()
    driver = scripted_driver(ScriptedCore(script), world)
    nursery.start_soon(driver.run)
    world.refuse()
    await driver.put(ev.Tick())
    await trio.sleep(0.1)
    await driver.put(QUESTION)
    await trio.sleep(0.1)
    assert world.all("performed") == ([answer] if leaves else [])


async def test_a_whole_node_without_a_store_signs_nothing_and_answers_with_older_blocks(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    world = FakeWorld()
    driver = live_driver(lone_core(), world)
    await driver.put(ev.Restored(0, (), ()))
    await driver.put(ev.PeerJoined(PEER))
    nursery.start_soon(driver.run)
    await driver.put(REQUEST)
    await trio.sleep(3)
    world.refuse()
    await driver.put(ev.OperationRequested(8, gift(amount=2 * CREDIT)))
    await trio.sleep(3)
    durable = [one for one in world.all("kept") if isinstance(one, fx.PersistBlock)]
    world.log.clear()
    await driver.put(ev.MessageReceived(PEER, encode(BlockRequest(0, (durable[0].digest,), ()))))
    await trio.sleep(60)
    sent = [open_message(one.raw) for one in world.all("performed") if isinstance(one, fx.Send)]
    assert BlockBatch((durable[0].raw,)) in sent
    assert not world.all("kept")
    assert not [one for one in world.all("performed") if isinstance(one, fx.GossipBlock)]
    world.refusal = None
    await trio.sleep(5)
    assert any(isinstance(one, fx.GossipBlock) for one in world.all("performed"))
    assert 8 in [one.ticket for one in world.all("reported") if isinstance(one, fx.OperationSeen)]
    assert count_broken_promises(world)[0] == 0


async def test_what_waits_for_the_store_is_bounded_and_its_senders_wait(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    world, core = FakeWorld(), failing_script()
    driver = scripted_driver(core, world)
    nursery.start_soon(driver.run)
    world.refuse()
    await driver.put(ev.Tick())
    await trio.sleep(0.1)
    for _ in range(DEFERRED_EVENTS_MAX + INBOX_EVENTS):
        await driver.put(ev.PeerLeft(PEER))
    with trio.move_on_after(60) as waiting:
        await driver.put(REQUEST)
    assert waiting.cancelled_caught
    world.refusal = None
    await trio.sleep(RETRY_SECONDS + 1)
    await driver.put(REQUEST)
    await trio.sleep(1)
    assert core.taken.count(ev.PeerLeft(PEER)) == DEFERRED_EVENTS_MAX + INBOX_EVENTS
    assert core.taken[-1] == REQUEST


async def test_a_contradiction_ends_the_driver(
    autojump_clock: trio.testing.MockClock,
) -> None:
    world = FakeWorld(refusal=Contradiction("slot 1", b"stored", b"offered"))
    driver = scripted_driver(failing_script(), world)
    await driver.put(ev.Tick())
    with pytest.raises(Contradiction, match="stop one of the two"):
        await driver.run()
    assert not world.all("performed")


async def test_cancellation_writes_what_is_lazy(autojump_clock: trio.testing.MockClock) -> None:
    world = FakeWorld(keep_seconds=0.1)
    driver = scripted_driver(ScriptedCore({ev.Tick: (BLOCK,)}), world)
    await run_and_cancel(driver, ev.Tick())
    assert world.log == [("kept", BLOCK)]


async def test_cancellation_ends_in_time_and_in_peace_while_the_store_refuses(
    autojump_clock: trio.testing.MockClock,
) -> None:
    world = FakeWorld()
    world.refuse()
    driver = scripted_driver(failing_script(), world)
    begun = trio.current_time()
    await run_and_cancel(driver, ev.Tick())
    assert trio.current_time() - begun < 3
    assert {verb for verb, _ in world.log} == {"refused"}


async def test_cancellation_does_not_wait_for_a_store_that_hangs(
    autojump_clock: trio.testing.MockClock,
) -> None:
    world = FakeWorld(keep_seconds=1_000)
    driver = scripted_driver(ScriptedCore({ev.Tick: (BLOCK,)}), world)
    begun = trio.current_time()
    await run_and_cancel(driver, ev.Tick())
    assert trio.current_time() - begun < 5
    assert world.log == []


async def run_and_cancel(driver: Driver, event: ev.Event) -> None:
    await driver.put(event)
    with trio.move_on_after(0.3):
        await driver.run()


async def test_a_full_inbox_drops_gossip_but_no_local_request(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    core = ScriptedCore()
    driver = scripted_driver(core, FakeWorld())
    gossip = ev.BlockReceived(PEER, b"block")
    assert all(driver.put_nowait(gossip) for _ in range(INBOX_EVENTS))
    assert not driver.put_nowait(gossip)
    assert driver.dropped == 1
    nursery.start_soon(driver.put, REQUEST)
    await trio.testing.wait_all_tasks_blocked()
    nursery.start_soon(driver.run)
    await trio.sleep(1)
    assert core.taken == [gossip] * INBOX_EVENTS + [REQUEST]
