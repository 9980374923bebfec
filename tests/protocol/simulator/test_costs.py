from dataclasses import dataclass, field, replace
from functools import cache

from protocol import effects as fx
from protocol import events as ev
from protocol.encoding import decode, encode
from protocol.messages import Block, SignedBlock
from protocol.simulator.catalogue import calm
from protocol.simulator.costs import Bill, Costs
from protocol.simulator.run import Verdict, play
from protocol.simulator.world import World
from protocol.units import MILLISECOND, SECOND, AccountId
from protocol.wire import BlockBatch, OperationBatch

PEER = AccountId(bytes(32))
STEPS = Costs(step_ns=7)
CHECKS = Costs(check_ns=1_000, proof_ns=10_000)


@dataclass
class Ear:
    """Keeps the blocks that one node gets, each once."""

    heard: dict[bytes, None] = field(default_factory=dict)

    def event(self, time: int, node: int, event: ev.Event) -> None:
        if isinstance(event, ev.BlockReceived) and node == 0:
            self.heard[event.raw] = None

    def effect(self, time: int, node: int, effect: fx.Effect) -> None:
        """Effects are not blocks."""


@cache
def blocks() -> tuple[bytes, ...]:
    """The first blocks of a network, in the order in which one node got them."""
    ear = Ear()
    World(calm(1), (ear,)).engine.run(3 * SECOND)
    return tuple(ear.heard)


def received(raw: bytes) -> ev.Event:
    return ev.BlockReceived(PEER, raw)


def test_each_event_costs_a_step() -> None:
    assert Bill(STEPS).events_ns([ev.Tick(), ev.PeerJoined(PEER), received(b"noise")]) == 21


def test_bytes_cost_by_the_kilobyte_rounded_up() -> None:
    bill = Bill(Costs(kilobyte_ns=1_024))
    assert bill.events_ns([received(bytes(300))]) == 300
    assert Bill(Costs(kilobyte_ns=1)).events_ns([received(bytes(300))]) == 1
    assert bill.events_ns([ev.BlocksRestored((bytes(10), bytes(20)))]) == 30


def test_a_block_costs_its_signatures_and_a_leaders_block_its_proof() -> None:
    proofs = 0
    for raw in blocks()[:12]:
        signed = decode(raw, SignedBlock, len(raw))
        block = decode(signed.body, Block, len(raw))
        signatures = 1 + len(signed.operations) + (block.checkpoint is not None)
        proofs += bool(block.proof)
        cost = 1_000 * signatures + 10_000 * bool(block.proof)
        assert Bill(CHECKS).events_ns([received(raw)]) == cost
    assert 0 < proofs < 12


def test_what_was_checked_once_is_not_checked_again_until_a_crash() -> None:
    bill = Bill(CHECKS)
    event = received(blocks()[0])
    assert [bill.events_ns([event]), bill.events_ns([event])] == [1_000, 0]
    bill.forget()
    assert bill.events_ns([event]) == 1_000


def test_a_batch_of_blocks_or_operations_costs_each_of_them() -> None:
    bill = Bill(CHECKS)
    batch = encode(BlockBatch((blocks()[0],)))
    assert bill.events_ns([ev.MessageReceived(PEER, batch)]) == 1_000
    operations = encode(OperationBatch((b"one", b"two", b"one")))
    assert bill.events_ns([ev.MessageReceived(PEER, operations)]) == 2_000
    assert bill.events_ns([ev.MessageReceived(PEER, b"noise")]) == 0


def test_checks_are_spread_over_the_cores_and_steps_are_not() -> None:
    bill = Bill(Costs(cores=3, step_ns=100, check_ns=1_000))
    operations = tuple(b"%d" % number for number in range(7))
    event = ev.MessageReceived(PEER, encode(OperationBatch(operations)))
    assert bill.events_ns([event, ev.Tick()]) == 200 + 2_334


def test_what_a_node_signs_costs_it() -> None:
    effects = (fx.GossipBlock(b""), fx.GossipOperations(b""), fx.Send(PEER, b""))
    assert Bill(Costs(sign_ns=5)).effects_ns(effects) == 10


def test_a_network_of_slow_computers_does_the_same_work_later() -> None:
    fast = play(calm(1))
    slow = play(replace(calm(1), costs=Costs(step_ns=10 * MILLISECOND, check_ns=20 * MILLISECOND)))
    assert (fast.verdict, slow.verdict) == (Verdict.PASS, Verdict.PASS)
    assert slow.counts.jobs == fast.counts.jobs
    assert slow.trace != fast.trace
