"""A committee in message delays: at what pace finality goes on, and how soon it comes back.

All pacing is off, so that the delay of a link is the only time that counts.
"""

from dataclasses import dataclass, field
from typing import Final

from p2pnode.lab.experiments.small_networks import STAKE, Side
from protocol import effects as fx
from protocol import events as ev
from protocol.parameters import minimal, with_pace
from protocol.simulator.faults import FaultPlan
from protocol.simulator.latency import DELAY_NS
from protocol.simulator.network import Conditions, Delay, Law
from protocol.simulator.scenario import Crash, Fault, Partition, Scenario, Workload
from protocol.simulator.scheme import FAKE
from protocol.simulator.world import World
from protocol.units import SECOND

BEGIN_NS: Final = 4 * SECOND
DRAINED_NS: Final = 10 * DELAY_NS
"""What was on its way when the fault began has become final or not by then."""
UNIFORM: Final = Delay(Law.UNIFORM, DELAY_NS // 2, DELAY_NS * 3 // 2)
AFTERWARDS_NS: Final = 15 * SECOND


@dataclass(frozen=True, slots=True)
class Halt:
    """What a loss came to; paces are commits in one message delay.

    Attributes:
        before: Pace of the whole network before the fault.
        during: Pace of each side, from some delays after the begin to the end.
        first: Delays from the end until somebody committed anew; None: never.
        everywhere: Delays from the end until every node had; None: never.
        bites: Crashes that hit, or messages that met a cut link.
        times: Delays since the begin at which anybody first had each commit.
    """

    before: float
    during: tuple[float, ...]
    first: float | None
    everywhere: float | None
    bites: int
    times: tuple[float, ...]


@dataclass(slots=True)
class _Commits:
    """When each node first had each commit."""

    seen: dict[int, dict[int, int]] = field(default_factory=dict)

    def event(self, time: int, node: int, event: ev.Event) -> None:
        """Events commit nothing."""

    def effect(self, time: int, node: int, effect: fx.Effect) -> None:
        """Notes commits."""
        if isinstance(effect, fx.PersistCommit):
            self.seen.setdefault(node, {}).setdefault(effect.index, time)

    def first(self, nodes: Side) -> dict[int, int]:
        """When any of some nodes first had each commit."""
        found: dict[int, int] = {}
        for node in nodes:
            for index, time in self.seen.get(node, {}).items():
                found[index] = min(time, found.get(index, time))
        return found


def divide_committee(members: int, minority: int, delays: int, seed: int) -> Halt:
    """Cuts some members off from the others for so many message delays."""
    end_ns = BEGIN_NS + delays * DELAY_NS
    sides = (tuple(range(minority, members)), tuple(range(minority)))
    return _halt(members, (Partition(BEGIN_NS, end_ns, sides),), sides, seed)


def lose_members(members: int, lost: int, returning: int, delays: int, seed: int) -> Halt:
    """Crashes members at once; some of them come back, the others not within the run."""
    end_ns = BEGIN_NS + delays * DELAY_NS
    late_ns = end_ns + 2 * AFTERWARDS_NS
    faults = tuple(
        Crash(BEGIN_NS, end_ns if node < returning else late_ns, node) for node in range(lost)
    )
    return _halt(members, faults, (tuple(range(lost, members)),), seed)


def _halt(members: int, faults: tuple[Fault, ...], sides: tuple[Side, ...], seed: int) -> Halt:
    end_ns = min(fault.end_ns for fault in faults)
    scenario = Scenario(
        name="halt",
        seed=seed,
        stakes=(STAKE,) * members,
        conditions=Conditions(UNIFORM),
        parameters=with_pace(minimal(), 0, 0),
        workload=Workload(0, 0, SECOND),
        faults=faults,
        safety_ns=end_ns,
    )
    commits = _Commits()
    world = World(scenario, (commits,), FAKE)
    plan = FaultPlan(world)
    world.engine.run(end_ns + AFTERWARDS_NS)
    everybody = commits.first(tuple(range(members)))
    newest = max(index for index, time in everybody.items() if time <= end_ns)
    running = [node.index for node in world.nodes if node.core is not None]
    firsts = [_first_after(commits, (node,), newest) for node in running]
    known = [time for time in firsts if time is not None]
    return Halt(
        before=_pace(everybody, BEGIN_NS - SECOND, BEGIN_NS),
        during=tuple(_pace(commits.first(one), BEGIN_NS + DRAINED_NS, end_ns) for one in sides),
        first=_delays(min(known) - end_ns) if known else None,
        everywhere=_delays(max(known) - end_ns) if len(known) == len(running) else None,
        bites=sum(bite.count for bite in plan.bites()),
        times=tuple(_delays(time - BEGIN_NS) for time in sorted(everybody.values())),
    )


def _pace(commits: dict[int, int], begin_ns: int, end_ns: int) -> float:
    """Commits in one delay."""
    return sum(begin_ns < time <= end_ns for time in commits.values()) / _delays(end_ns - begin_ns)


def _first_after(commits: _Commits, nodes: Side, newest: int) -> int | None:
    times = [time for index, time in commits.first(nodes).items() if index > newest]
    return min(times, default=None)


def _delays(duration_ns: int) -> float:
    return duration_ns / DELAY_NS
