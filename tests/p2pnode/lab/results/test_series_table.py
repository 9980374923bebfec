"""How far apart the nodes were."""

from p2pnode.lab.results import Collector
from p2pnode.lab.results.notes import BlockNote
from p2pnode.lab.results.reading import rows_of
from p2pnode.lab.results.series_table import divergence_of, series_rows
from protocol.simulator.catalogue import SCENARIOS
from protocol.units import MILLISECOND, Digest
from tests.p2pnode.lab.results.builders import played


def test_divergence_is_the_share_of_what_not_everybody_has() -> None:
    assert [divergence_of(*pair) for pair in ((0, 0), (4, 4), (4, 3), (5, 0))] == [0, 0, 0.25, 1]


def test_a_block_that_a_node_forgot_is_not_common_until_it_is_back() -> None:
    collector = Collector(SCENARIOS["calm"](1))
    for life in collector.lives:
        life.start(0)
    at = dict.fromkeys(range(5), 100 * MILLISECOND)
    lapse = [(2, 250 * MILLISECOND, 350 * MILLISECOND)]
    collector.blocks[Digest(bytes(32))] = BlockNote(0, 1, 10, 0, "", at, lapse)
    for time_ms in (50, 150, 300, 400):
        collector.sample(time_ms * MILLISECOND)
    rows = [row for row in series_rows(collector, lambda node, index: None) if row[1] == 0]
    assert [(row[0], row[8], row[9], row[10]) for row in rows] == [
        (0.0, 0, 0, 0.0),
        (100.0, 1, 1, 0.0),
        (200.0, 1, 1, 0.0),
        (300.0, 1, 0, 1.0),
        (400.0, 1, 1, 0.0),
    ]


def test_a_node_that_is_down_is_not_live() -> None:
    _, outcome, tables = played("crashes")
    rows = list(rows_of(tables["series"]))
    for fault in outcome.faults:
        assert fault.count == 1
        middle_ms = (fault.begin_ns + fault.end_ns) / 2 / MILLISECOND
        near = min(rows, key=lambda row: abs(float(row["time_ms"] or 0) - middle_ms))
        (found,) = (
            row["is_live"]
            for row in rows
            if row["time_ms"] == near["time_ms"] and row["node"] == fault.nodes[0]
        )
        assert found is False


def test_sets_of_blocks_grow_apart_in_a_split_and_meet_again() -> None:
    _, _, tables = played("split-4-1")
    apart = {
        row["time_ms"]: int(row["blocks_union"] or 0) - int(row["blocks_common"] or 0)
        for row in rows_of(tables["series"])
    }
    assert apart[10_900.0] > 40
    assert apart[2_900.0] < 10
    assert list(apart.values())[-1] < 10
