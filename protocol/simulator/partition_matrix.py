"""Partitions of small networks, enumerated: every kind of cut and what happens around it.

Most failures of real systems that a partition causes need three nodes, one cut and a few ordinary
events near it. So all of them are played: one node isolated, two nodes that cannot see each other
while the others see both, and a ring in which everybody sees another majority.
`python -m protocol.simulator.partition_matrix` plays every cell and prints how many passed.

Source: Alquraan et al., "An Analysis of Network-Partitioning Failures in Cloud Systems", OSDI 2018.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from functools import partial
from itertools import combinations, product
from typing import Final

from protocol import events as ev
from protocol.encoding import content_digest
from protocol.job.offer import smallest_budget
from protocol.messages import Limits, Offer, Payload, Transfer
from protocol.parameters import minimal, with_pace
from protocol.simulator.cuts import between_groups
from protocol.simulator.network import Conditions, Delay, Law, Pair
from protocol.simulator.run import Outcome, Verdict, Watch, judge
from protocol.simulator.scenario import Crash, Cut, Fault, Partition, Scenario, Workload
from protocol.simulator.workload import KINDS, MEGABYTE, WORKER_PRICE
from protocol.simulator.world import World
from protocol.units import CREDIT, MILLISECOND, SECOND

SIZES: Final = (3, 4, 5)
EVENTS_MAX: Final = 3
CUT_NS: Final = 3 * SECOND
HEAL_NS: Final = 5 * SECOND
SAFETY_NS: Final = 6 * SECOND
MOMENTS_NS: Final = (
    CUT_NS - 300 * MILLISECOND,
    CUT_NS + 700 * MILLISECOND,
    HEAL_NS + 300 * MILLISECOND,
)
"""Before, during and after the cut."""
CRASH_DELAY_NS: Final = 100 * MILLISECOND
CRASH_NS: Final = 500 * MILLISECOND
TIME_LIMIT_MS: Final = 500
DEADLINE_MS: Final = 1_500
PARAMETERS: Final = with_pace(minimal(), 300, 800)
CONDITIONS: Final = Conditions(Delay(Law.UNIFORM, 20 * MILLISECOND, 60 * MILLISECOND))


class Shape(Enum):
    """Which links are cut."""

    ISOLATED = "isolated"
    PARTIAL = "partial"
    RING = "ring"


class Happening(Enum):
    """An ordinary event."""

    CRASH = "crash"
    TRANSFER = "transfer"
    JOB = "job"


@dataclass(frozen=True, slots=True)
class Cell:
    """One combination.

    Attributes:
        shape: Which links are cut.
        members: Size of the network.
        place: The node to which everything happens: the first is next to the cut, the last is the
            one that sees most.
        script: What happens, and when.
    """

    shape: Shape
    members: int
    place: int
    script: tuple[tuple[int, Happening], ...]


def cells() -> Iterator[Cell]:
    """Enumerates all combinations, in one order."""
    moments = tuple(product(MOMENTS_NS, Happening))
    for shape, members in product(Shape, SIZES):
        places = (0,) if shape is Shape.RING else (0, members - 1)
        for place, count in product(places, range(EVENTS_MAX + 1)):
            for script in combinations(moments, count):
                yield Cell(shape, members, place, script)


def play_cell(cell: Cell) -> Outcome:
    """Plays one combination."""
    scenario = scenario_of(cell)
    watch = Watch.of(scenario)
    world = World(scenario, watch.recorders)
    for ticket, (time_ns, happening) in enumerate(cell.script, start=1):
        if happening is not Happening.CRASH:
            payload = _payload(world, cell, happening, ticket)
            event = ev.OperationRequested(ticket, payload)
            world.engine.at(time_ns, partial(world.nodes[cell.place].deliver, event))
    return judge(world, watch)


def scenario_of(cell: Cell) -> Scenario:
    """The cut and the crashes of a combination; the requests come from `play_cell`."""
    crashes = tuple(
        Crash(time_ns + CRASH_DELAY_NS, time_ns + CRASH_DELAY_NS + CRASH_NS, cell.place)
        for time_ns, happening in cell.script
        if happening is Happening.CRASH
    )
    return Scenario(
        name=f"{cell.shape.value}-{cell.members}",
        seed=cell.members,
        stakes=(5_000,) * cell.members,
        conditions=CONDITIONS,
        parameters=PARAMETERS,
        faults=(_cut(cell), *crashes),
        workload=Workload(0, 0, SECOND),
        safety_ns=SAFETY_NS,
        sync_ns=5 * MILLISECOND,
    )


def _cut(cell: Cell) -> Fault:
    nodes = range(cell.members)
    match cell.shape:
        case Shape.ISOLATED:
            return Partition(CUT_NS, HEAL_NS, ((0,), tuple(nodes[1:])))
        case Shape.PARTIAL:
            return Cut(CUT_NS, HEAL_NS, between_groups(((0,), (1,))))
        case Shape.RING:
            return Cut(CUT_NS, HEAL_NS, _outside_ring(cell.members))


def _outside_ring(members: int) -> tuple[Pair, ...]:
    """Links between nodes that are no neighbours; three nodes see one another in one direction."""
    steps = (1,) if members == 3 else (1, members - 1)
    return tuple(
        (source, target)
        for source, target in product(range(members), repeat=2)
        if source != target and (target - source) % members not in steps
    )


def _payload(world: World, cell: Cell, happening: Happening, ticket: int) -> Payload:
    if happening is Happening.TRANSFER:
        return Transfer(world.accounts[(cell.place + 1) % cell.members], ticket * CREDIT)
    least = smallest_budget(_offer(ticket, 1), PARAMETERS)
    return _offer(ticket, least)


def _offer(ticket: int, budget: int) -> Offer:
    return Offer(
        kind=KINDS[0],
        artefact=content_digest(b"cell %d" % ticket),
        inputs=(),
        size_bytes=MEGABYTE,
        device="any",
        limits=Limits(TIME_LIMIT_MS, 64 * MEGABYTE, MEGABYTE, 10**9),
        result_class="exact",
        tolerated_error_ppm=200_000,
        replicas=1,
        replicas_max=2,
        price_cap=2 * WORKER_PRICE,
        budget=budget,
        bid_window_rounds=PARAMETERS.bid_window_rounds_min,
        deadline_ms=DEADLINE_MS,
        speed_target_ms=0,
        sandbox_level=0,
        retention_ms=0,
    )


def main() -> int:
    """Plays every cell; prints counts, and each cell that did not pass."""
    passed, failed = 0, 0
    for cell in cells():
        outcome = play_cell(cell)
        if outcome.verdict is Verdict.PASS:
            passed += 1
            continue
        failed += 1
        print(f"{outcome.verdict.name.lower()}: {cell} {outcome.violations[:2]}", flush=True)
    print(f"{passed} cells passed with every fault biting, {failed} did not")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
