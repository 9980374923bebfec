"""Turns what was seen of a real run into the tables that simulated runs have, too.

The facts go through the same collector, in the order of time; blocks come from the nodes' stores,
since facts do not carry them. When each node took in each block is known of no real run.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from p2pnode.genesis import read_genesis
from p2pnode.lab.real.asking import Asked
from p2pnode.lab.real.timeline import FaultNote
from p2pnode.lab.results import (
    Collector,
    End,
    MissingExtra,
    Setup,
    summary_of,
    tables_of,
    write_folder,
)
from p2pnode.lab.testnet import LabNetwork
from p2pnode.storage import layout, open_readonly
from protocol.ledger.block import stored_digest
from protocol.signing import REAL
from protocol.simulator.faults import Bite, FaultRecord
from protocol.simulator.scenario import START_NS, Scenario
from protocol.units import AccountId

OWN_ROWS = frozenset(("counters", "stream_opened", "stream_broken"))
"""What a watch writes beside the facts of nodes."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of a run when it is over.

    Attributes:
        nodes: The folder with the facts of each node, by line.
        ended_ns: When it was over, in scenario time.
    """

    scenario: Scenario
    testnet: LabNetwork
    nodes: Path
    asked: Sequence[Asked]
    faults: Sequence[FaultNote]
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
    """Write tables, summary and manifest; returns why that was not possible, or an empty text.

    The nodes must have ended, and their folders be there still.
    """
    genesis = read_genesis(layout(seen.testnet.members[0].data_dir).genesis)
    accounts = tuple(AccountId(bytes.fromhex(one.account)) for one in seen.testnet.members)
    setup = Setup(genesis, accounts, seen.scenario.honest, REAL)
    collector = Collector(seen.scenario, setup)
    _tell(collector, seen)
    for raw in _blocks(seen.testnet):
        collector.block(raw)
    bites = tuple(Bite(note.kind, note.count) for note in seen.faults)
    end = End(seen.ended_ns, tuple(map(_record, seen.faults)), bites)
    tables = tables_of(collector, end)
    summary = summary_of(tables)
    try:
        write_folder(out, dict(manifest), summary, tables)
    except MissingExtra as missing:
        return str(missing)
    return ""


def _tell(collector: Collector, seen: Seen) -> None:
    """Tell a collector everything that happened, in the order of time."""
    rows = list(_rows(seen.nodes))
    happenings = [*_lives(seen), *_requests(seen, rows)]
    happenings += [
        _Happening(max(0, row["time_ns"]), 2, "record", (row["node"], row)) for row in rows
    ]
    happenings.sort(key=lambda one: (one.time_ns, one.place))
    for one in happenings:
        getattr(collector, one.door)(one.time_ns, *one.words)


def _lives(seen: Seen) -> Iterator[_Happening]:
    """When nodes were up."""
    for node in range(len(seen.testnet.members)):
        yield _Happening(START_NS, 0, "started", (node,))
    for note in seen.faults:
        if note.down_ns is not None:
            yield _Happening(note.down_ns, 3, "stopped", note.nodes)
            if note.ended_ns is not None:
                yield _Happening(note.ended_ns, 0, "started", note.nodes)


def _requests(seen: Seen, rows: Sequence[dict[str, Any]]) -> Iterator[_Happening]:
    """When users asked for operations, under tickets that no restart gives again."""
    signed = {row["identifier"]: row for row in rows if row["fact"] == "operation_seen"}
    for number, asked in enumerate(seen.asked, start=1):
        time_ns, answer = asked.asked_ns, signed.get(asked.operation)
        if answer is not None:
            answer["ticket"] = number
            # Facts are cut to milliseconds, so that an answer may seem to come before its question.
            time_ns = max(0, min(time_ns, answer["time_ns"]))
        yield _Happening(time_ns, 1, "request", (asked.node, number, _lower(asked.kind)))


def _lower(kind: str) -> str:
    """The name of a class as facts and tables write it: `StakeDeposit` is `stake_deposit`."""
    return "".join(f"_{one.lower()}" if one.isupper() else one for one in kind).lstrip("_")


def _rows(folder: Path) -> Iterator[dict[str, Any]]:
    for path in sorted(folder.glob("*.jsonl")):
        for line in path.read_text().splitlines():
            row = json.loads(line)
            if row["fact"] not in OWN_ROWS:
                yield row


def _blocks(testnet: LabNetwork) -> Iterator[bytes]:
    """Every block that any node has accepted, each after those that it refers to."""
    known: set[bytes] = set()
    for member in testnet.members:
        with open_readonly(member.data_dir, stored_digest) as journal:
            held = {block.digest: block.raw for _, block in journal.blocks()}
        yield from (raw for digest, raw in held.items() if digest not in known)
        known |= held.keys()


def _record(note: FaultNote) -> FaultRecord:
    begin, end = note.planned
    return FaultRecord(
        note.kind,
        note.nodes,
        begin if note.begun_ns is None else note.begun_ns,
        end if note.ended_ns is None else note.ended_ns,
        note.count,
    )
