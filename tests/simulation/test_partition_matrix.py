"""A part of the enumerated partitions; `protocol.simulator.partition_matrix` plays all of them."""

from collections import Counter
from math import comb

import pytest

from protocol.simulator import partition_matrix
from protocol.simulator.partition_matrix import (
    EVENTS_MAX,
    MOMENTS_NS,
    SIZES,
    Cell,
    Happening,
    Shape,
    cells,
    play_cell,
    scenario_of,
)
from protocol.simulator.run import Verdict

pytestmark = pytest.mark.slow

STRIDE = 29
"""Every so many cells are played: a number that shares no factor with the scripts of a shape."""
SCRIPTS = sum(comb(len(MOMENTS_NS) * len(Happening), count) for count in range(EVENTS_MAX + 1))


def test_every_combination_is_there_once() -> None:
    found = list(cells())
    assert len(set(found)) == len(found) == SCRIPTS * len(SIZES) * 5 == 1_950
    counts = Counter(cell.shape for cell in found)
    assert counts == {Shape.ISOLATED: 780, Shape.PARTIAL: 780, Shape.RING: 390}
    assert found == list(cells())


def test_a_sample_of_all_cells_keeps_every_promise_and_every_fault_bites() -> None:
    sample = list(cells())[::STRIDE]
    assert {(cell.shape, cell.members) for cell in sample} == {
        (shape, members) for shape in Shape for members in SIZES
    }
    happened: Counter[str] = Counter()
    for cell in sample:
        outcome = play_cell(cell)
        assert outcome.verdict is Verdict.PASS, (cell, outcome.checks)
        assert all(bite.count for bite in outcome.bites), (cell, outcome.bites)
        jobs = sum(one is Happening.JOB for _, one in cell.script)
        assert outcome.counts.jobs == jobs, cell
        happened.update(one.value for _, one in cell.script)
        happened["accepted"] += outcome.counts.accepted
    assert happened == {"crash": 54, "transfer": 59, "job": 57, "accepted": 57}


def test_in_a_ring_everybody_sees_another_majority() -> None:
    for members in SIZES:
        (fault,) = scenario_of(Cell(Shape.RING, members, 0, ())).faults
        cut = [[pair for pair in fault.pairs if pair[1] == node] for node in range(members)]
        assert [len(pairs) for pairs in cut] == [1 if members < 5 else 2] * members


def test_a_cell_that_fails_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = [Cell(Shape.ISOLATED, 4, 0, ())]
    monkeypatch.setattr(partition_matrix, "cells", lambda: iter(chosen))
    assert partition_matrix.main() == 0
    assert capsys.readouterr().out == "1 cells passed with every fault biting, 0 did not\n"
    monkeypatch.setattr(partition_matrix, "HEAL_NS", partition_matrix.CUT_NS)
    assert partition_matrix.main() == 1
    assert "unknown: Cell(shape=<Shape.ISOLATED" in capsys.readouterr().out
