"""A handful of cells of the matrix of partitions."""

import pytest

from p2pnode.lab.experiments.experiment import Effort, Verdict
from p2pnode.lab.experiments.matrix import STRIDE, measure
from protocol.simulator.partition_matrix import Shape, cells


@pytest.mark.slow
def test_a_few_cells_of_every_shape_break_nothing() -> None:
    findings = measure(Effort(is_quick=True))
    assert {row.verdict for row in findings.rows} == {Verdict.AGREES}
    assert [row.what.partition(":")[0] for row in findings.rows[:-1]] == [
        shape.value for shape in Shape
    ]
    assert sum(row.obtained.trials for row in findings.rows[:-1]) == len(list(cells())[::STRIDE])
