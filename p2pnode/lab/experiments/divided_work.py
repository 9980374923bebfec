"""A network that is asked for operations at a steady rate while it is cut in two.

Every node is asked for one transfer in each interval, its own moment in it, until the heal.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from p2pnode.lab.experiments.small_networks import CONDITIONS, PARAMETERS, STAKE, Side, has_quorum
from protocol import effects as fx
from protocol import events as ev
from protocol.facts import OperationApplied
from protocol.messages import Transfer
from protocol.simulator.faults import FaultPlan
from protocol.simulator.scenario import Partition, Scenario, Workload
from protocol.simulator.scheme import FAKE
from protocol.simulator.world import World
from protocol.units import CREDIT, SECOND, Digest

CUT_NS: Final = 4 * SECOND
INTERVAL_NS: Final = SECOND
"""Between two requests of one node."""
SAMPLE_NS: Final = SECOND
SETTLED_NS: Final = 4 * SECOND
"""An operation this old is final where finality goes on at all."""
RECOVERY_NS: Final = 120 * SECOND


@dataclass(frozen=True, slots=True)
class Asked:
    """One request made during the cut, and how far it got.

    Attributes:
        accepted: Whether the node signed it and took it into its pool.
        is_final: Whether it was final at its own node when the cut ended.
        is_old: Whether it had time enough for that.
    """

    node: int
    accepted: bool
    is_final: bool
    is_old: bool


@dataclass(frozen=True, slots=True)
class Divided:
    """What one cut came to.

    Attributes:
        asked: Every request made during the cut.
        divergence: Seconds since the cut, and operations that one side alone knew of.
        quorum: Whether either side has one.
        cut: Messages that met a cut link.
        recovery_ns: Time from the heal until all operations were final everywhere; None: never.
    """

    asked: tuple[Asked, ...]
    divergence: tuple[tuple[float, int], ...]
    quorum: tuple[bool, bool]
    cut: int
    recovery_ns: int | None


@dataclass(slots=True)
class _Watch:
    """Notes what nodes accept and what becomes final at each."""

    asked: dict[tuple[int, int], int] = field(default_factory=dict)
    """When, by node and ticket."""
    accepted: dict[tuple[int, int], Digest] = field(default_factory=dict)
    final: dict[int, dict[Digest, int]] = field(default_factory=dict)
    """When, by node and operation."""

    def event(self, time: int, node: int, event: ev.Event) -> None:
        """Notes requests."""
        if isinstance(event, ev.OperationRequested):
            self.asked[node, event.ticket] = time

    def effect(self, time: int, node: int, effect: fx.Effect) -> None:
        """Notes answers."""
        if not isinstance(effect, fx.Report):
            return
        match effect.fact:
            case fx.OperationSeen(ticket, identifier):
                self.accepted[node, ticket] = identifier
            case OperationApplied(identifier=identifier):
                self.final.setdefault(node, {})[identifier] = time
            case _:
                pass


def divide_work(members: int, minority: int, cut_ns: int, seed: int) -> Divided:
    """Plays one cut.

    Args:
        members: Size of the committee, all of equal stake.
        minority: Members on the smaller side.
        cut_ns: How long the cut lasts.
        seed: Of all draws.
    """
    heal_ns = CUT_NS + cut_ns
    sides = (tuple(range(minority, members)), tuple(range(minority)))
    scenario = Scenario(
        name="divided work",
        seed=seed,
        stakes=(STAKE,) * members,
        conditions=CONDITIONS,
        parameters=PARAMETERS,
        workload=Workload(0, 0, SECOND),
        faults=(Partition(CUT_NS, heal_ns, sides),),
        safety_ns=heal_ns,
    )
    watch = _Watch()
    world = World(scenario, (watch,), FAKE)
    plan = FaultPlan(world)
    _plan_requests(world, heal_ns)
    divergence = []
    for time in range(CUT_NS + SAMPLE_NS, heal_ns, SAMPLE_NS):
        world.engine.run(time)
        divergence.append(((time - CUT_NS) / SECOND, _one_sided(world, watch, sides)))
    world.engine.run(heal_ns)
    return Divided(
        asked=_asked(watch, heal_ns),
        divergence=tuple(divergence),
        quorum=(has_quorum(world, sides[0]), has_quorum(world, sides[1])),
        cut=plan.bites()[0].count,
        recovery_ns=_recovery(world, watch, heal_ns),
    )


def slope(points: Sequence[tuple[float, float]]) -> float:
    """The slope of the straight line through points, by least squares."""
    x_mean = sum(x for x, _ in points) / len(points)
    y_mean = sum(y for _, y in points) / len(points)
    above = sum((x - x_mean) * (y - y_mean) for x, y in points)
    return above / sum((x - x_mean) ** 2 for x, _ in points)


def _plan_requests(world: World, heal_ns: int) -> None:
    """Spreads the nodes' moments evenly over the interval, from the cut on."""
    count = len(world.nodes)
    for node in range(count):
        payee = world.accounts[(node + 1) % count]
        first = CUT_NS + (2 * node + 1) * INTERVAL_NS // (2 * count)
        for ticket, time in enumerate(range(first, heal_ns, INTERVAL_NS), start=1):
            event = ev.OperationRequested(ticket, Transfer(payee, CREDIT))
            world.engine.at(time, partial(world.nodes[node].deliver, event))


def _one_sided(world: World, watch: _Watch, sides: tuple[Side, Side]) -> int:
    """Counts operations that nodes of one side know of and no node of the other."""
    known = [[_knows(world, watch, one, side) for side in sides] for one in watch.accepted.values()]
    return sum(first != second for first, second in known)


def _knows(world: World, watch: _Watch, operation: Digest, side: Side) -> bool:
    for node in side:
        core = world.nodes[node].core
        assert core is not None
        if operation in core.pool or operation in watch.final.get(node, {}):
            return True
    return False


def _asked(watch: _Watch, heal_ns: int) -> tuple[Asked, ...]:
    return tuple(
        Asked(
            node=node,
            accepted=(node, ticket) in watch.accepted,
            is_final=watch.accepted.get((node, ticket)) in watch.final.get(node, {}),
            is_old=time <= heal_ns - SETTLED_NS,
        )
        for (node, ticket), time in watch.asked.items()
    )


def _recovery(world: World, watch: _Watch, heal_ns: int) -> int | None:
    """Runs on until every accepted operation is final at every node."""
    wanted = set(watch.accepted.values())
    while world.engine.now < heal_ns + RECOVERY_NS:
        world.engine.run(world.engine.now + SECOND)
        if all(wanted <= watch.final.get(node.index, {}).keys() for node in world.nodes):
            times = [watch.final[node.index][one] for node in world.nodes for one in wanted]
            return max(max(times) - heal_ns, 0)
    return None
