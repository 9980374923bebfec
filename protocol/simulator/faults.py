"""Makes the planned faults happen, and says of each whether it mattered.

A test of a fault that never bit proves nothing: a partition that cut no message, a crash of a node
that was down, a liar that was never drawn.
"""

from dataclasses import dataclass
from functools import partial
from typing import assert_never

from protocol.simulator.adversary import Mischief
from protocol.simulator.chance import MILLION, Stream
from protocol.simulator.disk import Disk
from protocol.simulator.network import between_groups
from protocol.simulator.node import Node
from protocol.simulator.scenario import (
    ClockJump,
    Crash,
    Cut,
    Fault,
    LossBurst,
    Partition,
    Pause,
    Scenario,
    StaleDisk,
    StoreFailure,
)
from protocol.simulator.world import World


@dataclass(frozen=True, slots=True)
class Bite:
    """Whether something that was planned to go wrong did.

    Attributes:
        kind: Class of the fault.
        count: How much it did, in its own measure; 0 when it never bit.
    """

    kind: str
    count: int


@dataclass(frozen=True, slots=True)
class FaultRecord:
    """One fault as it was planned, and what it came to.

    Attributes:
        kind: Class of the fault.
        nodes: Whom it concerns; empty when all links are meant.
        count: How much it did, in its own measure; 0 when it never bit.
    """

    kind: str
    nodes: tuple[int, ...]
    begin_ns: int
    end_ns: int
    count: int


class FaultPlan:
    """The faults of one run."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._scenario: Scenario = world.scenario
        self._stream = Stream(world.scenario.seed, "faults")
        faults = world.scenario.faults
        self._before = [0] * len(faults)
        self._counts = [0] * len(faults)
        self._copies: dict[int, Disk] = {}
        for number, fault in enumerate(faults):
            world.engine.at(fault.start_ns, partial(self._begin, number, fault))
            world.engine.at(fault.end_ns, partial(self._end, number, fault))

    def records(self) -> tuple[FaultRecord, ...]:
        """Tells what every planned fault came to."""
        return tuple(
            FaultRecord(type(fault).__name__, _nodes_of(fault), fault.start_ns, fault.end_ns, count)
            for fault, count in zip(self._scenario.faults, self._counts, strict=True)
        )

    def bites(self) -> tuple[Bite, ...]:
        """Tells what every fault and every dishonest node came to."""
        scenario = self._scenario
        found = [Bite(record.kind, record.count) for record in self.records()]
        mischief: Mischief = self._world.adversary.mischief
        for node, behaviour in scenario.behaviours:
            found.append(Bite(behaviour.value, mischief.done.get((behaviour, node), 0)))
        traffic = self._world.network.traffic
        if scenario.conditions.loss_ppm:
            found.append(Bite("loss", traffic.lost))
        if scenario.conditions.duplicate_ppm:
            found.append(Bite("duplication", traffic.duplicated))
        return tuple(found)

    def _begin(self, number: int, fault: Fault) -> None:
        network = self._world.network
        match fault:
            case Partition(groups=groups):
                self._before[number] = network.traffic.cut
                network.cut(between_groups(groups))
                self._world.connections.review()
            case Cut(pairs=pairs):
                self._before[number] = network.traffic.cut
                network.cut(pairs)
                self._world.connections.review()
            case LossBurst(ppm=ppm):
                self._before[number] = network.traffic.lost
                network.loss_ppm = min(MILLION, network.loss_ppm + ppm)
            case Crash(node=node):
                self._crash(number, self._world.nodes[node])
            case Pause(node=node):
                self._world.nodes[node].pause()
            case ClockJump(node=node, skew_ns=skew_ns):
                self._world.nodes[node].set_clock(skew_ns)
                self._counts[number] = int(self._world.nodes[node].core is not None)
            case StoreFailure(node=node):
                self._world.nodes[node].fail_store()
            case StaleDisk(node=node):
                self._copies[number] = self._world.nodes[node].disk.copy()
            case _:
                assert_never(fault)

    def _end(self, number: int, fault: Fault) -> None:
        network = self._world.network
        match fault:
            case Partition(groups=groups):
                network.heal(between_groups(groups))
                self._world.connections.review()
                self._counts[number] = network.traffic.cut - self._before[number]
            case Cut(pairs=pairs):
                network.heal(pairs)
                self._world.connections.review()
                self._counts[number] = network.traffic.cut - self._before[number]
            case LossBurst():
                network.loss_ppm = self._scenario.conditions.loss_ppm
                self._counts[number] = network.traffic.lost - self._before[number]
            case Crash(node=node):
                if self._world.nodes[node].core is None:
                    self._world.boot(node)
            case Pause(node=node):
                self._counts[number] = len(self._world.nodes[node].inbox)
                self._world.nodes[node].resume()
            case ClockJump(node=node):
                skews = self._scenario.skews_ns
                self._world.nodes[node].set_clock(skews[node] if node < len(skews) else 0)
            case StoreFailure(node=node):
                self._counts[number] = len(self._world.nodes[node].withheld)
                self._world.nodes[node].repair_store()
            case StaleDisk(node=node):
                self._go_back(number, self._world.nodes[node])
            case _:
                assert_never(fault)

    def _crash(self, number: int, node: Node) -> None:
        """Stops a node that is up; a last batch under way is kept or lost as a coin falls."""
        keeps = self._stream.hits(MILLION // 2)
        if node.core is None:
            return
        self._counts[number] = 1
        self._world.crash(node.index, keeps)

    def _go_back(self, number: int, node: Node) -> None:
        """Starts a node from the copy of its disk; counts the rounds that it forgets."""
        copy = self._copies.pop(number)
        self._counts[number] = node.disk.last_slot - copy.last_slot
        if node.core is not None:
            self._world.crash(node.index, keeps_last_batch=True)
        node.disk = copy
        self._world.boot(node.index)


def _nodes_of(fault: Fault) -> tuple[int, ...]:
    """Names the nodes that a fault concerns, in their order."""
    match fault:
        case Partition(groups=groups):
            return tuple(sorted(node for group in groups for node in group))
        case Cut(pairs=pairs):
            return tuple(sorted(dict.fromkeys(node for pair in pairs for node in pair)))
        case LossBurst():
            return ()
        case Crash() | Pause() | ClockJump() | StoreFailure() | StaleDisk():
            return (fault.node,)
        case _:
            assert_never(fault)
