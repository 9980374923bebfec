"""An inactivity leak, which no node has: what it would bring after a loss, and cost in a partition.

Who is not connected loses an eighth of its weight in each period in which nothing becomes final. So
those who are left are a quorum again some day, on every side of a cut. It is wrapped around cores
here; nothing in the protocol can be set to do it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from p2pnode.lab.experiments.small_networks import CONDITIONS, STAKE, Side
from protocol import effects as fx
from protocol import events as ev
from protocol.core import Core
from protocol.ledger.committee import Committee, quorum_of
from protocol.messages import Genesis
from protocol.parameters import minimal, with_pace
from protocol.signing import Identity, Scheme
from protocol.simulator.faults import FaultPlan
from protocol.simulator.scenario import Crash, Fault, Partition, Scenario, Workload
from protocol.simulator.scheme import FAKE
from protocol.simulator.world import World
from protocol.snapshot import Snapshot
from protocol.units import SECOND, Digest, MemberIndex, Round, Weight

PERIOD_NS: Final = 5 * SECOND
KEPT: Final = (7, 8)
"""Share of its weight that an absent member keeps in each period."""
BEGIN_NS: Final = 10 * SECOND
"""When the loss comes: where a period begins."""
DRAINED_NS: Final = 2 * SECOND
"""What was on its way has become final or not by then."""
AFTERWARDS_NS: Final = 10 * SECOND


def kept_weight(weight: int, periods: int) -> int:
    """What is left of a weight; rounds down."""
    return int(weight * KEPT[0] ** periods // KEPT[1] ** periods)


class Leak:
    """Lowers the quorum that one core knows, as the weight of absent members leaks away.

    All nodes take the same periods of virtual time, so that those who are connected agree.
    """

    def __init__(self, core: Core) -> None:
        self._core = core
        self._step = core.step
        self._committee = core.ledger.committee
        self._absent: dict[MemberIndex, int] = {}
        """Since when a member is not connected."""
        self._periods: dict[MemberIndex, int] = {}
        """How many it has paid for; they are not given back before the epoch ends."""
        self._final_at = 0

    def step(self, event: ev.Event, now: int) -> tuple[fx.Effect, ...]:
        """Leaks, and then takes a step of the core."""
        committee = self._core.ledger.committee
        if committee is not self._committee:
            self._committee = committee
            self._periods.clear()
        self._count(now)
        if self._periods:
            self._lower(committee)
        effects = self._step(event, now)
        if any(isinstance(effect, fx.PersistCommit) for effect in effects):
            self._final_at = now
        return effects

    def _count(self, now: int) -> None:
        present = {self._core.account, *self._core.peers}
        for number, member in enumerate(self._committee.members):
            index = MemberIndex(number)
            if member.account in present:
                self._absent.pop(index, None)
                continue
            begin = max(self._absent.setdefault(index, now), self._final_at)
            periods = now // PERIOD_NS - begin // PERIOD_NS
            if periods > self._periods.get(index, 0):
                self._periods[index] = periods

    def _lower(self, committee: Committee) -> None:
        weights = committee.weights
        lost = sum(
            weights[index] - kept_weight(weights[index], periods)
            for index, periods in self._periods.items()
        )
        committee.quorum = quorum_of(Weight(committee.total - lost), churn_profile=False)
        dag = self._core.ledger.dag
        newest = dag.clock_round
        authors = [block.block.author for block in dag.blocks_of_round(newest)]
        if committee.weight_of(authors) >= committee.quorum:
            dag.clock_round = Round(newest + 1)  # the graph itself looks at its next block only


def leaking(
    genesis: Genesis, identity: Identity, scheme: Scheme, *, snapshot: Snapshot | None = None
) -> Core:
    """Makes a core with a leak around it."""
    core = Core(genesis, identity, scheme, snapshot=snapshot)
    core.step = Leak(core).step  # type: ignore[method-assign]  # only here
    return core


@dataclass(frozen=True, slots=True)
class Leaked:
    """What one run came to.

    Attributes:
        again: Seconds from the loss until each side's first new commit; None: never.
        contradicting: Commits of which two sides have different ones.
        halted: Nodes that have noticed it when all are linked again.
        bites: Crashes that hit, or messages that met a cut link.
        times: Seconds since the loss of each side's commits.
    """

    again: tuple[float | None, ...]
    contradicting: int
    halted: int
    bites: int
    times: tuple[tuple[float, ...], ...]


@dataclass(slots=True)
class _Commits:
    """Which commits each node had first when."""

    seen: dict[int, dict[int, tuple[int, Digest]]] = field(default_factory=dict)

    def event(self, time: int, node: int, event: ev.Event) -> None:
        """Events commit nothing."""

    def effect(self, time: int, node: int, effect: fx.Effect) -> None:
        """Notes commits."""
        if isinstance(effect, fx.PersistCommit):
            found = (time, effect.digest)
            self.seen.setdefault(node, {}).setdefault(effect.index, found)

    def of(self, side: Side) -> dict[int, tuple[int, Digest]]:
        """The first of each index on a side."""
        found: dict[int, tuple[int, Digest]] = {}
        for node in side:
            for index, one in self.seen.get(node, {}).items():
                found[index] = min(one, found.get(index, one))
        return found


MakeCore = Callable[..., Core]


def lose(members: int, lost: int, make_core: MakeCore, seed: int, until_s: float) -> Leaked:
    """Crashes members for the whole run."""
    end_ns = BEGIN_NS + int(until_s * SECOND)
    faults = tuple(Crash(BEGIN_NS, 2 * end_ns, node) for node in range(lost))
    return _play(members, faults, (tuple(range(lost, members)),), make_core, (seed, end_ns))


def divide(members: int, minority: int, make_core: MakeCore, seed: int, until_s: float) -> Leaked:
    """Cuts the network in two, and heals it for the last seconds."""
    end_ns = BEGIN_NS + int(until_s * SECOND)
    sides = (tuple(range(minority, members)), tuple(range(minority)))
    faults = (Partition(BEGIN_NS, end_ns, sides),)
    return _play(members, faults, sides, make_core, (seed, end_ns))


def _play(
    members: int,
    faults: tuple[Fault, ...],
    sides: tuple[Side, ...],
    make_core: MakeCore,
    run: tuple[int, int],
) -> Leaked:
    seed, end_ns = run
    scenario = Scenario(
        name="leak",
        seed=seed,
        stakes=(STAKE,) * members,
        conditions=CONDITIONS,
        parameters=with_pace(minimal(), 100, 300),
        workload=Workload(0, 0, SECOND),
        faults=faults,
        safety_ns=end_ns,
    )
    commits = _Commits()
    world = World(scenario, (commits,), FAKE, make_core=make_core)
    plan = FaultPlan(world)
    world.engine.run(end_ns)
    found = [commits.of(side) for side in sides]
    world.engine.run(end_ns + AFTERWARDS_NS)
    times = tuple(
        tuple(sorted((time - BEGIN_NS) / SECOND for time, _ in one.values())) for one in found
    )
    return Leaked(
        again=tuple(_first_after(one, DRAINED_NS / SECOND) for one in times),
        contradicting=_contradicting(found),
        halted=sum(node.core is not None and bool(node.core.halted) for node in world.nodes),
        bites=sum(bite.count for bite in plan.bites()),
        times=times,
    )


def _first_after(times: tuple[float, ...], begin_s: float) -> float | None:
    return next((time for time in times if time > begin_s), None)


def _contradicting(sides: list[dict[int, tuple[int, Digest]]]) -> int:
    """Counts the indices at which two sides have different commits."""
    if len(sides) == 1:
        return 0
    first, second = sides
    return sum(first[index][1] != second[index][1] for index in first.keys() & second.keys())
