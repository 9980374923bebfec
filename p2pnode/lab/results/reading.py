"""Tables as typed values, for whatever computes with them or draws them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import cast

from p2pnode.lab.results.schema import Cell, Table, Tables

Row = Mapping[str, Cell]
Side = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation, or a request that came to nothing.

    Attributes:
        begun_ms: When it was asked for, or for a duty signed; None where nobody saw it.
        in_block_ms, final_ms: By honest node; a node is missing that never had it so.
    """

    identifier: str
    kind: str
    is_request: bool
    asker: int | None
    begun_ms: float | None
    seen_ms: float | None
    status: str
    in_block_ms: Mapping[int, float]
    final_ms: Mapping[int, float]


@dataclass(frozen=True, slots=True)
class Job:
    """What a job came to; the attributes are columns of the table.

    Attributes:
        phases_ms: When the first honest node knew of each phase.
        payouts: Payments in millionths of a credit, by node.
    """

    identifier: str
    requester: int | None
    phase: str
    ending: str
    executors: tuple[int, ...]
    phases_ms: Mapping[str, float]
    payouts: Mapping[int, int]
    executions: int | None
    double_executions: int | None
    device_ms: float | None
    wasted_device_ms: float | None


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault; the attributes are columns of the table."""

    kind: str
    nodes: Side
    sides: tuple[Side, ...]
    cut_links: tuple[tuple[int, int], ...]
    begin_ms: float | None
    end_ms: float | None
    count: int


@dataclass(frozen=True, slots=True)
class Window:
    """The time in which faults were at work."""

    begin_ms: float
    end_ms: float

    def part(self, time_ms: float) -> str:
        """Says on which side of the window a time lies: before, during or after."""
        if time_ms < self.begin_ms:
            return "before"
        return "during" if time_ms < self.end_ms else "after"


@dataclass(frozen=True, slots=True)
class Reading:
    """All tables of one run.

    Attributes:
        nodes: The honest nodes.
        ended_ms: When the run was over.
    """

    tables: Tables
    nodes: Side
    ended_ms: float
    operations: tuple[Operation, ...]
    jobs: tuple[Job, ...]
    faults: tuple[Fault, ...]

    @property
    def saw_acceptance(self) -> bool:
        """Whether it is known which node took in which block; facts alone do not tell."""
        known = self.tables["blocks"]["accepted_nodes"]
        return not known or any(nodes is not None for nodes in known)

    @property
    def sides(self) -> tuple[Side, ...]:
        """The groups of the first split, or all honest nodes as one."""
        for fault in self.faults:
            if fault.sides:
                return fault.sides
        return (self.nodes,)

    @property
    def window(self) -> Window | None:
        """From the first begin to the last end of any fault; None where nothing was planned."""
        begins = [fault.begin_ms for fault in self.faults if fault.begin_ms is not None]
        ends = [fault.end_ms for fault in self.faults if fault.end_ms is not None]
        return Window(min(begins), max(ends)) if begins and ends else None


def read_tables(tables: Tables) -> Reading:
    """Makes typed values of a run's tables."""
    series = tables["series"]
    nodes = tuple(sorted({cast("int", node) for node in series["node"]}))
    times = [cast("float", time) for time in series["time_ms"]]
    return Reading(
        tables,
        nodes,
        max(times, default=0.0),
        tuple(_operations(tables["operations"])),
        tuple(_job(row) for row in rows_of(tables["jobs"])),
        tuple(_fault(row) for row in rows_of(tables["faults"])),
    )


def rows_of(table: Table) -> Iterator[Row]:
    """Yields the rows of a table as mappings."""
    names = list(table)
    for cells in zip(*table.values(), strict=True):
        yield dict(zip(names, cells, strict=True))


def _operations(table: Table) -> Iterator[Operation]:
    """Gathers the rows of each operation, one for each node that looked at it."""
    views: dict[str, list[Row]] = {}
    for row in rows_of(table):
        if row["operation"]:
            views.setdefault(str(row["operation"]), []).append(row)
        else:
            yield _operation([row])
    yield from map(_operation, views.values())


def _operation(rows: list[Row]) -> Operation:
    first = rows[0]
    begun = first["asked_ms"] if first["asked_ms"] is not None else first["seen_ms"]
    return Operation(
        identifier=str(first["operation"]),
        kind=str(first["kind"]),
        is_request=bool(first["is_request"]),
        asker=cast("int | None", first["asker"]),
        begun_ms=cast("float | None", begun),
        seen_ms=cast("float | None", first["seen_ms"]),
        status=str(first["status"]),
        in_block_ms=_by_node(rows, "in_block_ms"),
        final_ms=_by_node(rows, "final_ms"),
    )


def _by_node(rows: list[Row], column: str) -> dict[int, float]:
    return {
        cast("int", row["node"]): cast("float", row[column])
        for row in rows
        if row[column] is not None
    }


def _job(row: Row) -> Job:
    phases = {
        name.removesuffix("_ms"): cast("float", row[name])
        for name in list(row)[list(row).index("bidding_ms") : list(row).index("ended_last_ms")]
        if row[name] is not None
    }
    payouts: dict[int, int] = {}
    for word in str(row["payouts_microcredits"]).split():
        node, _, amount = word.partition(":")
        payouts[int(node)] = payouts.get(int(node), 0) + int(amount)
    return Job(
        identifier=str(row["job"]),
        requester=cast("int | None", row["requester"]),
        phase=str(row["phase"]),
        ending=str(row["ending"]),
        executors=_numbers(str(row["executors"])),
        phases_ms=phases,
        payouts=payouts,
        executions=cast("int | None", row["executions"]),
        double_executions=cast("int | None", row["double_executions"]),
        device_ms=cast("float | None", row["device_ms"]),
        wasted_device_ms=cast("float | None", row["wasted_device_ms"]),
    )


def _fault(row: Row) -> Fault:
    sides = str(row["sides"])
    pairs = (word.split(">") for word in str(row["cut_links"]).split())
    return Fault(
        kind=str(row["kind"]),
        nodes=_numbers(str(row["nodes"])),
        sides=tuple(_numbers(side) for side in sides.split("|")) if sides else (),
        cut_links=tuple((int(source), int(target)) for source, target in pairs),
        begin_ms=cast("float | None", row["begin_ms"]),
        end_ms=cast("float | None", row["end_ms"]),
        count=cast("int", row["count"]),
    )


def _numbers(text: str) -> Side:
    return tuple(int(word) for word in text.split())
