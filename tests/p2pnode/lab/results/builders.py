"""Small tables by hand, and simulated runs that are played once."""

from collections.abc import Sequence
from functools import cache

from p2pnode.lab.results import Collector, Reading, Tables, read_tables, tables_of
from p2pnode.lab.results.schema import SCHEMA, Cell, Kind, table_of
from protocol.simulator.catalogue import SCENARIOS
from protocol.simulator.run import Outcome, play

Given = Sequence[dict[str, Cell]]


@cache
def played(name: str, seed: int = 1) -> tuple[Collector, Outcome, Tables]:
    """A run by name, watched, and its tables."""
    scenario = SCENARIOS[name](seed)
    collector = Collector(scenario)
    outcome = play(scenario, recorders=(collector,))
    return collector, outcome, tables_of(collector, outcome)


def tables(**given: Given) -> Tables:
    """Tables of the rows given by name; cells that are left out are empty."""
    return {name: table_of(name, map(_filler(name), given.get(name, ()))) for name in SCHEMA}


def _filler(name: str):
    def fill(row: dict[str, Cell]) -> list[Cell]:
        unknown = set(row) - {column.name for column in SCHEMA[name]}
        assert not unknown, unknown
        return [
            row.get(column.name, "" if column.kind is Kind.TEXT else None)
            for column in SCHEMA[name]
        ]

    return fill


def reading(nodes: int = 2, ended_ms: float = 10_000.0, **given: Given) -> Reading:
    """A reading of some nodes up to some time."""
    series = given.pop("series", [sample(ended_ms, node) for node in range(nodes)])
    return read_tables(tables(series=series, **given))


def sample(time_ms: float, node: int, **cells: Cell) -> dict[str, Cell]:
    """One row of the series."""
    counts = ("round", "final_index", "waiting_operations", "blocks_received", "blocks_accepted")
    row: dict[str, Cell] = dict.fromkeys((*counts, "blocks_union", "blocks_common"), 0)
    row |= {"time_ms": time_ms, "node": node, "is_live": True, "divergence": 0.0}
    return row | {"state_digests": 1} | cells


def operation(
    name: str, asker: int, asked_ms: float, final: dict[int, float], **cells: Cell
) -> list[dict[str, Cell]]:
    """The rows of a request as two nodes saw it; in a block 50 ms before it was final."""
    head: dict[str, Cell] = {
        "operation": name,
        "kind": "transfer",
        "is_request": True,
        "asker": asker,
        "asked_ms": asked_ms,
        "seen_ms": asked_ms,
        "status": "final" if final else "waiting",
    }
    return [
        head
        | cells
        | {
            "node": node,
            "final_ms": final.get(node),
            "in_block_ms": final[node] - 50.0 if node in final else None,
        }
        for node in (0, 1)
    ]


SPLIT: Given = (
    {
        "kind": "Partition",
        "nodes": "0 1",
        "sides": "0|1",
        "begin_ms": 1_000.0,
        "end_ms": 2_000.0,
        "count": 3,
        "has_bitten": True,
    },
)
