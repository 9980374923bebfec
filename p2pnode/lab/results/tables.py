"""Notes become tables: blocks, votes, operations, faults and links.

Times are cut to microseconds. A node knew of a commit at the latest when it reported that commit or
any later one: reports that a crash swallowed leave no gap.
"""

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from p2pnode.lab.results.collector import Collector
from p2pnode.lab.results.job_table import job_rows
from p2pnode.lab.results.notes import OperationNote, RequestNote
from p2pnode.lab.results.schema import Cell, Tables, check_tables, table_of
from p2pnode.lab.results.series_table import series_rows
from p2pnode.lab.results.times import known_ms, middle, to_ms
from protocol.simulator.faults import TWINS, Bite, FaultRecord
from protocol.simulator.network import Pair
from protocol.simulator.run import Outcome
from protocol.simulator.scenario import Cut, Partition
from protocol.simulator.traffic import Traffic
from protocol.simulator.workload import requests_of
from protocol.units import Digest

Row = Sequence[Cell]

NEVER: Final = 2**62


@dataclass(frozen=True, slots=True)
class End:
    """What is known of a run only when it is over; a simulated run's outcome says the same.

    Attributes:
        ended_ns: When it was over.
        faults: The planned faults and what each came to, in the order of the scenario's.
        bites: What every fault and then every dishonest node came to.
        links: What each directed link carried.
    """

    ended_ns: int
    faults: tuple[FaultRecord, ...] = ()
    bites: tuple[Bite, ...] = ()
    links: Mapping[Pair, Traffic] | None = None


def tables_of(collector: Collector, end: Outcome | End) -> Tables:
    """Makes the tables of a run that is over."""
    if isinstance(end, Outcome):
        end = End(end.counts.ended_ns, end.faults, end.bites, end.links)
        _add_unheard(collector)
    collector.close(end.ended_ns)
    known = KnownCommits(collector)
    tables = {
        "blocks": table_of("blocks", _block_rows(collector, known)),
        "votes": table_of("votes", _vote_rows(collector, known)),
        "operations": table_of("operations", _operation_rows(collector, known)),
        "jobs": table_of("jobs", job_rows(collector, known.time_of)),
        "faults": table_of("faults", _fault_rows(collector, end)),
        "links": table_of("links", _link_rows(end.links or {})),
        "series": table_of("series", series_rows(collector, known.time_of)),
    }
    check_tables(tables)
    return tables


class KnownCommits:
    """When each node knew of each commit."""

    def __init__(self, collector: Collector) -> None:
        self._indices: list[list[int]] = []
        self._times: list[list[int]] = []
        for reported in collector.commits:
            indices = sorted(reported)
            times = [reported[index] for index in indices]
            for place in range(len(times) - 2, -1, -1):
                times[place] = min(times[place], times[place + 1])
            self._indices.append(indices)
            self._times.append(times)

    def time_of(self, node: int, index: int) -> int | None:
        """When a node had this commit or a later one; None for never."""
        place = bisect_left(self._indices[node], index)
        return self._times[node][place] if place < len(self._times[node]) else None

    def newest(self, node: int) -> int:
        """The newest commit that a node knew of; 0 for none."""
        return self._indices[node][-1] if self._indices[node] else 0

    def times(self, nodes: Sequence[int], index: int | None) -> list[int]:
        """When those of the nodes that ever had a commit had it, in the order of time."""
        if index is None:
            return []
        found = (self.time_of(node, index) for node in nodes)
        return sorted(time for time in found if time is not None)


def _block_rows(collector: Collector, known: KnownCommits) -> Iterator[Row]:
    honest = collector.setup.honest
    digests = dict.fromkeys((*collector.blocks, *collector.proposed))
    for digest in sorted(digests, key=lambda one: _block_order(collector, one)):
        note = collector.blocks.get(digest)
        time_ns, author, block_round = collector.proposed.get(digest, (None, -1, 0))
        accepted = (
            sorted(time for node, time in note.accepted.items() if node in honest) if (note) else []
        )
        index = collector.observer.index_of_block.get(digest)
        yield (
            note.round if note else block_round,
            note.author if note else author,
            digest.hex(),
            known_ms(time_ns),
            note.size_bytes if note else None,
            note.operations if note else None,
            len(accepted) if note and collector.saw_acceptance else None,
            *_spread(accepted),
            index,
            len(final := known.times(honest, index)),
            *_spread(final),
            note.references if note else "",
        )


def _block_order(collector: Collector, digest: Digest) -> tuple[int, int, Digest]:
    note = collector.blocks.get(digest)
    if note is not None:
        return note.round, note.author, digest
    _, author, block_round = collector.proposed[digest]
    return block_round, author, digest


def _spread(times: Sequence[int]) -> tuple[float | None, float | None, float | None]:
    """First, middle and last of ordered times, in milliseconds."""
    if not times:
        return None, None, None
    return to_ms(times[0]), to_ms(middle(times)), to_ms(times[-1])


def _vote_rows(collector: Collector, known: KnownCommits) -> Iterator[Row]:
    """Every slot up to the highest round of any block, at every honest node."""
    observer = collector.observer
    committed = {slot: index for index, slot in collector.leader_rounds.items()}
    committed |= {slot: index for index, slot in enumerate(observer.leader_rounds, start=1)}
    last = max((note.round for note in collector.blocks.values()), default=0)
    last = max(last, *(one[2] for one in collector.proposed.values()), *committed, 0)
    following: list[int | None] = [None] * (last + 2)
    for slot in range(last, 0, -1):
        following[slot] = committed.get(slot, following[slot + 1])
    for slot in range(1, last + 1):
        index, own = following[slot], committed.get(slot)
        leader = observer.leader_of(slot)
        is_ordered = own is not None and own <= len(observer.leaders)
        block = observer.leaders[own - 1].hex() if is_ordered and own is not None else ""
        for node in collector.setup.honest:
            time_ns = None if index is None else known.time_of(node, index)
            if time_ns is None:
                yield slot, leader, "undecided", "", None, node, None
            elif own is None:
                yield slot, leader, "skipped", "", None, node, known_ms(time_ns)
            else:
                yield slot, leader, "committed", block, own, node, known_ms(time_ns)


# Operations


def _add_unheard(collector: Collector) -> None:
    """Notes the planned requests that found their node down."""
    for request in requests_of(collector.scenario, collector.setup.accounts):
        key = (request.node, request.ticket)
        if key not in collector.requests:
            collector.request(request.time_ns, *key, "")


def _operation_rows(collector: Collector, known: KnownCommits) -> Iterator[Row]:
    asked = {
        request.operation: (key[0], request)
        for key, request in collector.requests.items()
        if request.operation is not None
    }
    order = sorted(
        collector.operations.items(), key=lambda item: (item[1].seen_ns or NEVER, item[0])
    )
    for identifier, note in order:
        asker, request = asked.get(identifier, (note.signer, None))
        yield from _views(collector, known, identifier, asker, request)
    for (node, _), request in sorted(collector.requests.items()):
        if request.operation is None:
            status = "refused" if request.refusal else "unanswered"
            yield (
                *("", request.kind, True, node, known_ms(request.asked_ns), None),
                *(status, request.refusal, None, None, None),
            )


def _views(
    collector: Collector,
    known: KnownCommits,
    identifier: Digest,
    asker: int,
    request: RequestNote | None,
) -> Iterator[Row]:
    """One operation as each honest node saw it."""
    note = collector.operations[identifier]
    index = collector.observer.index_of_operation.get(identifier)
    failure = collector.observer.failures.get(identifier, note.failure)
    is_final = index is not None or bool(note.final)
    status = ("rejected" if failure else "final") if is_final else "waiting"
    head: Row = (
        identifier.hex(),
        note.kind,
        request is not None,
        asker if asker >= 0 else None,
        known_ms(request.asked_ns) if request is not None else None,
        known_ms(note.seen_ns),
        status,
        failure,
    )
    for node in collector.setup.honest:
        final_ns = note.final.get(node)
        if final_ns is None and index is not None:
            final_ns = known.time_of(node, index)
        yield (*head, node, known_ms(_in_block(collector, note, node)), known_ms(final_ns))


def _in_block(collector: Collector, note: OperationNote, node: int) -> int | None:
    held = (collector.blocks[digest].accepted.get(node) for digest in note.blocks)
    return min((time for time in held if time is not None), default=None)


# Faults and links


def _fault_rows(collector: Collector, end: End) -> Iterator[Row]:
    scenario = collector.scenario
    for fault, record in zip(scenario.faults, end.faults, strict=True):
        sides, cut = "", ""
        if isinstance(fault, Partition):
            sides = "|".join(_words(group) for group in fault.groups)
        elif isinstance(fault, Cut):
            cut = _words(f"{source}>{target}" for source, target in fault.pairs)
        span = to_ms(record.begin_ns), to_ms(record.end_ns)
        count = record.count
        yield record.kind, _words(record.nodes), sides, cut, *span, count, count > 0
    behaviours = list(scenario.behaviours)
    twins = list(enumerate(scenario.twins, start=scenario.originals))
    for bite in end.bites[len(end.faults) :]:
        nodes = ""
        if behaviours and behaviours[0][1].value == bite.kind:
            nodes = str(behaviours.pop(0)[0])
        elif twins and bite.kind == TWINS:
            copy, original = twins.pop(0)
            nodes = _words((original, copy))
        yield bite.kind, nodes, "", "", None, None, bite.count, bite.count > 0


def _link_rows(links: Mapping[Pair, Traffic]) -> Iterator[Row]:
    for (source, target), carried in sorted(links.items()):
        yield (
            source,
            target,
            carried.messages,
            carried.size_bytes,
            carried.lost,
            carried.duplicated,
            carried.cut,
        )


def _words(items: Iterator[str] | Sequence[int]) -> str:
    return " ".join(str(item) for item in items)
