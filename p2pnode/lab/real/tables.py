"""Turns what was seen of a real run into the tables that simulated runs have, too.

The facts go through the same collector, in the order of time; blocks come from the nodes' stores,
since facts do not carry them. When each node took in each block is known of no real run.
"""

import importlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from p2pnode.genesis import read_genesis
from p2pnode.lab.real.asking import Asked
from p2pnode.lab.real.timeline import FaultNote
from p2pnode.lab.testnet import LabNetwork
from p2pnode.storage import layout, open_readonly
from protocol.ledger.block import stored_digest
from protocol.signing import REAL
from protocol.simulator.faults import Bite, FaultRecord
from protocol.simulator.scenario import START_NS, Scenario
from protocol.units import AccountId

RESULTS = "p2pnode.lab.results"
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


def write_tables(seen: Seen, out: Path, manifest: Mapping[str, object]) -> str:
    """Write tables, summary and manifest; returns why that was not possible, or an empty text.

    The nodes must have ended, and their folders be there still.
    """
    try:
        results: Any = importlib.import_module(RESULTS)
    except ModuleNotFoundError:
        return "this version makes no tables of real runs"
    genesis = read_genesis(layout(seen.testnet.members[0].data_dir).genesis)
    accounts = tuple(AccountId(bytes.fromhex(one.account)) for one in seen.testnet.members)
    setup = results.Setup(genesis, accounts, seen.scenario.honest, REAL)
    collector = results.Collector(seen.scenario, setup)
    _tell(collector, seen)
    for raw in _blocks(seen.testnet):
        collector.block(raw)
    bites = tuple(Bite(note.kind, note.count) for note in seen.faults)
    end = results.End(seen.ended_ns, tuple(map(_record, seen.faults)), bites)
    tables = results.tables_of(collector, end)
    summary = results.summary_of(tables)
    try:
        results.write_folder(out, dict(manifest), summary, tables)
    except results.MissingExtra as missing:
        return str(missing)
    return ""


def _tell(collector: Any, seen: Seen) -> None:  # noqa: ANN401  of a package that may be missing
    """Tell a collector everything that happened, in the order of time."""
    rows = sorted(_rows(seen.nodes), key=lambda row: row["time_ns"])
    tickets: dict[str, int] = {}
    happenings: list[tuple[int, int, str, Any]] = [
        (START_NS, node, "started", None) for node in range(len(seen.testnet.members))
    ]
    for number, asked in enumerate(seen.asked, start=1):
        tickets[asked.operation or str(number)] = number
        happenings.append((asked.asked_ns, asked.node, "request", (number, asked.kind)))
    for note in seen.faults:
        if note.kind == "Crash" and note.begun_ns is not None:
            happenings.append((note.begun_ns, note.nodes[0], "stopped", None))
            if note.ended_ns is not None:
                happenings.append((note.ended_ns, note.nodes[0], "started", None))
    for row in rows:
        # A restarted node numbers its requests anew, and facts are cut to milliseconds.
        if row["fact"] == "operation_seen":
            row["ticket"] = tickets.get(row["identifier"], 0)
        happenings.append((max(0, row["time_ns"]), row["node"], "record", row))
    order = {"started": 0, "request": 1, "record": 2, "stopped": 3}
    happenings.sort(key=lambda one: (one[0], order[one[2]]))
    for time_ns, node, kind, detail in happenings:
        _hand_over(collector, kind, (time_ns, node), detail)


def _hand_over(collector: Any, kind: str, place: tuple[int, int], detail: Any) -> None:  # noqa: ANN401  as above
    match kind:
        case "started":
            collector.started(*place)
        case "stopped":
            collector.stopped(*place)
        case "request":
            collector.request(*place, *detail)
        case _:
            collector.record(*place, detail)


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
            for _, block in journal.blocks():
                if block.digest not in known:
                    known.add(block.digest)
                    yield block.raw


def _record(note: FaultNote) -> FaultRecord:
    begin, end = note.planned
    return FaultRecord(
        note.kind,
        note.nodes,
        begin if note.begun_ns is None else note.begun_ns,
        end if note.ended_ns is None else note.ended_ns,
        note.count,
    )
