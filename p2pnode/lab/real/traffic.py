"""What each link of a real network carried, by what its ends said of it now and then."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from p2pnode.lab.real.shape import pairs_of
from p2pnode.lab.real.timeline import FaultNote
from p2pnode.lab.real.watch import LinkSample
from protocol.simulator.network import Pair
from protocol.simulator.scenario import Fault
from protocol.simulator.traffic import Traffic


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


def traffic_of(
    samples: Sequence[LinkSample], numbers: Mapping[str, int], closed: Sequence[Closed]
) -> dict[Pair, Traffic]:
    """Add up what nodes sent over their links from their first sample to their last.

    A message met a cut when it set out between two samples of a time in which its link was closed.
    What set out between two samples around the begin or the end of that time counts as carried, and
    a connection that broke takes with it what it carried after the sample before.

    Args:
        samples: In the order of time.
        numbers: Each node's number, by its account.
        closed: When links were closed.
    """
    found: dict[Pair, Traffic] = {}
    before: dict[int, LinkSample] = {}
    for sample in samples:
        last = before.get(sample.node)
        if last is not None and _is_older(sample, last):
            continue
        before[sample.node] = sample
        for account in sample.peers:
            target = numbers.get(account)
            if last is None or target is None:
                continue
            pair = (sample.node, target)
            messages, size_bytes = _growth(last, sample, account)
            traffic = found.setdefault(pair, Traffic())
            if _is_closed(pair, last.time_ns, sample.time_ns, closed):
                traffic.cut += messages
            else:
                traffic.messages += messages
                traffic.size_bytes += size_bytes
    return found


def _growth(last: LinkSample, sample: LinkSample, account: str) -> tuple[int, int]:
    """Messages and bytes since the sample before; a new connection counts with all it carried."""
    since, messages, size_bytes = sample.peers[account]
    before = last.peers.get(account)
    if before is None or before[0] != since:
        return messages, size_bytes
    return messages - before[1], size_bytes - before[2]


def _is_older(sample: LinkSample, last: LinkSample) -> bool:
    """Whether an answer was given before the one that was noted before it."""
    return any(
        account in last.peers and last.peers[account][0] == since and messages < before
        for account, (since, messages, _) in sample.peers.items()
        for before in (last.peers.get(account, (0.0, 0, 0))[1],)
    )


def _is_closed(pair: Pair, since_ns: int, until_ns: int, closed: Sequence[Closed]) -> bool:
    return any(
        pair in one.pairs and one.begin_ns <= since_ns and until_ns <= one.end_ns for one in closed
    )
