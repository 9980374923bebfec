"""The tables that a run leaves behind: their names, their columns and what each of them means.

One schema for simulated and real networks. A unit is the end of a column's name; a cell is empty
(null) where a thing did not happen or was not seen, never zero. Nodes are numbers from 0. A cell
that lists nodes separates them by spaces, sides by `|`, and a node from its amount by `:`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from protocol.job.record import Phase

SCHEMA_VERSION: Final = 1
"""Grows with each change of a name or a meaning; folders of another version are refused."""

Cell = str | int | float | bool | None
Table = Mapping[str, Sequence[Cell]]
"""Columns of equal length, by name."""
Tables = Mapping[str, Table]


class Kind(Enum):
    """What a column holds."""

    TEXT = "text"
    WHOLE = "whole"
    REAL = "real"
    TRUTH = "truth"


TYPES: Final[Mapping[Kind, tuple[type, ...]]] = {
    Kind.TEXT: (str,),
    Kind.WHOLE: (int,),
    Kind.REAL: (float,),
    Kind.TRUTH: (bool,),
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table."""

    name: str
    kind: Kind
    about: str


def _columns(holds: Kind, /, **abouts: str) -> tuple[Column, ...]:
    return tuple(Column(name, holds, about) for name, about in abouts.items())


BLOCKS: Final = (
    *_columns(
        Kind.WHOLE,
        round="Logical step.",
        author="Node that signed it.",
    ),
    *_columns(Kind.TEXT, block="Its digest."),
    *_columns(Kind.REAL, proposed_ms="When its author said that it had signed it."),
    *_columns(
        Kind.WHOLE,
        size_bytes="Length of its signed bytes.",
        operations="Operations that it brings.",
        accepted_nodes="Honest nodes that took it into their graph.",
    ),
    *_columns(
        Kind.REAL,
        accepted_first_ms="When the first honest node took it in.",
        accepted_median_ms="When half of those that took it in had done so.",
        accepted_last_ms="When the last of them had.",
    ),
    *_columns(
        Kind.WHOLE,
        commit_index="The commit that ordered it.",
        final_nodes="Honest nodes at which it became final.",
    ),
    *_columns(
        Kind.REAL,
        final_first_ms="When it was final at the first honest node.",
        final_median_ms="When it was at half of those at which it ever was.",
        final_last_ms="When it was at the last of them.",
    ),
    *_columns(Kind.TEXT, references="First 12 digits of the digests of the blocks it refers to."),
)
VOTES: Final = (
    *_columns(Kind.WHOLE, round="The slot.", leader="Node that leads it."),
    *_columns(
        Kind.TEXT,
        verdict="committed, skipped or undecided, as this node knew it at the end.",
        block="Digest of the committed leader block.",
    ),
    *_columns(
        Kind.WHOLE,
        commit_index="Position of the leader commit.",
        node="Honest node that decided.",
    ),
    *_columns(
        Kind.REAL,
        decided_ms="When: for a skipped slot, the time of the commit after it.",
    ),
)
OPERATIONS: Final = (
    *_columns(
        Kind.TEXT,
        operation="Its identifier; empty for a request that came to nothing.",
        kind="Kind of its payload.",
    ),
    *_columns(Kind.TRUTH, is_request="Asked for by a user, not by a node's duty."),
    *_columns(Kind.WHOLE, asker="Node that was asked, or that signed it."),
    *_columns(
        Kind.REAL,
        asked_ms="When it was asked for; empty for duties.",
        seen_ms="When it was signed and kept: the level `seen`.",
    ),
    *_columns(
        Kind.TEXT,
        status="final, rejected, waiting, refused (by the node asked) or unanswered.",
        reason="Why it was rejected or refused.",
    ),
    *_columns(Kind.WHOLE, node="Honest node whose view the next columns give."),
    *_columns(
        Kind.REAL,
        in_block_ms="When this node had taken in a block that holds it.",
        final_ms="When it was final at this node, with or without effect.",
    ),
)
JOBS: Final = (
    *_columns(Kind.TEXT, job="Its identifier.", kind="Kind of task."),
    *_columns(Kind.WHOLE, requester="Node that offered it.", replicas="Executors asked for."),
    *_columns(
        Kind.REAL,
        **{
            f"{phase.value}_ms": f"When an honest node first knew that it was {phase.value}."
            for phase in Phase
        },
        ended_last_ms="When the last honest node knew of its end.",
    ),
    *_columns(
        Kind.TEXT,
        phase="Where it stood at the end.",
        ending="Why it ended.",
        executors="Nodes drawn, auditors included, in the order of calling.",
        agreeing="Nodes whose result was accepted.",
        result="Digest of the accepted output.",
    ),
    *_columns(Kind.WHOLE, confidence_bp="Chance that the result is right."),
    *_columns(
        Kind.TEXT,
        payouts_microcredits="Node and amount of every payment.",
        slashes_microcredits="Node and amount of every punishment.",
    ),
    *_columns(
        Kind.WHOLE,
        fee_microcredits="What was burned.",
        refund_microcredits="What went back to the requester.",
        executions="Runs that honest nodes started; empty when nobody watched them.",
        double_executions="Runs beyond the first of each account that the ledger drew.",
    ),
    *_columns(
        Kind.REAL,
        device_ms="Time that these runs took on devices.",
        wasted_device_ms="The part that no accepted result came of.",
    ),
)
FAULTS: Final = (
    *_columns(Kind.TEXT, kind="Class of the fault or of the dishonesty."),
    *_columns(
        Kind.TEXT,
        nodes="Whom it concerns; empty when all links are meant.",
        sides="The groups that it parts.",
        cut_links="Directed links that it cuts, as source>target.",
    ),
    *_columns(Kind.REAL, begin_ms="Its begin.", end_ms="Its end; empty for the whole run."),
    *_columns(Kind.WHOLE, count="How much it did, in its own measure."),
    *_columns(Kind.TRUTH, has_bitten="Whether it did anything at all."),
)
LINKS: Final = _columns(
    Kind.WHOLE,
    source="Sender.",
    target="Receiver.",
    messages="Messages that set out.",
    size_bytes="Their bytes.",
    lost="Messages that vanished.",
    duplicated="Messages that arrived twice.",
    cut="Messages that met a cut, and were lost or went round.",
)
SERIES: Final = (
    *_columns(Kind.REAL, time_ms="Time of the sample."),
    *_columns(Kind.WHOLE, node="Honest node."),
    *_columns(Kind.TRUTH, is_live="Whether it was up."),
    *_columns(
        Kind.WHOLE,
        round="Highest round of a block that it had taken in.",
        final_index="Its newest commit.",
        waiting_operations="Operations signed anywhere by then, and not final here.",
        blocks_received="Copies of blocks that had come by gossip.",
        blocks_accepted="Blocks that it had taken in.",
        blocks_union="Blocks that any live honest node had taken in.",
        blocks_common="Blocks that all of them had.",
    ),
    *_columns(Kind.REAL, divergence="1 - blocks_common / blocks_union; 0 while there are none."),
    *_columns(Kind.WHOLE, state_digests="Different states among live honest nodes."),
)

SCHEMA: Final[Mapping[str, tuple[Column, ...]]] = {
    "blocks": BLOCKS,
    "votes": VOTES,
    "operations": OPERATIONS,
    "jobs": JOBS,
    "faults": FAULTS,
    "links": LINKS,
    "series": SERIES,
}
"""Every table's columns, in order."""


class BadTable(ValueError):  # noqa: N818  named for what is wrong
    """A table that is not as the schema has it; the message says where."""


def table_of(name: str, rows: Iterable[Sequence[Cell]]) -> Table:
    """Makes columns of rows, whose cells stand in the order of the schema.

    Raises:
        BadTable: a row has too few or too many cells.
    """
    names = [column.name for column in SCHEMA[name]]
    table: dict[str, list[Cell]] = {column: [] for column in names}
    for number, row in enumerate(rows):
        if len(row) != len(names):
            raise BadTable(f"{name}: row {number} has {len(row)} cells, not {len(names)}")
        for column, cell in zip(names, row, strict=True):
            table[column].append(cell)
    return table


def check_tables(tables: Tables) -> None:
    """Compares tables with the schema.

    Raises:
        BadTable: a table or column is missing, unknown, of another length or of another kind.
    """
    if set(tables) != set(SCHEMA):
        raise BadTable(f"there are tables {sorted(tables)}, not {sorted(SCHEMA)}")
    for name, columns in SCHEMA.items():
        table = tables[name]
        if list(table) != [column.name for column in columns]:
            raise BadTable(f"{name}: the columns are {', '.join(table)}")
        if len({len(cells) for cells in table.values()}) > 1:
            raise BadTable(f"{name}: the columns differ in length")
        for column in columns:
            _check_cells(name, column, table[column.name])


def _check_cells(name: str, column: Column, cells: Sequence[Cell]) -> None:
    allowed = TYPES[column.kind]
    for number, cell in enumerate(cells):
        if cell is not None and type(cell) not in allowed:
            place = f"{name}.{column.name}, row {number}"
            raise BadTable(f"{place}: {cell!r} is no {column.kind.value} value")
