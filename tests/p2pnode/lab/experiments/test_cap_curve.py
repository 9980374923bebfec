"""What a partition costs."""

import pytest

from p2pnode.lab.experiments.cap_curve import final_share, measure
from p2pnode.lab.experiments.experiment import Effort, Verdict


def test_only_more_than_two_thirds_can_finalise() -> None:
    assert [final_share(minority) for minority in (1, 2, 3)] == [6 / 7, 5 / 7, 0]


@pytest.mark.slow
def test_a_short_cut_agrees_with_every_row() -> None:
    findings = measure(Effort(is_quick=True))
    assert {row.verdict for row in findings.rows} == {Verdict.AGREES}
    assert [len(chart.series) for chart in findings.charts] == [4, 2]
