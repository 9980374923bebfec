"""How long finality takes: of operations in any run, and of a calm network without pacing.

The second counts in thousandths of the mean delay of a link, so that it compares to published
figures for any network.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from protocol import effects as fx
from protocol import events as ev
from protocol.facts import OperationApplied
from protocol.messages import Transfer
from protocol.parameters import minimal, with_pace
from protocol.simulator.network import Conditions, Delay
from protocol.simulator.scenario import START_NS, Scenario, Workload
from protocol.simulator.world import World
from protocol.units import MILLISECOND, SECOND, Digest, Round

DELAY_NS: Final = 100 * MILLISECOND
"""Mean one-way delay: a quarter of the minimal leader timeout, half of the vote grace."""

WARM_UP_NS: Final = 2 * SECOND
"""Blocks and operations begun earlier do not count, while the nodes still find one another."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Times in thousandths of a delay; zeros when nothing was measured."""

    count: int
    mean: int
    p50: int
    p95: int
    longest: int


@dataclass(frozen=True, slots=True)
class Latency:
    """What one run measured.

    Attributes:
        blocks: From proposing any block to its being final, at each node.
        leaders: The same for the blocks that were committed as leaders.
        operations: From asking for a transfer to its being final, at each node.
        commits: Number of commits.
        rounds: Highest round with a committed leader.
    """

    blocks: Spread
    leaders: Spread
    operations: Spread
    commits: int
    rounds: int


@dataclass(slots=True)
class OperationTimes:
    """A recorder of when operations were asked for, signed and final; of real runs, too.

    Attributes:
        asked: When the transfer was asked for, by identifier; what nobody was seen to ask for is
            missing.
        seen: The node that signed each operation, and when.
        final: When each node first knew each operation to be final with effect.
    """

    asked: dict[Digest, int] = field(default_factory=dict)
    seen: dict[Digest, tuple[int, int]] = field(default_factory=dict)
    final: dict[tuple[Digest, int], int] = field(default_factory=dict)
    _tickets: dict[tuple[int, int], int] = field(default_factory=dict)

    def event(self, time: int, node: int, event: ev.Event) -> None:
        """Notes when a transfer was asked for."""
        if isinstance(event, ev.OperationRequested) and isinstance(event.payload, Transfer):
            self._tickets[node, event.ticket] = time

    def effect(self, time: int, node: int, effect: fx.Effect) -> None:
        """Notes when an operation is signed or final."""
        match effect:
            case fx.Report(fx.OperationSeen(ticket, identifier)):
                self.seen[identifier] = (node, time)
                if (node, ticket) in self._tickets:
                    self.asked[identifier] = self._tickets[node, ticket]
            case fx.Report(OperationApplied(identifier=identifier)):
                self.final.setdefault((identifier, node), time)
            case _:
                pass

    def from_asking(self, from_ns: int) -> list[int]:
        """Times from asking to being final at each node, of all asked for from a time on."""
        return [
            time - self.asked[one]
            for (one, _), time in self.final.items()
            if one in self.asked and self.asked[one] >= from_ns
        ]

    def at_own_node(self) -> list[int]:
        """Times from being signed to being final at the node that signed."""
        return [
            self.final[one, node] - time
            for one, (node, time) in self.seen.items()
            if (one, node) in self.final
        ]


@dataclass(slots=True)
class _Watch:
    """Collects times while the run goes on."""

    from_ns: int
    world: World | None = None
    blocks: list[int] = field(default_factory=list)
    leaders: list[int] = field(default_factory=list)
    operations: OperationTimes = field(default_factory=OperationTimes)
    commits: int = 0
    rounds: int = 0
    _waiting: dict[int, dict[Digest, int]] = field(default_factory=dict)
    _proposed: dict[tuple[int, int], int] = field(default_factory=dict)

    def event(self, time: int, node: int, event: ev.Event) -> None:
        """Notes what was asked for."""
        self.operations.event(time, node, event)

    def effect(self, time: int, node: int, effect: fx.Effect) -> None:
        """Notes when blocks are proposed and what becomes final."""
        self.operations.effect(time, node, effect)
        if not isinstance(effect, fx.Report):
            return
        match effect.fact:
            case fx.BlockProposed(round=block_round, digest=digest):
                self._propose(time, node, block_round, digest)
            case fx.CommitApplied(index=index, leader_round=leader_round):
                self.commits = max(self.commits, index)
                self.rounds = max(self.rounds, leader_round)
                self._commit(time, node, leader_round)
            case _:
                pass

    def _propose(self, time: int, node: int, block_round: int, digest: Digest) -> None:
        assert self.world is not None
        core = self.world.nodes[node].core
        assert core is not None
        member = core.ledger.committee.index_of(core.account)
        assert member is not None, "only members propose"
        self._proposed[block_round, member] = time
        if time >= self.from_ns:
            for waiting in range(len(self.world.nodes)):
                self._waiting.setdefault(waiting, {})[digest] = time

    def _commit(self, time: int, node: int, leader_round: int) -> None:
        assert self.world is not None
        core = self.world.nodes[node].core
        assert core is not None
        committee, dag = core.ledger.committee, core.ledger.dag
        in_epoch = Round(leader_round - core.ledger.base_round)
        if in_epoch < 1:
            return  # it ended the epoch before, whose members are not at hand any more
        started = self._proposed[leader_round, committee.leader(in_epoch)]
        if started >= self.from_ns:
            self.leaders.append(time - started)
        waiting = self._waiting.get(node, {})
        final = [one for one in waiting if one in dag and dag.vertex(one).ordered]
        self.blocks += [time - waiting.pop(one) for one in final]


def measure_latency(
    members: int,
    delay: Delay,
    seed: int = 1,
    seconds: int = 10,
    operations: int = 40,
) -> Latency:
    """Runs a calm network as fast as its links allow.

    Args:
        members: Size of the committee, all of equal stake.
        delay: Of every link; its mean should be `DELAY_NS`.
        seed: Of all draws.
        seconds: Virtual time to run for.
        operations: Transfers asked for on the way.
    """
    scenario = Scenario(
        name="latency",
        seed=seed,
        stakes=(5_000,) * members,
        conditions=Conditions(delay),
        parameters=with_pace(minimal(), 0, 0),
        workload=Workload(operations, 0, (seconds - 2) * SECOND),
        safety_ns=START_NS + seconds * SECOND,
    )
    watch = _Watch(from_ns=START_NS + WARM_UP_NS)
    world = World(scenario, (watch,))
    watch.world = world
    world.engine.run(scenario.safety_ns)
    return Latency(
        _spread(watch.blocks),
        _spread(watch.leaders),
        _spread(watch.operations.from_asking(watch.from_ns)),
        watch.commits,
        watch.rounds,
    )


def _spread(times: Sequence[int]) -> Spread:
    """Summarises times; divisions round down."""
    if not times:
        return Spread(0, 0, 0, 0, 0)
    ordered = [time * 1_000 // DELAY_NS for time in sorted(times)]
    count = len(ordered)
    return Spread(
        count,
        sum(ordered) // count,
        ordered[count // 2],
        ordered[min(count - 1, count * 95 // 100)],
        ordered[-1],
    )
