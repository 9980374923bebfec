"""Each fault bites, and does what its name says."""

from dataclasses import dataclass, field, replace

import pytest

from protocol import effects as fx
from protocol import events as ev
from protocol.simulator.catalogue import SPAN, calm
from protocol.simulator.cuts import links_into, links_of
from protocol.simulator.faults import Bite, FaultPlan, FaultRecord
from protocol.simulator.queue import Capacity
from protocol.simulator.run import Verdict, play
from protocol.simulator.scenario import (
    ClockJump,
    Clog,
    Crash,
    Cut,
    DuplicateBurst,
    Fault,
    Join,
    LossBurst,
    Partition,
    Pause,
    ReorderBurst,
    Scenario,
    SlowLink,
    StaleDisk,
    StoreFailure,
    TornWrite,
)
from protocol.simulator.world import World
from protocol.units import MILLISECOND, SECOND

pytestmark = pytest.mark.slow

BEGIN_NS, END_NS = SPAN
MIDDLE_NS = (BEGIN_NS + END_NS) // 2
AFTER_NS = END_NS + SECOND
OTHERS = tuple(node for node in range(5) if node != 2)


@dataclass
class Deliveries:
    """When each node received blocks and messages, and when it proposed."""

    times: dict[int, list[int]] = field(default_factory=dict)
    proposed: dict[int, list[int]] = field(default_factory=dict)

    def event(self, time: int, node: int, event: ev.Event) -> None:
        if isinstance(event, ev.BlockReceived | ev.MessageReceived):
            self.times.setdefault(node, []).append(time)

    def effect(self, time: int, node: int, effect: fx.Effect) -> None:
        if isinstance(effect, fx.PersistSlot):
            self.proposed.setdefault(node, []).append(time)

    def during(self, node: int) -> int:
        """How much a node received while a fault lasted, and nothing was on its way any more."""
        return sum(BEGIN_NS + SECOND < time < END_NS for time in self.times.get(node, ()))

    def signed(self, node: int) -> int:
        return sum(BEGIN_NS + SECOND < time < END_NS for time in self.proposed.get(node, ()))


@dataclass
class Bench:
    """A network of five with some faults."""

    scenario: Scenario
    seen: Deliveries = field(default_factory=Deliveries)

    def __post_init__(self) -> None:
        self.world = World(self.scenario, (self.seen,))
        self.plan = FaultPlan(self.world)

    def run(self, until: int = AFTER_NS) -> "Bench":
        self.world.engine.run(until)
        return self

    @property
    def counts(self) -> tuple[int, ...]:
        return tuple(record.count for record in self.plan.records())


def bench(*faults: Fault) -> Bench:
    return Bench(replace(calm(1), faults=faults))


def test_a_record_names_the_fault_its_nodes_and_its_time() -> None:
    run = bench(Crash(*SPAN, 2), Cut(*SPAN, ((0, 1),)), LossBurst(*SPAN, 500_000)).run()
    crash, cut, loss = run.plan.records()
    assert crash == FaultRecord("Crash", (2,), *SPAN, 1)
    assert (cut.kind, cut.nodes, loss.nodes) == ("Cut", (0, 1), ())
    assert run.plan.bites() == tuple(
        Bite(record.kind, record.count) for record in (crash, cut, loss)
    )


def test_a_partition_lets_nothing_through_and_a_cut_one_direction() -> None:
    alone = bench(Partition(*SPAN, ((2,), OTHERS))).run()
    assert (alone.seen.during(2), alone.seen.during(0) > 0) == (0, True)
    deaf = bench(Cut(*SPAN, links_into(2, 5))).run()
    assert (deaf.seen.during(2), deaf.seen.during(0) > 0) == (0, True)
    assert min(alone.counts + deaf.counts) > 0


def test_a_slow_link_takes_longer_and_a_narrow_one_drops() -> None:
    slow = SlowLink(*SPAN, links_of(2, 5), 300 * MILLISECOND)
    narrow = SlowLink(*SPAN, links_of(3, 5), capacity=Capacity(1_000, queue_bytes=2_000))
    run = bench(slow, narrow).run()
    assert min(run.counts) > 0
    assert run.world.network.traffic_of(links_of(3, 5)).queued_drop > 0
    assert run.world.network.traffic_of(links_of(2, 5)).lost == 0
    assert run.seen.during(3) < run.seen.during(2)


def test_a_clog_holds_everything_until_the_end_and_loses_nothing() -> None:
    run = bench(Clog(*SPAN, links_into(2, 5))).run()
    assert run.seen.during(2) == 0
    assert run.seen.times[2].count(END_NS) >= run.counts[0] > 0
    assert run.world.network.traffic.lost == 0


@pytest.mark.parametrize(
    "fault",
    [
        LossBurst(*SPAN, 400_000),
        DuplicateBurst(*SPAN, 400_000),
        ReorderBurst(*SPAN, 400_000, 300 * MILLISECOND),
    ],
)
def test_a_burst_ends_with_its_time_also_beside_another(fault: Fault) -> None:
    later = replace(fault, start_ns=MIDDLE_NS, end_ns=END_NS + SECOND)
    run = bench(fault, later).run(END_NS)
    traffic = run.world.network.traffic
    assert run.counts[0] == traffic.lost + traffic.duplicated + traffic.reordered > 0
    run.run(END_NS + SECOND)
    network = run.world.network
    assert (network.loss_ppm, network.duplicate_ppm, network.reorders) == (0, 0, [])
    assert run.counts[1] > 0


def test_a_paused_node_does_nothing_and_finds_its_messages() -> None:
    run = bench(Pause(*SPAN, 2)).run()
    assert run.seen.signed(2) == 0
    assert run.counts[0] > 10


def test_a_clock_is_wrong_for_a_while() -> None:
    run = bench(ClockJump(*SPAN, 2, SECOND)).run(MIDDLE_NS)
    assert run.world.nodes[2].skew_ns == SECOND
    run.run()
    assert (run.world.nodes[2].skew_ns, run.counts) == (0, (1,))


def test_a_failed_store_lets_a_node_sign_nothing() -> None:
    run = bench(StoreFailure(*SPAN, 2)).run()
    assert run.seen.signed(2) == 0
    assert run.counts[0] > 0


def test_a_torn_write_crashes_the_node_in_the_middle_of_a_batch() -> None:
    run = bench(TornWrite(*SPAN, 2)).run(BEGIN_NS + 2 * SECOND)
    node = run.world.nodes[2]
    assert node.core is None, "the next write came within two seconds"
    run.run()
    assert run.counts[0] > 0
    assert node.disk.lost + node.disk.dropped == run.counts[0]
    assert node.core is not None


@pytest.mark.parametrize("is_noticed", [True, False])
def test_torn_writes_catch_a_driver_that_sends_before_it_syncs(is_noticed: bool) -> None:
    torn = tuple(
        TornWrite(BEGIN_NS + node * SECOND, BEGIN_NS + (node + 1) * SECOND, node, is_noticed)
        for node in range(5)
    )
    scenario = replace(calm(2), faults=torn)
    right, broken = play(scenario), play(scenario, sends_early=True)
    assert right.verdict is Verdict.PASS, right.violations[:3]
    assert min(bite.count for bite in right.bites) > 0
    assert broken.verdict is Verdict.SAFETY
    assert {one.invariant for one in broken.violations} == {"own_slot"}


def test_a_torn_write_waits_in_vain_for_a_node_that_writes_nothing() -> None:
    run = bench(Crash(BEGIN_NS, END_NS + SECOND, 2), TornWrite(BEGIN_NS + 1, END_NS, 2))
    run.run(END_NS + 3 * SECOND)
    assert run.counts == (1, 0)
    assert run.world.nodes[2].core is not None


def test_an_old_disk_forgets_rounds_and_is_down_for_a_while_before() -> None:
    run = bench(StaleDisk(*SPAN, 2, down_ns=SECOND)).run(END_NS - 1)
    assert run.world.nodes[2].core is None
    run.run()
    assert run.world.nodes[2].core is not None
    assert run.counts[0] > 3


def test_a_node_that_joins_late_is_not_there_before_and_catches_up_with_what_it_missed() -> None:
    run = bench(Join(0, END_NS, 2)).run(END_NS - 1)
    assert (run.world.nodes[2].core, run.world.nodes[2].starts) == (None, 0)
    run.run(END_NS + 10 * SECOND)
    assert run.counts[0] > 10
    assert len(run.world.nodes[2].disk.commits) > run.counts[0]


def test_twins_bite_when_both_have_signed() -> None:
    meeting = Bench(replace(calm(1), twins=(3,))).run()
    assert meeting.plan.bites() == (Bite("twins", 1),)
    cut = Partition(SECOND, END_NS, ((0, 1, 2, 3, 4), (5,)))
    apart = Bench(replace(calm(1), twins=(3,), faults=(cut,))).run()
    assert apart.plan.bites()[-1] == Bite("twins", 0), "who hears nobody signs nothing"


def test_what_is_wrong_all_the_time_is_told_too() -> None:
    base = calm(1)
    conditions = replace(
        base.conditions,
        loss_ppm=50_000,
        duplicate_ppm=50_000,
        reorder_ppm=50_000,
        reorder_ns=100 * MILLISECOND,
    )
    skews_ns = (0, 300 * MILLISECOND)
    run = Bench(replace(base, conditions=conditions, skews_ns=skews_ns)).run()
    traffic = run.world.network.traffic
    assert run.plan.bites() == (
        Bite("skew", run.world.nodes[1].disk.signed),
        Bite("loss", traffic.lost),
        Bite("duplication", traffic.duplicated),
        Bite("reordering", traffic.reordered),
    )
    assert min(bite.count for bite in run.plan.bites()) > 0
