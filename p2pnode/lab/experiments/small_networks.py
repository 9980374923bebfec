"""Simulated networks that lose nodes or links for a while: which side's finality goes on?"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from protocol.ledger.committee import Committee
from protocol.parameters import minimal, with_pace
from protocol.simulator.faults import FaultPlan
from protocol.simulator.network import Conditions, Delay, Law
from protocol.simulator.scenario import Crash, Fault, Partition, Scenario, Workload
from protocol.simulator.scheme import FAKE
from protocol.simulator.world import World
from protocol.units import MILLISECOND, SECOND, MemberIndex

BEGIN_NS: Final = 3 * SECOND
DRAINED_NS: Final = BEGIN_NS + 2 * SECOND
"""What was on its way when the fault began has arrived by then."""
END_NS: Final = DRAINED_NS + 9 * SECOND
AGAIN_NS: Final = END_NS + 15 * SECOND
"""All nodes must commit anew by then."""
CONDITIONS: Final = Conditions(Delay(Law.UNIFORM, 20 * MILLISECOND, 60 * MILLISECOND))
PARAMETERS: Final = with_pace(minimal(), 100, 300)
STAKE: Final = 5_000

Side = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class SideSeen:
    """What one side did while the fault lasted.

    Attributes:
        has_quorum: Whether the committee says that this side's weight is enough.
        commits: New commits on it.
    """

    has_quorum: bool
    commits: int

    @property
    def obeys(self) -> bool:
        """Whether finality went on exactly if the committee's rule says so."""
        return (self.commits > 0) == self.has_quorum


@dataclass(frozen=True, slots=True)
class Seen:
    """What one run came to.

    Attributes:
        sides: In the order in which they were given.
        bites: Crashes that hit a running node, or messages that met a cut link; of all faults.
        missed: Faults that never bit.
        has_resumed: Whether every node committed anew after the end.
    """

    sides: tuple[SideSeen, ...]
    bites: int
    missed: int
    has_resumed: bool


def crash(stakes: Sequence[int], down: Side, seed: int) -> Seen:
    """Stops some nodes at once, watches the others, and lets all of them come back."""
    up = tuple(node for node in range(len(stakes)) if node not in down)
    faults = tuple(Crash(BEGIN_NS, END_NS, node) for node in down)
    return _watch(stakes, faults, (up,), seed)


def divide(stakes: Sequence[int], sides: tuple[Side, ...], seed: int) -> Seen:
    """Cuts all links between sides, watches each, and heals."""
    faults = (Partition(BEGIN_NS, END_NS, sides),) if all(sides) else ()
    return _watch(stakes, faults, sides, seed)


def _watch(
    stakes: Sequence[int], faults: tuple[Fault, ...], sides: tuple[Side, ...], seed: int
) -> Seen:
    scenario = Scenario(
        name="small",
        seed=seed,
        stakes=tuple(stakes),
        conditions=CONDITIONS,
        parameters=PARAMETERS,
        workload=Workload(0, 0, SECOND),
        faults=faults,
        safety_ns=END_NS,
    )
    world = World(scenario, (), FAKE)
    plan = FaultPlan(world)
    world.engine.run(DRAINED_NS)
    before = [_newest(world, side) for side in sides]
    world.engine.run(END_NS)
    seen = tuple(
        SideSeen(has_quorum(world, side), _newest(world, side) - old)
        for side, old in zip(sides, before, strict=True)
    )
    newest = _newest(world, range(len(stakes)))
    world.engine.run(AGAIN_NS)
    counts = [bite.count for bite in plan.bites()]
    return Seen(seen, sum(counts), counts.count(0), _oldest(world) > newest)


def has_quorum(world: World, side: Sequence[int]) -> bool:
    """Asks the network's own committee whether some nodes together make a quorum."""
    committee = Committee.of_genesis(world.genesis)
    indices = [committee.index_of(world.accounts[node]) for node in side]
    members: list[MemberIndex] = [index for index in indices if index is not None]
    return committee.weight_of(members) >= committee.quorum


def _newest(world: World, side: Sequence[int]) -> int:
    """The newest commit of any running node of a side; 0 when none runs."""
    cores = [world.nodes[node].core for node in side]
    return max((core.state.index for core in cores if core is not None), default=0)


def _oldest(world: World) -> int:
    """The oldest commit at which any node stands; 0 when one is down."""
    return min(node.core.state.index if node.core else 0 for node in world.nodes)
