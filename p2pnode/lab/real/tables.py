"""Turns what was seen of a real run into the tables that simulated runs have, too.

The steps of all nodes go through the same collector, in the order of time; the bytes of blocks come
from the nodes' stores.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from p2pnode.lab.real.asking import Asked
from p2pnode.lab.real.evidence import Gathered
from p2pnode.lab.real.steps import time_of, told_again
from p2pnode.lab.real.timeline import FaultNote
from p2pnode.lab.results import (
    Collector,
    End,
    MissingExtra,
    Tables,
    summary_of,
    tables_of,
    write_folder,
)
from protocol import events as ev
from protocol.simulator.faults import Bite, FaultRecord
from protocol.simulator.network import Pair
from protocol.simulator.scenario import START_NS, Join, Scenario
from protocol.simulator.traffic import Traffic
from protocol.units import Digest


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of a run when it is over.

    Attributes:
        links: What each directed link carried.
        ended_ns: When it was over, in scenario time.
    """

    scenario: Scenario
    evidence: Gathered
    asked: Sequence[Asked]
    faults: Sequence[FaultNote]
    links: Mapping[Pair, Traffic]
    ended_ns: int


@dataclass(frozen=True, slots=True)
class _Happening:
    """What a collector is told.

    Attributes:
        place: Among happenings of one time.
        door: Name of the collector's method.
        words: What it takes besides the time.
    """

    time_ns: int
    place: int
    door: str
    words: tuple[Any, ...]


def write_tables(seen: Seen, out: Path, manifest: Mapping[str, object]) -> str:
    """Write tables, summary and manifest; returns why that was not possible, or an empty text."""
    tables = tables_from(seen)
    summary = summary_of(tables)
    try:
        write_folder(out, dict(manifest), summary, tables)
    except MissingExtra as missing:
        return str(missing)
    return ""


def tables_from(seen: Seen) -> Tables:
    """Make the tables."""
    collector = Collector(seen.scenario, seen.evidence.setup)
    _tell(collector, seen)
    bites = tuple(Bite(note.kind, note.count) for note in seen.faults)
    records = tuple(map(_record, seen.faults))
    end = End(seen.ended_ns, records, bites, seen.links, saw_losses=False)
    return tables_of(collector, end)


def _tell(collector: Collector, seen: Seen) -> None:
    """Tell a collector everything that happened, in the order of time."""
    happenings = [*_lives(seen), *_requests(seen)]
    happenings += [
        _Happening(time_of(row), 2, "step", (row["node"], row))
        for row in seen.evidence.steps
        if row["time_ns"] <= seen.ended_ns
    ]
    happenings.sort(key=lambda one: (one.time_ns, one.place))
    for one in happenings:
        if one.door != "step":
            getattr(collector, one.door)(one.time_ns, *one.words)
            continue
        node, row = one.words
        # Something happened, whatever it was: samples that were due are taken first.
        collector.event(one.time_ns, node, ev.Tick())
        for told in told_again(row, seen.evidence.blocks):
            if isinstance(told, ev.Event):
                collector.event(one.time_ns, node, told)
            else:
                collector.effect(one.time_ns, node, told)
    for digest, raw in seen.evidence.blocks.items():
        if Digest(bytes.fromhex(digest)) not in collector.blocks:
            collector.block(raw)


def _lives(seen: Seen) -> Iterator[_Happening]:
    """When nodes were up."""
    for node in range(seen.scenario.nodes):
        if node not in seen.scenario.late:
            yield _Happening(START_NS, 0, "started", (node,))
    for note in seen.faults:
        if note.down_ns is not None:
            yield _Happening(note.down_ns, 3, "stopped", note.nodes)
        has_started = note.down_ns is not None or note.kind == Join.__name__
        if has_started and note.ended_ns is not None:
            yield _Happening(note.ended_ns, 0, "started", note.nodes)


def _requests(seen: Seen) -> Iterator[_Happening]:
    """When users asked for operations, under tickets that no restart gives again."""
    signed = {
        row["identifier"]: row for row in seen.evidence.steps if row.get("fact") == "operation_seen"
    }
    for number, asked in enumerate(seen.asked, start=1):
        answer = signed.get(asked.operation)
        if answer is not None:
            answer["ticket"] = number
        words = (asked.node, number, _lower(asked.kind))
        yield _Happening(asked.asked_ns, 1, "request", words)


def _lower(kind: str) -> str:
    """The name of a class as facts and tables write it: `StakeDeposit` is `stake_deposit`."""
    return "".join(f"_{one.lower()}" if one.isupper() else one for one in kind).lstrip("_")


def _record(note: FaultNote) -> FaultRecord:
    begin, end = note.planned
    return FaultRecord(
        note.kind,
        note.nodes,
        begin if note.begun_ns is None else note.begun_ns,
        end if note.ended_ns is None else note.ended_ns,
        note.count,
    )
