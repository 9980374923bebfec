"""Makes the planned faults happen, and says of each whether it mattered.

A test of a fault that never bit proves nothing: a partition that cut no message, a crash of a node
that was down, a liar that was never drawn.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import assert_never

from protocol.simulator.adversary import Mischief
from protocol.simulator.chance import MILLION, Stream
from protocol.simulator.cuts import between_groups
from protocol.simulator.disk import Disk
from protocol.simulator.network import Pair
from protocol.simulator.node import Node
from protocol.simulator.queue import Queue
from protocol.simulator.scenario import (
    ClockJump,
    Clog,
    Crash,
    Cut,
    DuplicateBurst,
    Fault,
    Join,
    LossBurst,
    Partition,
    Pause,
    ReorderBurst,
    Scenario,
    SlowLink,
    StaleDisk,
    StoreFailure,
    TornWrite,
)
from protocol.simulator.world import World

TWINS = "twins"
"""Stands for a second node with the keys of the first, among what goes wrong."""

LinkFault = Partition | Cut | SlowLink | Clog | LossBurst | DuplicateBurst | ReorderBurst
NodeFault = Crash | Pause | ClockJump | StoreFailure | TornWrite | StaleDisk | Join

End = Callable[[], int]
"""Ends a fault, and returns how much it did."""


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
        self._ends: dict[int, End] = {}
        self._counts = [0] * len(faults)
        for number, fault in enumerate(faults):
            world.engine.at(fault.start_ns, partial(self._begin, number, fault))
            world.engine.at(fault.end_ns, partial(self._end, number))

    def records(self) -> tuple[FaultRecord, ...]:
        """Tells what every planned fault came to."""
        return tuple(
            FaultRecord(type(fault).__name__, _nodes_of(fault), fault.start_ns, fault.end_ns, count)
            for fault, count in zip(self._scenario.faults, self._counts, strict=True)
        )

    def bites(self) -> tuple[Bite, ...]:
        """Tells what every fault and every dishonest node came to."""
        scenario, nodes = self._scenario, self._world.nodes
        found = [Bite(record.kind, record.count) for record in self.records()]
        mischief: Mischief = self._world.adversary.mischief
        for node, behaviour in scenario.behaviours:
            found.append(Bite(behaviour.value, mischief.count(behaviour, node)))
        for number, original in enumerate(scenario.twins, start=scenario.originals):
            both_signed = min(nodes[original].disk.signed, nodes[number].disk.signed)
            found.append(Bite(TWINS, both_signed))
        if any(scenario.skews_ns):
            skews = zip(scenario.skews_ns, nodes, strict=False)
            found.append(Bite("skew", sum(node.disk.signed for skew, node in skews if skew)))
        conditions, traffic = scenario.conditions, self._world.network.traffic
        if conditions.loss_ppm:
            found.append(Bite("loss", traffic.lost))
        if conditions.duplicate_ppm:
            found.append(Bite("duplication", traffic.duplicated))
        if conditions.reorder_ppm:
            found.append(Bite("reordering", traffic.reordered))
        return tuple(found)

    def _begin(self, number: int, fault: Fault) -> None:
        if isinstance(fault, LinkFault):
            self._ends[number] = self._strike_links(fault)
        else:
            self._ends[number] = self._strike_node(number, fault)

    def _end(self, number: int) -> None:
        self._counts[number] = self._ends.pop(number)()

    # Links

    def _strike_links(self, fault: LinkFault) -> End:
        network = self._world.network
        before = network.traffic
        match fault:
            case Partition(groups=groups):
                end = self._cut(between_groups(groups))
            case Cut(pairs=pairs):
                end = self._cut(pairs)
            case SlowLink():
                end = self._slow_down(fault)
            case Clog(pairs=pairs):
                end = self._clog(pairs, fault.end_ns)
            case LossBurst(ppm=ppm):
                network.loss_ppm += ppm
                end = partial(self._lose_less, ppm, before.lost)
            case DuplicateBurst(ppm=ppm):
                network.duplicate_ppm += ppm
                end = partial(self._duplicate_less, ppm, before.duplicated)
            case ReorderBurst(ppm=ppm, longest_ns=longest_ns):
                network.reorders.append((ppm, longest_ns))
                end = partial(self._reorder_less, (ppm, longest_ns), before.reordered)
            case _:
                assert_never(fault)
        return end

    def _cut(self, pairs: tuple[Pair, ...]) -> End:
        network, connections = self._world.network, self._world.connections
        before = network.traffic.cut
        network.cut(pairs)
        connections.review()

        def end() -> int:
            network.heal(pairs)
            connections.review()
            return network.traffic.cut - before

        return end

    def _slow_down(self, fault: SlowLink) -> End:
        network, pairs = self._world.network, fault.pairs
        queue = None if fault.capacity is None else Queue(fault.capacity)
        before = network.traffic_of(pairs).messages
        network.slow_down(pairs, fault.extra_ns, queue)

        def end() -> int:
            network.speed_up(pairs, fault.extra_ns, queue)
            return network.traffic_of(pairs).messages - before

        return end

    def _clog(self, pairs: tuple[Pair, ...], until_ns: int) -> End:
        network = self._world.network
        before = network.traffic_of(pairs).held
        network.hold(pairs, until_ns)
        return lambda: network.traffic_of(pairs).held - before

    def _lose_less(self, ppm: int, before: int) -> int:
        self._world.network.loss_ppm -= ppm
        return self._world.network.traffic.lost - before

    def _duplicate_less(self, ppm: int, before: int) -> int:
        self._world.network.duplicate_ppm -= ppm
        return self._world.network.traffic.duplicated - before

    def _reorder_less(self, reorder: tuple[int, int], before: int) -> int:
        self._world.network.reorders.remove(reorder)
        return self._world.network.traffic.reordered - before

    # Nodes

    def _strike_node(self, number: int, fault: NodeFault) -> End:
        node = self._world.nodes[fault.node]
        match fault:
            case Crash():
                self._crash(number, node)
                end = partial(self._start_again, number, node)
            case Pause():
                node.pause()
                end = partial(self._resume, node)
            case ClockJump(skew_ns=skew_ns):
                node.set_clock(skew_ns)
                end = partial(self._set_right, node, int(node.core is not None))
            case StoreFailure():
                node.fail_store()
                end = partial(self._repair_store, node)
            case TornWrite(is_noticed=is_noticed):
                node.disk.has_checksums = is_noticed
                node.tear_next_write(partial(self._tear, number, node))
                end = partial(self._start_after_tear, number, node)
            case StaleDisk(down_ns=down_ns):
                if down_ns:
                    self._world.engine.at(fault.end_ns - down_ns, partial(self._stop, node))
                end = partial(self._go_back, node, node.disk.copy())
            case Join():
                end = partial(self._join, node)
            case _:
                assert_never(fault)
        return end

    def _crash(self, number: int, node: Node) -> None:
        """Stops a node that is up; a last batch under way is kept or lost as a coin falls."""
        keeps = self._stream.hits(MILLION // 2)
        if node.core is None:
            return
        self._counts[number] = 1
        self._world.crash(node.index, keeps)

    def _tear(self, number: int, node: Node) -> None:
        """Stops a node in the middle of a batch, of which a drawn part has reached the disk."""
        self._counts[number] = node.disk.unsynced
        node.disk.tear(self._stream.below(node.disk.unsynced))
        self._world.crash(node.index, keeps_last_batch=False)

    def _start_again(self, number: int, node: Node) -> int:
        if node.core is None:
            self._world.boot(node.index)
        return self._counts[number]

    def _start_after_tear(self, number: int, node: Node) -> int:
        node.tear_next_write(None)
        return self._start_again(number, node)

    def _resume(self, node: Node) -> int:
        found = len(node.inbox)
        node.resume()
        return found

    def _set_right(self, node: Node, count: int) -> int:
        skews = self._scenario.skews_ns
        node.set_clock(skews[node.index] if node.index < len(skews) else 0)
        return count

    def _repair_store(self, node: Node) -> int:
        waiting = len(node.withheld) + node.disk.unsynced
        node.repair_store()
        return waiting

    def _stop(self, node: Node) -> None:
        if node.core is not None:
            self._world.crash(node.index, keeps_last_batch=True)

    def _go_back(self, node: Node, copy: Disk) -> int:
        """Starts a node from the copy of its disk; counts the blocks that it forgets."""
        self._stop(node)
        forgotten = node.disk.signed - copy.signed
        node.disk = copy
        self._world.boot(node.index)
        return forgotten

    def _join(self, node: Node) -> int:
        """Starts a node for the first time; counts the commits that were made without it."""
        missed = max(len(other.disk.commits) for other in self._world.nodes)
        self._world.boot(node.index)
        return missed


def _nodes_of(fault: Fault) -> tuple[int, ...]:
    """Names the nodes that a fault concerns, in their order."""
    match fault:
        case Partition(groups=groups):
            return tuple(sorted(node for group in groups for node in group))
        case Cut(pairs=pairs) | SlowLink(pairs=pairs) | Clog(pairs=pairs):
            return tuple(sorted(dict.fromkeys(node for pair in pairs for node in pair)))
        case LossBurst() | DuplicateBurst() | ReorderBurst():
            return ()
        case Crash() | Pause() | ClockJump() | StoreFailure():
            return (fault.node,)
        case TornWrite() | StaleDisk() | Join():
            return (fault.node,)
        case _:
            assert_never(fault)
