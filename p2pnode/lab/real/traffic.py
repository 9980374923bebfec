"""What each link of a real network carried, by what its sender wrote to it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from p2pnode.lab.real.shape import pairs_of
from p2pnode.lab.real.steps import Row
from p2pnode.lab.real.timeline import FaultNote
from protocol.simulator.network import Pair
from protocol.simulator.scenario import START_NS, Fault
from protocol.simulator.traffic import Traffic


@dataclass(frozen=True, slots=True)
class LinkSample:
    """What one node had written to its peers at one time.

    Attributes:
        process: Which of the node's processes says so; each counts from zero.
        peers: By account, the number of writes and their bytes.
    """

    time_ns: int
    node: int
    process: int
    peers: Mapping[str, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Closed:
    """A time in which some links carried nothing; scenario time."""

    begin_ns: int
    end_ns: int
    pairs: frozenset[Pair]


def closed_times(faults: Sequence[Fault], notes: Sequence[FaultNote]) -> Iterator[Closed]:
    """When faults that took effect closed links, as it really was."""
    for fault, note in zip(faults, notes, strict=True):
        pairs = frozenset(pairs_of(fault))
        if pairs and note.begun_ns is not None and note.ended_ns is not None:
            yield Closed(note.begun_ns, note.ended_ns, pairs)


def samples_of(steps: Iterable[Row]) -> Iterator[LinkSample]:
    """Read what nodes wrote about their links, from when the network was ready."""
    processes: dict[int, int] = {}
    for row in steps:
        node = row["node"]
        match row.get("step"):
            case "opened":
                processes[node] = processes.get(node, 0) + 1
            case "links" if row["time_ns"] >= START_NS:
                peers = {account: (one[0], one[1]) for account, one in row["peers"].items()}
                yield LinkSample(row["time_ns"], node, processes.get(node, 0), peers)
            case _:
                pass


def traffic_of(
    samples: Iterable[LinkSample], numbers: Mapping[str, int], closed: Sequence[Closed]
) -> dict[Pair, Traffic]:
    """Add up what nodes wrote to their peers from their first sample to their last.

    A write met a cut when it was made between two samples of a time in which its link was closed.
    One between two samples around the begin or the end of that time counts as carried.

    Args:
        samples: In the order of time.
        numbers: Each node's number, by its account.
        closed: When links were closed.
    """
    found: dict[Pair, Traffic] = {}
    before: dict[int, LinkSample] = {}
    for sample in samples:
        last = before.get(sample.node)
        before[sample.node] = sample
        for account, (count, size_bytes) in sample.peers.items():
            target = numbers.get(account)
            if last is None or target is None:
                continue
            known = last.peers.get(account, (0, 0)) if last.process == sample.process else (0, 0)
            pair = (sample.node, target)
            traffic = found.setdefault(pair, Traffic())
            if _is_closed(pair, last.time_ns, sample.time_ns, closed):
                traffic.cut += count - known[0]
            else:
                traffic.messages += count - known[0]
                traffic.size_bytes += size_bytes - known[1]
    return found


def _is_closed(pair: Pair, since_ns: int, until_ns: int, closed: Sequence[Closed]) -> bool:
    return any(
        pair in one.pairs and one.begin_ns <= since_ns and until_ns <= one.end_ns for one in closed
    )
