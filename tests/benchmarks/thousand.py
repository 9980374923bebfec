"""What a thousand real cores cost in virtual time: processor time and memory."""

import gc
import multiprocessing
import time
from collections.abc import Iterator
from dataclasses import dataclass

from protocol.parameters import minimal, with_pace
from protocol.simulator.network import Conditions, Delay, Law
from protocol.simulator.overlay.parameters import as_the_node
from protocol.simulator.scenario import Scenario, Workload
from protocol.simulator.world import World
from protocol.units import MILLISECOND, SECOND
from tests.benchmarks.figures import Effort, Figure, at_most
from tests.benchmarks.processes import peak_mib

NODES, MEMBERS = 1_000, 32
OPERATIONS_PER_SECOND = 10
SPAN_SECONDS = 60
"""Virtual time that the figure stands for."""
OPENING_SECONDS = 4
"""Of these, until all nodes have started and the members have begun: measured as it is."""


@dataclass(frozen=True, slots=True)
class _Cost:
    """What a run took: the opening, so many seconds after it, and the most memory held."""

    opening_seconds: float
    running_seconds: float
    memory_mib: float

    def whole(self, seconds: int) -> float:
        """Processor time of the whole span, from so many seconds of it after the opening."""
        return (
            self.opening_seconds + self.running_seconds * (SPAN_SECONDS - OPENING_SECONDS) / seconds
        )


def measure(effort: Effort) -> Iterator[Figure]:
    """Run the network in a process of its own."""
    seconds = effort.of(SPAN_SECONDS - OPENING_SECONDS, 6)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        cost = pool.apply(_run, (seconds,))
    stated = (
        f"committee of {MEMBERS}, a round and {OPERATIONS_PER_SECOND} transfers a second, links of "
        "20 to 60 ms, gossip as the node does, no checkers, cycles not collected"
    )
    scale = (
        ""
        if seconds + OPENING_SECONDS == SPAN_SECONDS
        else f"; {seconds} s after the opening, scaled"
    )
    name = f"{NODES:,} cores, processor time for {SPAN_SECONDS} virtual seconds"
    yield Figure(name, "s", (cost.whole(seconds),), stated + scale, target=at_most(300))
    yield Figure(
        f"{NODES:,} cores: memory",
        "MiB",
        (cost.memory_mib,),
        f"most memory of the whole process, after {OPENING_SECONDS + seconds} virtual seconds",
    )


def _run(seconds: int) -> _Cost:
    gc.disable()  # nothing here is freed by it, and looking for it costs a fifth
    begun = time.process_time()
    world = World(_network())
    world.engine.run(OPENING_SECONDS * SECOND)
    opened = time.process_time()
    world.engine.run((OPENING_SECONDS + seconds) * SECOND)
    ended = time.process_time()
    _check(world, seconds)
    return _Cost(opened - begun, ended - opened, peak_mib())


def _network() -> Scenario:
    return Scenario(
        name="thousand",
        seed=1,
        stakes=(5_000,) * MEMBERS,
        observers=NODES - MEMBERS,
        conditions=Conditions(Delay(Law.UNIFORM, 20 * MILLISECOND, 60 * MILLISECOND)),
        workload=Workload(
            transfers=OPERATIONS_PER_SECOND * SPAN_SECONDS,
            jobs=0,
            span_ns=SPAN_SECONDS * SECOND,
            observer_stakes=False,
        ),
        safety_ns=SPAN_SECONDS * SECOND,
        parameters=with_pace(minimal(), 1_000, 1_000),
        sync_ns=5 * MILLISECOND,
        overlay=as_the_node(),
    )


def _check(world: World, seconds: int) -> None:
    """All nodes have kept up, and agree."""
    states = {node.core.state.index: node.core.state.digest for node in world.nodes if node.core}
    for node in world.nodes:
        assert node.core is not None
        assert node.core.state.digest == states[node.core.state.index], "two states at one index"
    assert min(states) >= max(states) - 2, "a node lags behind"
    assert max(states) >= seconds // 2, "hardly a round became final"
    assert world.relay is not None
    assert world.relay.tally.delivered > seconds * MEMBERS * NODES // 2
