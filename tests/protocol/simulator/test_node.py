from dataclasses import dataclass, field
from typing import cast

from protocol import effects as fx
from protocol import events as ev
from protocol.core import Core
from protocol.simulator.costs import Bill, Costs
from protocol.simulator.engine import Engine
from protocol.simulator.node import SPINS_MAX, Node, Surroundings
from protocol.units import MILLISECOND, AccountId, Digest, Round

SLOT = fx.PersistSlot(0, Round(1), Digest(bytes(32)))
GOSSIP = fx.GossipBlock(b"block")
PEER = AccountId(bytes(32))
SYNC_NS = 10


@dataclass
class Script:
    """A core that answers every event alike, and remembers what it was told."""

    answer: tuple[fx.Effect, ...] = ()
    steps: list[tuple[ev.Event, int]] = field(default_factory=list)

    def step(self, event: ev.Event, now: int) -> tuple[fx.Effect, ...]:
        self.steps.append((event, now))
        return self.answer


@dataclass
class Ear:
    """A recorder."""

    heard: list[str] = field(default_factory=list)

    def event(self, time: int, node: int, event: ev.Event) -> None:
        self.heard.append(f"{time}<{type(event).__name__}")

    def effect(self, time: int, node: int, effect: fx.Effect) -> None:
        self.heard.append(f"{time}>{type(effect).__name__}")


@dataclass
class Bench:
    """One node on its own."""

    script: Script
    sends_early: bool = False
    engine: Engine = field(default_factory=Engine)
    ear: Ear = field(default_factory=Ear)
    done: list[tuple[int, fx.Effect]] = field(default_factory=list)

    def node(self) -> Node:
        around = Surroundings(
            self.engine,
            lambda index: cast(Core, self.script),
            lambda index, effect: self.done.append((self.engine.now, effect)),
            self.ear,
            SYNC_NS,
            self.sends_early,
        )
        node = Node(0, around)
        node.core = cast(Core, self.script)
        return node


def bench(*answer: fx.Effect, sends_early: bool = False) -> tuple[Bench, Node]:
    made = Bench(Script(answer), sends_early)
    return made, made.node()


def test_nothing_gets_out_before_what_it_depends_on_is_safe() -> None:
    made, node = bench(SLOT, GOSSIP)
    node.deliver(ev.Tick())
    made.engine.run(SYNC_NS - 1)
    assert made.done == []
    assert node.disk.is_dirty
    made.engine.run(SYNC_NS)
    assert made.done == [(SYNC_NS, GOSSIP)]
    assert not node.disk.is_dirty


def test_a_batch_takes_everything_that_waits() -> None:
    made, node = bench(SLOT, GOSSIP)
    for _ in range(3):
        node.deliver(ev.Tick())
    made.engine.run(SYNC_NS)
    assert len(made.done) == 3
    node.deliver(ev.Tick())
    node.deliver(ev.Tick())
    made.engine.run(SYNC_NS + 1)
    assert len(made.script.steps) == 5


def test_what_comes_during_a_sync_waits_for_the_next_batch() -> None:
    made, node = bench(SLOT)
    node.deliver(ev.Tick())
    made.engine.run(1)
    node.deliver(ev.Tick())
    made.engine.run(SYNC_NS - 1)
    assert len(made.script.steps) == 1
    made.engine.run(SYNC_NS)
    assert len(made.script.steps) == 2


def test_a_crash_between_write_and_sync_lets_nothing_out() -> None:
    made, node = bench(SLOT, GOSSIP)
    node.deliver(ev.Tick())
    made.engine.run(SYNC_NS // 2)
    node.crash(keeps_last_batch=False)
    made.engine.run(10 * SYNC_NS)
    assert made.done == []
    assert node.disk.lost == 1


def test_a_broken_driver_sends_what_it_then_forgets() -> None:
    made, node = bench(SLOT, GOSSIP, sends_early=True)
    node.deliver(ev.Tick())
    made.engine.run(SYNC_NS // 2)
    node.crash(keeps_last_batch=False)
    assert made.done == [(0, GOSSIP)]
    assert node.disk.lost == 1


def test_a_start_restores_before_anything_else() -> None:
    made, node = bench()
    node.start()
    made.engine.run(1)
    assert [event for event, _ in made.script.steps] == [ev.Restored(0, (), ())]


def test_only_the_newest_wake_counts() -> None:
    made, node = bench(fx.WakeAt(50))
    node.deliver(ev.Tick())
    made.engine.run(10)
    made.script.answer = (fx.WakeAt(80),)
    node.deliver(ev.PeerJoined(PEER))
    made.engine.run(70)
    assert len(made.script.steps) == 2
    made.engine.run(80)
    assert made.script.steps[-1] == (ev.Tick(), 80)


def test_a_skewed_clock_shifts_what_the_core_sees_and_never_goes_back() -> None:
    made, node = bench()
    node.set_clock(100)
    node.deliver(ev.Tick())
    made.engine.run(10)
    node.set_clock(-100)
    node.deliver(ev.Tick())
    made.engine.run(20)
    assert [now for _, now in made.script.steps] == [100, 100]


def test_a_skewed_node_wakes_by_its_own_clock() -> None:
    made, node = bench()
    node.set_clock(-30)
    made.script.answer = (fx.WakeAt(50),)
    node.deliver(ev.Tick())
    made.engine.run(79)
    assert len(made.script.steps) == 1
    made.engine.run(80)
    assert made.script.steps[1] == (ev.Tick(), 50)


def test_a_paused_node_finds_its_messages_later() -> None:
    made, node = bench()
    node.pause()
    node.deliver(ev.Tick())
    made.engine.run(10)
    assert made.script.steps == []
    node.resume()
    made.engine.run(20)
    assert len(made.script.steps) == 1


def test_a_failed_store_withholds_until_it_is_repaired() -> None:
    made, node = bench(SLOT, GOSSIP)
    node.fail_store()
    made.engine.run(5 * SYNC_NS)
    assert made.done == []
    made.script.answer = ()
    node.repair_store()
    made.engine.run(6 * SYNC_NS)
    assert made.done == [(5 * SYNC_NS, GOSSIP)]
    assert [type(event) for event, _ in made.script.steps] == [ev.StoreFailed, ev.StoreRecovered]


def test_a_core_that_spins_is_noticed() -> None:
    made, node = bench(fx.WakeAt(0))
    node.deliver(ev.Tick())
    made.engine.run(MILLISECOND // 2)
    assert node.spins == 1
    assert len(made.script.steps) == SPINS_MAX


def test_recorders_hear_of_writes_at_once_and_of_the_rest_when_it_gets_out() -> None:
    made, node = bench(GOSSIP, SLOT)
    node.deliver(ev.Tick())
    made.engine.run(SYNC_NS)
    assert made.ear.heard == ["0<Tick", "0>PersistSlot", f"{SYNC_NS}>GossipBlock"]


def test_a_sync_can_take_another_time_each_time() -> None:
    made, node = bench(SLOT, GOSSIP)
    times = iter((3, 40))
    node.draw_sync_ns = lambda: next(times)
    node.deliver(ev.Tick())
    made.engine.run(3)
    node.deliver(ev.Tick())
    made.engine.run(100)
    assert made.done == [(3, GOSSIP), (43, GOSSIP)]


def test_a_busy_node_steps_and_sends_only_when_it_has_computed() -> None:
    made, node = bench(SLOT, GOSSIP)
    node.bill = Bill(Costs(step_ns=100, sign_ns=7))
    node.deliver(ev.Tick())
    made.engine.run(50)
    node.deliver(ev.Tick())
    made.engine.run(99)
    assert made.script.steps == []
    made.engine.run(1_000)
    assert [now for _, now in made.script.steps] == [100, 217]
    assert [time for time, _ in made.done] == [117, 234]


def test_a_crash_while_computing_leaves_nothing() -> None:
    made, node = bench(SLOT, GOSSIP)
    node.bill = Bill(Costs(step_ns=100))
    node.deliver(ev.Tick())
    made.engine.run(50)
    node.crash(keeps_last_batch=True)
    made.engine.run(1_000)
    assert (made.script.steps, made.done, node.disk.lost) == ([], [], 0)


def test_a_pause_while_computing_puts_the_batch_off() -> None:
    made, node = bench(GOSSIP)
    node.bill = Bill(Costs(step_ns=100))
    node.deliver(ev.Tick())
    made.engine.run(50)
    node.pause()
    made.engine.run(500)
    assert made.script.steps == []
    node.resume()
    made.engine.run(1_000)
    assert made.done == [(600, GOSSIP)]


def test_something_else_can_happen_in_the_place_of_the_next_write() -> None:
    made, node = bench(SLOT, GOSSIP)
    torn: list[int] = []
    node.tear_next_write(lambda: torn.append(node.disk.unsynced))
    node.deliver(ev.Tick())
    made.engine.run(10 * SYNC_NS)
    assert (torn, made.done) == ([1], [])


def test_a_tear_that_was_called_off_does_not_happen() -> None:
    made, node = bench(SLOT, GOSSIP)
    torn: list[int] = []
    node.tear_next_write(lambda: torn.append(1))
    node.tear_next_write(None)
    node.deliver(ev.Tick())
    made.engine.run(10 * SYNC_NS)
    assert (torn, made.done) == ([], [(SYNC_NS, GOSSIP)])
