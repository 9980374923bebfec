"""Committees of 32 and 64 in virtual time with the real core: what a minute of them costs."""

import gc
import multiprocessing
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from msgspec.structs import replace

from protocol import effects as fx
from protocol import events as ev
from protocol.parameters import minimal, with_pace
from protocol.simulator.network import Conditions, Delay, Law
from protocol.simulator.scenario import START_NS, Scenario, Workload
from protocol.simulator.world import World
from protocol.units import MILLISECOND, SECOND
from tests.benchmarks.figures import Effort, Figure
from tests.benchmarks.processes import forget_peak, peak_mib

SIZES = (32, 64)
ROUND_MS, IDLE_MS = 250, 1_000
OPERATIONS_PER_SECOND = 10


@dataclass(frozen=True, slots=True)
class Cost:
    """What a run came to."""

    commits: int
    operations: int
    """Final everywhere."""
    messages: int
    """Deliveries, over all nodes."""
    seconds: float
    """Of processor time."""
    memory_mib: float
    """Most memory of the whole process, above what it had before."""


def measure(effort: Effort) -> Iterator[Figure]:
    """Run each committee in a process of its own."""
    span_seconds = effort.of(60, 8)
    for members in SIZES:
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            cost = pool.apply(run, (members, span_seconds))
        stated = (
            f"{members} members, all linked, rounds of {ROUND_MS} ms, links of 20 to 60 ms, "
            f"{OPERATIONS_PER_SECOND} transfers a second; {span_seconds} virtual seconds"
        )
        name = f"committee of {members}"
        yield Figure(f"{name}: commits", "", (cost.commits,), stated)
        yield Figure(f"{name}: operations final", "", (cost.operations,), stated)
        yield Figure(f"{name}: messages delivered", "", (cost.messages,), stated)
        each = cost.seconds / cost.messages * 1e6
        yield Figure(
            f"{name}: processor time", "s", (cost.seconds,), f"{stated}; {each:.1f} us a message"
        )
        yield Figure(f"{name}: memory", "MiB", (cost.memory_mib,), "of all nodes together")


def run(members: int, span_seconds: int) -> Cost:
    """Plays a calm network and checks that all its members agree and keep up."""
    gc.disable()  # nothing here is freed by it, and looking for it costs a fifth
    before_mib = forget_peak()
    count = _Count()
    begun = time.process_time()
    world = World(calm_network(members, span_seconds), (count,))
    world.engine.run(START_NS + span_seconds * SECOND)
    elapsed = time.process_time() - begun
    commits, operations = _agreed(world)
    memory_mib = peak_mib() - before_mib
    return Cost(commits, operations, sum(count.delivered), elapsed, memory_mib)


@dataclass(slots=True)
class _Count:
    """Counts what reaches the nodes."""

    delivered: list[int] = field(default_factory=lambda: [0, 0])
    """Blocks, and messages to one peer or batches of operations."""

    def event(self, time: int, node: int, event: ev.Event) -> None:
        if isinstance(event, ev.BlockReceived):
            self.delivered[0] += 1
        elif isinstance(event, ev.MessageReceived):
            self.delivered[1] += 1

    def effect(self, time: int, node: int, effect: fx.Effect) -> None:
        """Effects are not counted."""


def calm_network(members: int, span_seconds: int) -> Scenario:
    """A committee that nothing happens to, with some transfers."""
    terms = replace(with_pace(minimal(), ROUND_MS, IDLE_MS), committee_max=max(SIZES))
    return Scenario(
        name="committee",
        seed=1,
        stakes=(5_000,) * members,
        conditions=Conditions(Delay(Law.UNIFORM, 20 * MILLISECOND, 60 * MILLISECOND)),
        workload=Workload(OPERATIONS_PER_SECOND * span_seconds, 0, span_seconds * SECOND),
        safety_ns=START_NS + span_seconds * SECOND,
        parameters=terms,
        sync_ns=5 * MILLISECOND,
    )


def _agreed(world: World) -> tuple[int, int]:
    """Checks all states against each other; returns commits and operations final everywhere."""
    cores = [node.core for node in world.nodes if node.core is not None]
    assert len(cores) == len(world.nodes)
    digests = {core.state.index: core.state.digest for core in cores}
    for core in cores:
        assert core.state.digest == digests[core.state.index], "two states at one index"
        assert len(core.ledger.committee) == len(cores), "a member was evicted"
    assert min(digests) >= max(digests) - 2, "a member lags behind"
    nonces = [
        sum(core.state.accounts.of(account).nonce for account in world.accounts) for core in cores
    ]
    return min(digests), min(nonces)
