"""Latency of finality in message delays with all pacing off, and the speed of virtual time."""

import gc
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from protocol import effects as fx
from protocol import events as ev
from protocol.parameters import minimal, with_pace
from protocol.simulator.engine import Engine
from protocol.simulator.latency import DELAY_NS, Latency, measure_latency
from protocol.simulator.network import Conditions, Delay, Law
from protocol.simulator.scenario import START_NS, Scenario, Workload
from protocol.simulator.scheme import FAKE
from protocol.simulator.world import World
from protocol.units import SECOND
from tests.benchmarks.figures import Effort, Figure, Floor, at_least, at_most
from tests.benchmarks.ledger import decoding_seconds

MEMBERS = 16
CONSTANT = Delay(Law.CONSTANT, DELAY_NS, DELAY_NS)
UNIFORM = Delay(Law.UNIFORM, DELAY_NS // 2, DELAY_NS * 3 // 2)
ACTORS = 1_000
VIRTUAL = f"virtual time, n={MEMBERS}, all linked, pacing off, signatures hashed"


def measure(effort: Effort) -> Iterator[Figure]:
    """Measure latency, then speed."""
    yield from _latencies(effort)
    yield _engine(effort)
    yield _delivered(effort)


def _latencies(effort: Effort) -> Iterator[Figure]:
    seeds = range(1, effort.of(3, 1) + 1)
    seconds = effort.of(10, 6)
    constant = measure_latency(MEMBERS, CONSTANT, 1, seconds)
    leaders = constant.leaders
    assert leaders.count > 0
    yield Figure(
        "leader's block final, slowest",
        "delays",
        (leaders.longest / 1_000,),
        f"{VIRTUAL}, constant delay; {leaders.count} measured, mean {leaders.mean / 1_000}",
        Floor("three message delays, the least that any such protocol needs", 3),
        at_most(3),
    )
    found = [measure_latency(MEMBERS, UNIFORM, seed, seconds) for seed in seeds]
    assert all(one.blocks.count > 0 and one.operations.count > 0 for one in found)
    conditions = f"{VIRTUAL}, delays uniform from 0.5 to 1.5; seeds 1 to {len(found)}"
    yield Figure(
        "a block final, mean",
        "delays",
        tuple(one.blocks.mean / 1_000 for one in found),
        f"{conditions}; p95 {_worst(found)}",
        Floor("the same under constant delay", constant.blocks.mean / 1_000),
        at_most(5.1),
    )
    yield Figure(
        "an operation final, from its submission, mean",
        "delays",
        tuple(one.operations.mean / 1_000 for one in found),
        f"{conditions}; counted at every node",
        Floor("the same under constant delay", constant.operations.mean / 1_000),
        at_most(6),
    )


def _worst(found: list[Latency]) -> float:
    return max(one.blocks.p95 for one in found) / 1_000


def _engine(effort: Effort) -> Figure:
    samples = []
    for _ in range(effort.of(5, 2)):
        engine = Engine()
        for number in range(ACTORS):
            engine.at(number, _Actor(engine, number % 97 + 1).act)
        begun = time.process_time()
        engine.run(effort.of(15_000, 5_000))
        samples.append(engine.events / (time.process_time() - begun))
    return Figure(
        "engine alone, events",
        "/s",
        tuple(samples),
        f"processor time; {ACTORS} actors that do nothing but plan their next event",
        target=at_least(100_000),
    )


@dataclass(frozen=True, slots=True)
class _Actor:
    engine: Engine
    pause: int

    def act(self) -> None:
        """Plan the next time."""
        self.engine.after(self.pause, self.act)


@dataclass(slots=True)
class _Postman:
    """Counts the blocks that reach a node, and keeps some of them."""

    delivered: int = 0
    kept: list[bytes] = field(default_factory=list)

    def event(self, time: int, node: int, event: ev.Event) -> None:
        if isinstance(event, ev.BlockReceived):
            self.delivered += 1
            if node == 0:
                self.kept.append(event.raw)

    def effect(self, time: int, node: int, effect: fx.Effect) -> None:
        """Effects are not counted."""


def _delivered(effort: Effort) -> Figure:
    samples, floors = [], []
    for seed in range(1, effort.of(3, 1) + 1):
        scenario = Scenario(
            name="speed",
            seed=seed,
            stakes=(5_000,) * MEMBERS,
            conditions=Conditions(UNIFORM),
            parameters=with_pace(minimal(), 0, 0),
            workload=Workload(0, 0, SECOND),
            safety_ns=START_NS + effort.of(10, 4) * SECOND,
        )
        postman = _Postman()
        world = World(scenario, (postman,), FAKE)
        gc.collect()  # what earlier benchmarks left behind is not searched at this one's expense
        begun = time.process_time()
        world.engine.run(scenario.safety_ns)
        samples.append(postman.delivered / (time.process_time() - begun))
        floors.append(1 / decoding_seconds(postman.kept))
    return Figure(
        "blocks delivered to the real core",
        "/s",
        tuple(samples),
        f"{VIRTUAL}; processor time; all nodes in one process, each decodes for itself; "
        "no operations",
        Floor("decoding and hashing such a block, nothing else", max(floors)),
        at_least(20_000),
    )
