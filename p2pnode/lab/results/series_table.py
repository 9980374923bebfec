"""The table of samples: how far each node was, and how far the nodes were apart."""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence

from p2pnode.lab.results.collector import Collector
from p2pnode.lab.results.schema import Cell
from p2pnode.lab.results.times import to_ms


def series_rows(
    collector: Collector, time_of: Callable[[int, int], int | None]
) -> Iterator[Sequence[Cell]]:
    """Makes a row of each sample and honest node."""
    honest = collector.setup.honest
    signed = sorted(
        note.seen_ns for note in collector.operations.values() if note.seen_ns is not None
    )
    finished = {node: _finished(collector, node, time_of) for node in honest}
    spreads: dict[tuple[int, ...], _Spread] = {}
    seen = collector.saw_acceptance
    for sample in collector.samples:
        time = sample.time_ns
        live = tuple(node for node in honest if collector.lives[node].is_live(time))
        if live not in spreads:
            spreads[live] = _Spread(collector, live)
        union, common = spreads[live].at(time)
        states = len({sample.states[node] for node in live})
        for node in honest:
            yield (
                to_ms(time),
                node,
                node in live,
                sample.rounds[node] if seen else None,
                sample.indices[node],
                bisect_right(signed, time) - bisect_right(finished[node], time),
                *((sample.received[node], sample.accepted[node]) if seen else (None, None)),
                *((union, common, divergence_of(union, common)) if seen else (None,) * 3),
                states,
            )


def divergence_of(union: int, common: int) -> float:
    """1 - common / union to six digits: the share of blocks that not everybody has."""
    return round(1 - common / union, 6) if union else 0.0


def _finished(
    collector: Collector, node: int, time_of: Callable[[int, int], int | None]
) -> list[int]:
    """When the operations of which the signing was seen became final at a node, in order."""
    times = []
    for identifier, note in collector.operations.items():
        time = note.final.get(node)
        index = collector.observer.index_of_operation.get(identifier)
        if time is None and index is not None:
            time = time_of(node, index)
        if time is not None and note.seen_ns is not None:
            times.append(time)
    return sorted(times)


class _Spread:
    """How many blocks any of some nodes has at a time, and how many all of them have."""

    def __init__(self, collector: Collector, nodes: tuple[int, ...]) -> None:
        changes: list[tuple[int, int, int]] = []
        for note in collector.blocks.values():
            times = [note.accepted[node] for node in nodes if node in note.accepted]
            if times:
                changes.append((min(times), 1, 0))
            if len(times) == len(nodes) and times:
                changes.append((max(times), 0, 1))
                changes += _forgotten(note.lapses, nodes)
        changes.sort()
        self._times = [time for time, _, _ in changes]
        self._unions = _sums([one for _, one, _ in changes])
        self._commons = _sums([one for _, _, one in changes])

    def at(self, time: int) -> tuple[int, int]:
        """Both numbers at a time."""
        place = bisect_right(self._times, time)
        return self._unions[place], self._commons[place]


def _forgotten(
    lapses: Sequence[tuple[int, int, int]], nodes: tuple[int, ...]
) -> Iterator[tuple[int, int, int]]:
    """A block that one of the nodes forgot for a while is not common to them for that while."""
    for node, begin, end in lapses:
        if node in nodes and begin < end:
            yield begin, 0, -1
            yield end, 0, 1


def _sums(steps: Sequence[int]) -> list[int]:
    sums = [0]
    for step in steps:
        sums.append(sums[-1] + step)
    return sums
