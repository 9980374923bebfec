"""Makes a scenario's faults happen to real processes, on schedule, and says whether they bit."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

import trio

from p2pnode.lab.readiness import peers_of
from p2pnode.lab.real.shape import OF_NODES, longest_delay_ns, pairs_of, rules_of
from p2pnode.lab.real.striking import NodeFault, Strike, begin_on_node, end_on_node, stop_early
from p2pnode.lab.real.watch import Clock
from p2pnode.lab.real.wires import WireCounts, Wires, newly_counted
from p2pnode.lab.testnet import LabError, LabNetwork, load
from protocol.simulator.network import Pair
from protocol.simulator.scenario import (
    Crash,
    Fault,
    Join,
    LossBurst,
    Partition,
    Scenario,
    SlowLink,
    StaleDisk,
)
from protocol.units import MILLISECOND, SECOND

SETTLE_NS = 500 * MILLISECOND
"""After which every part has seen a change of the links and taken what was on its way."""


@dataclass(slots=True)
class FaultNote:
    """One fact about what was planned and what came of it; times are scenario time.

    Attributes:
        kind: Class of the fault.
        planned: Its begin and end.
        begun_ns: When it had been put into effect.
        ended_ns: When it had been undone.
        count: How much it did, in its own measure; 0 when it never bit.
        passed_bytes: What closed links still carried once the fault had settled; None where
            nothing was closed, or not for long enough to look.
        silent: Nodes on a side of a cut that sent nothing against it, as far as was counted.
        processes: Of a node that was down: the process before and the one after.
        down_ns: Since when it was down; until then is `ended_ns`.
        trouble: Why it could not be put into effect.
    """

    kind: str
    nodes: tuple[int, ...]
    planned: tuple[int, int]
    begun_ns: int | None = None
    ended_ns: int | None = None
    count: int = 0
    passed_bytes: int | None = None
    silent: tuple[int, ...] = ()
    processes: tuple[str, ...] = ()
    down_ns: int | None = None
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class _Step:
    """Something to be done about one fault at a time.

    Attributes:
        starts: Whether it starts a process. The kernel ends a child with the thread that started
            it, and threads for a while of waiting do not live as long as a node.
    """

    time_ns: int
    number: int
    act: Callable[[], None]
    starts: bool = False


@dataclass(slots=True)
class Timeline:
    """The faults of one run.

    Attributes:
        notes: One for each fault, in the scenario's order.
    """

    scenario: Scenario
    testnet: LabNetwork
    wires: Wires
    clock: Clock
    notes: list[FaultNote] = field(default_factory=list)
    _active: list[Fault] = field(default_factory=list)
    _before: dict[int, dict[int, WireCounts]] = field(default_factory=dict)
    _met: dict[int, Counter[tuple[str, int]]] = field(default_factory=dict)
    _strikes: dict[int, Strike] = field(default_factory=dict)
    _carried: dict[int, dict[tuple[int, str], tuple[float, int]]] = field(default_factory=dict)

    async def run(self) -> None:
        """Begin and end everything at its time."""
        faults = self.scenario.faults
        self.notes += [_planned(fault) for fault in faults]
        steps: list[_Step] = []
        async with trio.open_nursery() as looking:
            for number, fault in enumerate(faults):
                begin, end = fault.start_ns, fault.end_ns
                steps.append(_Step(begin, number, partial(self._begin, number, fault)))
                undo = partial(self._end, number, fault)
                starts = isinstance(fault, Crash | StaleDisk | Join)
                if isinstance(fault, StaleDisk) and fault.down_ns:
                    stop = partial(self._stop, number)
                    steps.append(_Step(end - fault.down_ns, number, stop))
                steps.append(_Step(end, number, undo, starts=starts))
                # Looking takes time of its own, and must not put off what it looks at.
                for step in self._looks(number, fault):
                    looking.start_soon(self._do, step)
            for step in sorted(steps, key=lambda one: one.time_ns):
                await self._do(step)

    def _looks(self, number: int, fault: Fault) -> Iterator[_Step]:
        """When to see what a fault of the links has done."""
        if isinstance(fault, OF_NODES):
            return
        begin, end = fault.start_ns, fault.end_ns
        yield _Step(begin - SETTLE_NS, number, partial(self._count, number))
        settled = begin + SETTLE_NS + longest_delay_ns(self.scenario.conditions)
        if _watched_pairs(fault) and settled < end - SETTLE_NS:
            look = partial(self._look, number, fault)
            yield _Step(settled, number, look)
            yield _Step(end - SETTLE_NS, number, look)

    async def _do(self, step: _Step) -> None:
        await trio.sleep(max(0, step.time_ns - self.clock.now()) / SECOND)
        try:
            if step.starts:
                step.act()
            else:
                await trio.to_thread.run_sync(step.act)
        except LabError as error:
            self.notes[step.number].trouble = str(error)

    def _count(self, number: int) -> None:
        self._before[number] = dict(self.wires.counts())

    def _begin(self, number: int, fault: Fault) -> None:
        note = self.notes[number]
        if isinstance(fault, OF_NODES):
            if isinstance(fault, Crash):
                self._take_stock()
            self._strikes[number] = begin_on_node(fault, self.testnet.folder)
            note.down_ns = self.clock.now() if isinstance(fault, Crash) else None
        else:
            self._active.append(fault)
            self.wires.apply(rules_of(self.scenario, self._active))
        note.begun_ns = self.clock.now()

    def _take_stock(self, *ended: int) -> None:
        """Add up what met the faults of links so far: a node's own count dies with it."""
        active = [one for one, fault in enumerate(self.scenario.faults) if fault in self._active]
        numbers = ended or tuple(active)
        counts = self.wires.counts() if numbers else {}
        for number in numbers:
            met = self._met.setdefault(number, Counter())
            for node, new in newly_counted(self._before.get(number, {}), counts).items():
                met["cut", node] += new.cut
                met["lost", node] += new.lost
            self._before[number] = dict(counts)

    def _stop(self, number: int) -> None:
        """Stop a node that is to come back with an old disk."""
        if number in self._strikes:
            self._take_stock()
            stop_early(self._strikes[number], self.testnet.folder)
            self.notes[number].down_ns = self.clock.now()

    def _look(self, number: int, fault: Fault) -> None:
        """See what closed links have carried, once soon after the begin and once before the end."""
        now = self._bytes_over(_watched_pairs(fault))
        if fault not in self._active:
            return
        earlier = self._carried.setdefault(number, now)
        if earlier is not now:
            grown = _growth(earlier, now)
            if isinstance(fault, SlowLink):
                self.notes[number].count = grown
            else:
                self.notes[number].passed_bytes = grown

    def _end(self, number: int, fault: Fault) -> None:
        note = self.notes[number]
        if isinstance(fault, OF_NODES):
            if number in self._strikes:
                self._end_on_node(number, fault)
        elif fault in self._active:
            self._active.remove(fault)
            self.wires.apply(rules_of(self.scenario, self._active))
            note.ended_ns = self.clock.now()
            if not isinstance(fault, SlowLink):
                self._take_stock(number)
                note.count, note.silent = bite_of_links(fault, self._met[number])

    def _end_on_node(self, number: int, fault: NodeFault) -> None:
        note, strike = self.notes[number], self._strikes[number]
        if isinstance(fault, StaleDisk) and note.down_ns is None:
            self._take_stock()
            note.down_ns = self.clock.now()
        skews = self.scenario.skews_ns
        usual_ns = skews[fault.node] if fault.node < len(skews) else 0
        note.count, after = end_on_node(fault, strike, self.testnet.folder, usual_ns)
        note.ended_ns = self.clock.now()
        if after:
            note.processes = (strike.process, after)

    def _bytes_over(self, pairs: Iterable[Pair]) -> dict[tuple[int, str], tuple[float, int]]:
        """What each closed link has brought its target: since when, and how many bytes."""
        found = {}
        members = self.testnet.members
        sources: dict[int, list[str]] = {}
        for source, target in pairs:
            sources.setdefault(target, []).append(members[source].account)
        running_members = load(self.testnet.folder).members
        for target, accounts in sources.items():
            for peer in peers_of(running_members[target]):
                if peer["account"] in accounts:
                    link = (float(str(peer["connected_since"])), int(str(peer["bytes_in"])))
                    found[target, str(peer["account"])] = link
        return found


def bite_of_links(fault: Fault, met: Mapping[tuple[str, int], int]) -> tuple[int, tuple[int, ...]]:
    """How much a fault of the links did, and who kept silent against it.

    A cut that one side never tried to cross shows nothing about that side: what the quietest
    side sent counts. Losses count together.
    """
    if isinstance(fault, LossBurst):
        return sum(count for (kind, _), count in met.items() if kind == "lost"), ()
    if isinstance(fault, Partition):
        sides = fault.groups
    else:
        sides = (tuple(dict.fromkeys(source for source, _ in pairs_of(fault))),)
    sent = [sum(met.get(("cut", node), 0) for node in side) for side in sides]
    silent = [node for side, cut in zip(sides, sent, strict=True) for node in side if not cut]
    return min(sent, default=0), tuple(silent)


def _watched_pairs(fault: Fault) -> tuple[Pair, ...]:
    """The links whose traffic says whether a fault of them bit: closed ones, or slow ones."""
    return fault.pairs if isinstance(fault, SlowLink) else pairs_of(fault)


def _planned(fault: Fault) -> FaultNote:
    if isinstance(fault, OF_NODES):
        nodes: tuple[int, ...] = (fault.node,)
    else:
        nodes = tuple(sorted({node for pair in _watched_pairs(fault) for node in pair}))
    return FaultNote(type(fault).__name__, nodes, (fault.start_ns, fault.end_ns))


def _growth(
    before: dict[tuple[int, str], tuple[float, int]],
    after: dict[tuple[int, str], tuple[float, int]],
) -> int:
    """Bytes that came meanwhile; a link that was made meanwhile counts with all it carried."""
    grown = 0
    for key, (since, size_bytes) in after.items():
        then = before.get(key)
        grown += size_bytes - (then[1] if then is not None and then[0] == since else 0)
    return grown
